/* Every kernel against a SHA-256 of its own, without Python: for processors that are only emulated.
 *
 * Prints the names of the kernels that it tried, one a line. Ends with 1 and says where at the first
 * disagreement. `selftest 4` tries every fourth template only, for a slow emulator. The oracle shares
 * nothing with the kernels, not even the constants: it derives them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"

#define MOST_BYTES 4096
#define LAST_NONCE UINT64_MAX

/* -- the oracle: FIPS 180-4, sections 4 to 6, a byte string at a time ------------------------------ */

static uint32_t k_of[64], initial[8];

static uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* The first 32 bits of the fractions of the roots of the first primes; 64 bits of mantissa are plenty
 * where long double has them, and the standard's example below tells where it has not. */
static void derive_constants(void)
{
    int count = 0;
    for (int prime = 2; count < 64; prime++) {
        int composite = 0;
        for (int d = 2; d * d <= prime; d++)
            composite |= prime % d == 0;
        if (composite)
            continue;
        long double cube = cbrtl(prime), square = sqrtl(prime);
        k_of[count] = (uint32_t)((cube - floorl(cube)) * 4294967296.0L);
        if (count < 8)
            initial[count] = (uint32_t)((square - floorl(square)) * 4294967296.0L);
        count++;
    }
}

static void oracle_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64], v[8];
    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16
            | (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = ror(w[t - 15], 7) ^ ror(w[t - 15], 18) ^ (w[t - 15] >> 3);
        uint32_t s1 = ror(w[t - 2], 17) ^ ror(w[t - 2], 19) ^ (w[t - 2] >> 10);
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
    memcpy(v, state, sizeof v);
    for (int t = 0; t < 64; t++) {
        uint32_t s1 = ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25);
        uint32_t s0 = ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22);
        uint32_t ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t maj = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        uint32_t t1 = v[7] + s1 + ch + k_of[t] + w[t], t2 = s0 + maj;
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        state[i] += v[i];
}

static void oracle_hash(const uint8_t *text, size_t bytes, uint32_t state[8])
{
    uint8_t padded[MOST_BYTES + 128] = {0};
    size_t whole = (bytes + 9 + 63) / 64 * 64;
    memcpy(padded, text, bytes);
    padded[bytes] = 0x80;
    for (int i = 0; i < 8; i++)
        padded[whole - 1 - (size_t)i] = (uint8_t)((uint64_t)bytes * 8 >> 8 * i);
    memcpy(state, initial, sizeof initial);
    for (size_t at = 0; at < whole; at += 64)
        oracle_block(state, padded + at);
}

static int oracle_solves(const struct template *template, uint64_t nonce)
{
    uint8_t text[MOST_BYTES];
    char digits[24], hex[65];
    uint32_t state[8];
    int count = snprintf(digits, sizeof digits, "%" PRIu64, nonce);
    memcpy(text, template->prefix, template->prefix_bytes);
    memcpy(text + template->prefix_bytes, digits, (size_t)count);
    memcpy(text + template->prefix_bytes + count, template->suffix, template->suffix_bytes);
    oracle_hash(text, template->prefix_bytes + (size_t)count + template->suffix_bytes, state);
    for (int i = 0; i < 8; i++)
        snprintf(hex + 8 * i, 9, "%08" PRIx32, state[i]);
    return (int)strspn(hex, "0") >= template->difficulty;
}

static void check_oracle(void)
{
    static const uint32_t abc[8] = {0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223,
                                    0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad};
    uint32_t state[8];
    oracle_hash((const uint8_t *)"abc", 3, state);
    if (memcmp(state, abc, sizeof abc) != 0) {
        puts("the oracle is wrong");
        exit(2);
    }
}

/* -- the comparison ------------------------------------------------------------------------------ */

static uint64_t seed = 1;

static unsigned long every = 1, template_count;

/* Knuth's MMIX generator; the same numbers on every machine. */
static uint64_t any(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

static uint64_t power_of_ten(int exponent)
{
    uint64_t power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

/* Walk a range from one solution to the next, beside the oracle. */
static void compare(const struct kernel *kernel, const struct template *template, uint64_t first,
                    uint64_t count)
{
    unsigned char cancel = 0;
    uint64_t done = 0;
    while (done < count) {
        struct result result;
        uint64_t tried = 0;
        int solved = 0;
        while (!solved && done + tried < count)
            solved = oracle_solves(template, first + done + tried++);
        if (scan(kernel, template, first + done, count - done, &cancel, &result) != 0
            || !result.solved != !solved || result.tried != tried
            || (solved && result.nonce != first + done + tried - 1)) {
            printf("%s differs: prefix %zu suffix %zu difficulty %d first %" PRIu64 " count %" PRIu64 "\n",
                   kernel->name, template->prefix_bytes, template->suffix_bytes, template->difficulty,
                   first + done, count - done);
            exit(1);
        }
        done += tried;
    }
}

static void compare_random(const struct kernel *kernel, size_t prefix, size_t suffix, uint64_t first,
                           uint64_t count)
{
    uint8_t before[MOST_BYTES], behind[MOST_BYTES];
    struct template template = {before, prefix, behind, suffix, (int)any(3)};
    if (template_count++ % every)
        return;
    for (size_t i = 0; i < prefix; i++)
        before[i] = (uint8_t)any(256);
    for (size_t i = 0; i < suffix; i++)
        behind[i] = (uint8_t)any(256);
    compare(kernel, &template, first, count);
}

static void compare_lengths(const struct kernel *kernel)
{
    for (size_t prefix = 0; prefix < 64; prefix++)
        for (size_t suffix = prefix % 4; suffix < 64; suffix += 4)
            compare_random(kernel, prefix, suffix, any(power_of_ten(1 + (int)any(9))), 40);
    for (size_t blocks = 1; blocks < 4; blocks++)
        for (size_t extra = 0; extra < 64; extra += 7)
            compare_random(kernel, 64 * blocks + extra, 64 * (4 - blocks) + extra, 9990, 40);
    compare_random(kernel, 80, 2900, 1234567, 40);
}

static void compare_nonces(const struct kernel *kernel)
{
    for (int exponent = 0; exponent < 20; exponent++)
        for (size_t before = 0; before <= 20; before++) {
            uint64_t power = power_of_ten(exponent), back = any(power < 60 ? power : 60);
            compare_random(kernel, 64 - before, any(130), power - back, 80);
        }
    compare_random(kernel, 70, 70, LAST_NONCE - 299, 300);
    compare_random(kernel, 3, 40, LAST_NONCE - 299, 300);
    for (uint64_t count = 0; count < 70; count++)
        compare_random(kernel, any(200), any(200), any(1000000), count);
}

static void compare_sweeps(const struct kernel *kernel)
{
    for (int row = 0; row < 6; row++) {
        uint8_t before[64], behind[100];
        struct template template = {before, any(64), behind, any(100), 3};
        memset(before, 'a' + row, sizeof before);
        memset(behind, 'A' + row, sizeof behind);
        compare(kernel, &template, any(100000), 10000 + any(10000));
    }
}

/* -- the cancel flag ----------------------------------------------------------------------------- */

#define MOST_BYTES_PER_LOOK (1024 * 1024) /* 5 ms for a kernel that hashes 200 MB a second, the slowest */
#define LOOKS 3

static unsigned char spied_cancel;
static unsigned spied_looks, spied_nonces, spied_most;

/* A kernel that hashes nothing; raises the flag in its third turn. */
static unsigned spy(const struct sweep *sweep, unsigned from, unsigned to)
{
    (void)sweep;
    spied_nonces += to - from;
    if (to - from > spied_most)
        spied_most = to - from;
    if (++spied_looks == LOOKS)
        spied_cancel = 1;
    return to;
}

static int always(void)
{
    return 1;
}

/* Between two looks at the flag there is little to hash, whatever the kernel and the template: a cancel
 * is obeyed in time, without a clock in the test. */
static void check_cancel(void)
{
    static const size_t sizes[] = {130, 2900, 290000};
    static uint8_t behind[290000];
    for (const struct kernel *each = KERNELS; each->name != NULL; each++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct kernel spying = {each->name, spy, each->lanes, always};
            struct template template = {(const uint8_t *)"7:", 2, behind, sizes[i], 64};
            struct result result;
            size_t most = MOST_BYTES_PER_LOOK + 2 * each->lanes * (sizes[i] + 128);
            spied_cancel = 0;
            spied_looks = spied_nonces = spied_most = 0;
            scan(&spying, &template, 100000000, LAST_NONCE / 2, &spied_cancel, &result);
            if (result.solved || spied_looks != LOOKS || result.tried != spied_nonces
                || spied_most * (sizes[i] + 11) > most) {
                printf("%s is cancelled late: suffix %zu, %u looks, %u nonces between two\n", each->name,
                       sizes[i], spied_looks, spied_most);
                exit(1);
            }
        }
}

int main(int count, char **arguments)
{
    if (count > 1 && (every = strtoul(arguments[1], NULL, 10)) == 0)
        return 2;
    derive_constants();
    check_oracle();
    sweep_digits_fill();
    check_cancel();
    for (const struct kernel *kernel = KERNELS; kernel->name != NULL; kernel++) {
        if (!kernel->runs_here())
            continue;
        compare_lengths(kernel);
        compare_nonces(kernel);
        compare_sweeps(kernel);
        puts(kernel->name);
        fflush(stdout);
    }
    return 0;
}
