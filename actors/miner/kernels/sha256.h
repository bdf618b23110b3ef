/* SHA-256 (FIPS 180-4) one block at a time: what every kernel shares, and the oracle's equal in C. */
#ifndef TROUPE_SHA256_H
#define TROUPE_SHA256_H

#include <stdint.h>

#define BLOCK_BYTES 64
#define BLOCK_WORDS 16
#define STATE_WORDS 8
#define ROUNDS 64

extern const uint32_t SHA256_INITIAL[STATE_WORDS];
extern const uint32_t SHA256_K[ROUNDS];

static inline uint32_t rotate_right(uint32_t x, int bits)
{
    return x >> bits | x << (32 - bits);
}

static inline uint32_t big_sigma0(uint32_t x)
{
    return rotate_right(x, 2) ^ rotate_right(x, 13) ^ rotate_right(x, 22);
}

static inline uint32_t big_sigma1(uint32_t x)
{
    return rotate_right(x, 6) ^ rotate_right(x, 11) ^ rotate_right(x, 25);
}

static inline uint32_t small_sigma0(uint32_t x)
{
    return rotate_right(x, 7) ^ rotate_right(x, 18) ^ x >> 3;
}

static inline uint32_t small_sigma1(uint32_t x)
{
    return rotate_right(x, 17) ^ rotate_right(x, 19) ^ x >> 10;
}

/* The 16 words of a block, from its 64 bytes. */
void sha256_words(const uint8_t *block, uint32_t words[BLOCK_WORDS]);

/* Each round's K + W: all that a round needs of a block which is the same for every nonce. */
void sha256_schedule(const uint32_t words[BLOCK_WORDS], uint32_t schedule[ROUNDS]);

/* The first `rounds` rounds on the working variables, without the addition at the end. */
void sha256_rounds(uint32_t variables[STATE_WORDS], const uint32_t *schedule, int rounds);

/* Take one block, given by its schedule, into the state. */
void sha256_compress(uint32_t state[STATE_WORDS], const uint32_t schedule[ROUNDS]);

#endif
