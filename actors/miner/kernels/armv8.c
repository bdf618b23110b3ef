/* The SHA-2 instructions of ARMv8: four rounds in two. */
#if defined(__aarch64__)
#if defined(__clang__) && !defined(__ARM_FEATURE_SHA2)
#define __ARM_FEATURE_SHA2 1 /* older clangs declare the instructions only with it; `target` allows them */
#endif
#include <arm_neon.h>
#include <string.h>

#include "kernel.h"

#define SWEEP sweep_armv8
#if defined(__clang__)
#define TARGET __attribute__((target("sha2")))
#else
#define TARGET __attribute__((target("+crypto")))
#endif
#define INLINE static inline __attribute__((always_inline)) TARGET
#define QUAD uint32x4_t
#define STREAMS 4
#define LOAD vld1q_u32
#define ADD vaddq_u32
#define FIRST_WORD(pair) vgetq_lane_u32((pair).left, 0)

/* The working variables: a to d, and e to h. */
struct pair {
    uint32x4_t left, right;
};

INLINE struct pair pair_of(const uint32_t state[STATE_WORDS])
{
    return (struct pair){LOAD(state), LOAD(state + 4)};
}

/* Four rounds, given K + W of each. */
INLINE void four_rounds(struct pair *v, uint32x4_t kw)
{
    uint32x4_t abcd = v->left;
    v->left = vsha256hq_u32(abcd, v->right, kw);
    v->right = vsha256h2q_u32(v->right, abcd, kw);
}

/* The words 16 rounds behind w[i], which are to take its place. */
INLINE uint32x4_t next_words(const uint32x4_t w[4], int i)
{
    uint32x4_t half = vsha256su0q_u32(w[i], w[(i + 1) & 3]);
    return vsha256su1q_u32(half, w[(i + 2) & 3], w[(i + 3) & 3]);
}

#include "streams.h"
#endif
