/* The SHA-2 instructions of ARMv8: four rounds in two, several nonces interleaved since each waits for
 * the one before. */
#if defined(__aarch64__)
#if defined(__clang__) && !defined(__ARM_FEATURE_SHA2)
#define __ARM_FEATURE_SHA2 1 /* older clangs declare the instructions only with it; `target` allows them */
#endif
#include <arm_neon.h>
#include <string.h>

#include "kernel.h"

#if defined(__clang__)
#define TARGET __attribute__((target("sha2")))
#else
#define TARGET __attribute__((target("+crypto")))
#endif
#define INLINE static inline __attribute__((always_inline)) TARGET
#define STREAMS 4

struct pair {
    uint32x4_t abcd, efgh;
};

INLINE struct pair pair_of(const uint32_t state[STATE_WORDS])
{
    return (struct pair){vld1q_u32(state), vld1q_u32(state + 4)};
}

INLINE void add_pair(struct pair *sum, struct pair other)
{
    sum->abcd = vaddq_u32(sum->abcd, other.abcd);
    sum->efgh = vaddq_u32(sum->efgh, other.efgh);
}

/* Four rounds, given K + W of each. */
INLINE void four_rounds(struct pair *v, uint32x4_t kw)
{
    uint32x4_t abcd = v->abcd;
    v->abcd = vsha256hq_u32(abcd, v->efgh, kw);
    v->efgh = vsha256h2q_u32(v->efgh, abcd, kw);
}

/* Blocks that vary: schedules and rounds of all streams side by side. */
INLINE void varying_block(struct pair state[STREAMS], uint32x4_t w[STREAMS][4])
{
    struct pair v[STREAMS];
    for (int s = 0; s < STREAMS; s++)
        v[s] = state[s];
    for (int t = 0; t < ROUNDS; t += 16)
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            uint32x4_t k = vld1q_u32(SHA256_K + t + 4 * i);
            for (int s = 0; s < STREAMS; s++) {
                if (t > 0) {
                    uint32x4_t half = vsha256su0q_u32(w[s][i], w[s][(i + 1) & 3]);
                    w[s][i] = vsha256su1q_u32(half, w[s][(i + 2) & 3], w[s][(i + 3) & 3]);
                }
                four_rounds(&v[s], vaddq_u32(w[s][i], k));
            }
        }
    for (int s = 0; s < STREAMS; s++)
        add_pair(&state[s], v[s]);
}

INLINE void varying_blocks(const struct sweep *sweep, unsigned index, struct pair state[STREAMS])
{
    uint32_t words[STREAMS][2][BLOCK_WORDS];
    uint32x4_t w[STREAMS][4];
    for (int s = 0; s < STREAMS; s++) {
        memcpy(words[s], sweep->words, sizeof words[s]);
        put_digits(sweep, index + (unsigned)s, words[s]);
        state[s] = pair_of(sweep->state);
    }
    for (int block = 0; block < sweep->blocks; block++) {
        for (int s = 0; s < STREAMS; s++)
            for (int i = 0; i < 4; i++)
                w[s][i] = vld1q_u32(words[s][block] + 4 * i);
        varying_block(state, w);
    }
}

INLINE void constant_blocks(const struct sweep *sweep, struct pair state[STREAMS])
{
    const uint32_t *kw = sweep->tail, *end = kw + sweep->tail_blocks * ROUNDS;
    while (kw < end) {
        struct pair v[STREAMS];
        for (int s = 0; s < STREAMS; s++)
            v[s] = state[s];
        for (int t = 0; t < ROUNDS; t += 4, kw += 4) {
            uint32x4_t kw_ = vld1q_u32(kw);
            for (int s = 0; s < STREAMS; s++)
                four_rounds(&v[s], kw_);
        }
        for (int s = 0; s < STREAMS; s++)
            add_pair(&state[s], v[s]);
    }
}

TARGET unsigned sweep_armv8(const struct sweep *sweep, unsigned from, unsigned to)
{
    for (unsigned index = from; index < to; index += STREAMS) {
        struct pair state[STREAMS];
        varying_blocks(sweep, index, state);
        constant_blocks(sweep, state);
        for (unsigned s = 0; s < STREAMS && index + s < to; s++)
            if ((vgetq_lane_u32(state[s].abcd, 0) & sweep->mask) == 0)
                return index + s;
    }
    return to;
}
#endif
