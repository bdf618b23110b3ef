/* What a kernel is: it tries the ten thousand nonces that differ in their last four digits. */
#ifndef TROUPE_KERNEL_H
#define TROUPE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "sha256.h"

#define SWEEP_DIGITS 4
#define SWEEP_NONCES 10000
#define MAX_LANES 64 /* of any kernel: a group of hits is one 64-bit word */
#define LEAN_ROUNDS 32 /* later words of a schedule have all terms reached by a digit, or nearly */

/* Four decimal digits as the big-endian word that their ASCII makes, for 0000 to 9999; what follows
 * is there to be read by the lanes beyond the last, and never looked at. */
extern uint32_t sweep_digits[SWEEP_NONCES + MAX_LANES];

/* All that is the same for the nonces of one sweep, worked out before it.
 *
 * The digits begin `shift` bits into word `word` of the first varying block. The state comes from
 * whole blocks before; the blocks behind are given by their schedules (K + W for each round).
 */
struct sweep {
    uint32_t state[STATE_WORDS];     /* before the first varying block */
    uint32_t words[2][BLOCK_WORDS];  /* the varying blocks, with zeros for the digits */
    int blocks;                      /* varying blocks: 2 if the digits straddle a boundary */
    int word;                        /* 0 to 15 */
    int shift;                       /* 0, 8, 16 or 24 */
    uint32_t early[STATE_WORDS];     /* variables after round `word`, but for its digits */
    uint32_t constant[LEAN_ROUNDS];  /* of each W: the sum of its terms that no digit reaches */
    uint32_t constant_k[LEAN_ROUNDS]; /* the same + K */
    const uint32_t *tail;            /* ROUNDS words a block */
    size_t tail_blocks;
    uint32_t mask;                   /* bits of the digest's first word that must be zero */
};

/* The least index in [from, to) whose digest begins as wanted, or `to`. */
typedef unsigned sweep_function(const struct sweep *sweep, unsigned from, unsigned to);

struct kernel {
    const char *name;
    sweep_function *sweep;
    unsigned lanes;        /* nonces that it tries side by side */
    int (*runs_here)(void);
};

/* Known to this build, the preferred one first, ended by one without a name. */
extern const struct kernel KERNELS[];

/* The one of this name if the processor runs it, or NULL. */
const struct kernel *kernel_named(const char *name);

void sweep_digits_fill(void);

/* The words of the digit at `index` within the sweep, put where they belong. */
static inline void put_digits(const struct sweep *sweep, unsigned index, uint32_t words[2][BLOCK_WORDS])
{
    uint32_t digits = sweep_digits[index];
    words[0][sweep->word] |= digits >> sweep->shift;
    if (sweep->shift) {
        uint32_t rest = digits << (32 - sweep->shift);
        if (sweep->word + 1 < BLOCK_WORDS)
            words[0][sweep->word + 1] |= rest;
        else
            words[1][0] |= rest;
    }
}

sweep_function sweep_portable;
#if defined(__x86_64__)
sweep_function sweep_avx512, sweep_avx2, sweep_sha_ni;
#endif
#if defined(__aarch64__)
sweep_function sweep_armv8;
#endif

#endif
