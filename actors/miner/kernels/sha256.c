/* SHA-256 by the book: for what is hashed once a template or once a sweep. */
#include "sha256.h"

const uint32_t SHA256_INITIAL[STATE_WORDS] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

const uint32_t SHA256_K[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

void sha256_words(const uint8_t *block, uint32_t words[BLOCK_WORDS])
{
    for (int i = 0; i < BLOCK_WORDS; i++, block += 4)
        words[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
}

void sha256_schedule(const uint32_t words[BLOCK_WORDS], uint32_t schedule[ROUNDS])
{
    uint32_t w[ROUNDS];
    for (int t = 0; t < ROUNDS; t++) {
        w[t] = t < BLOCK_WORDS
            ? words[t]
            : small_sigma1(w[t - 2]) + w[t - 7] + small_sigma0(w[t - 15]) + w[t - 16];
        schedule[t] = w[t] + SHA256_K[t];
    }
}

void sha256_rounds(uint32_t variables[STATE_WORDS], const uint32_t *schedule, int rounds)
{
    uint32_t a = variables[0], b = variables[1], c = variables[2], d = variables[3];
    uint32_t e = variables[4], f = variables[5], g = variables[6], h = variables[7];
    for (int t = 0; t < rounds; t++) {
        uint32_t t1 = h + schedule[t] + big_sigma1(e) + (g ^ (e & (f ^ g)));
        uint32_t t2 = big_sigma0(a) + (b ^ ((a ^ b) & (b ^ c)));
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + t2;
    }
    variables[0] = a, variables[1] = b, variables[2] = c, variables[3] = d;
    variables[4] = e, variables[5] = f, variables[6] = g, variables[7] = h;
}

void sha256_compress(uint32_t state[STATE_WORDS], const uint32_t schedule[ROUNDS])
{
    uint32_t variables[STATE_WORDS];
    for (int i = 0; i < STATE_WORDS; i++)
        variables[i] = state[i];
    sha256_rounds(variables, schedule, ROUNDS);
    for (int i = 0; i < STATE_WORDS; i++)
        state[i] += variables[i];
}
