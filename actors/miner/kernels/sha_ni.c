/* The SHA extensions of x86: a block of one nonce in 32 instructions, several nonces interleaved since
 * each instruction waits for the one before. */
#if defined(__x86_64__)
#include <string.h>

#include "kernel.h"

#ifdef TROUPE_EMULATED_SHA
#include "sha_emulation.h"
#else
#include <immintrin.h>
#endif

#define TARGET __attribute__((target("sha,sse4.1")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define STREAMS 4

/* The working variables as the instructions want them. */
struct pair {
    __m128i abef, cdgh;
};

INLINE struct pair pair_of(const uint32_t state[STATE_WORDS])
{
    __m128i dcba = _mm_loadu_si128((const __m128i *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(state + 4));
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    return (struct pair){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
}

INLINE void add_pair(struct pair *sum, struct pair other)
{
    sum->abef = _mm_add_epi32(sum->abef, other.abef);
    sum->cdgh = _mm_add_epi32(sum->cdgh, other.cdgh);
}

/* Four rounds, given K + W of each. */
INLINE void four_rounds(struct pair *v, __m128i kw)
{
    v->cdgh = _mm_sha256rnds2_epu32(v->cdgh, v->abef, kw);
    v->abef = _mm_sha256rnds2_epu32(v->abef, v->cdgh, _mm_shuffle_epi32(kw, 0x0e));
}

/* Blocks that vary: schedules and rounds of all streams side by side. */
INLINE void varying_block(struct pair state[STREAMS], __m128i w[STREAMS][4])
{
    struct pair v[STREAMS];
    for (int s = 0; s < STREAMS; s++)
        v[s] = state[s];
    for (int t = 0; t < ROUNDS; t += 16)
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            __m128i k = _mm_loadu_si128((const __m128i *)(SHA256_K + t + 4 * i));
            for (int s = 0; s < STREAMS; s++) {
                if (t > 0) {
                    __m128i ninth = _mm_alignr_epi8(w[s][(i + 3) & 3], w[s][(i + 2) & 3], 4);
                    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[s][i], w[s][(i + 1) & 3]), ninth);
                    w[s][i] = _mm_sha256msg2_epu32(sum, w[s][(i + 3) & 3]);
                }
                four_rounds(&v[s], _mm_add_epi32(w[s][i], k));
            }
        }
    for (int s = 0; s < STREAMS; s++)
        add_pair(&state[s], v[s]);
}

INLINE void varying_blocks(const struct sweep *sweep, unsigned index, struct pair state[STREAMS])
{
    uint32_t words[STREAMS][2][BLOCK_WORDS];
    __m128i w[STREAMS][4];
    for (int s = 0; s < STREAMS; s++) {
        memcpy(words[s], sweep->words, sizeof words[s]);
        put_digits(sweep, index + (unsigned)s, words[s]);
        state[s] = pair_of(sweep->state);
    }
    for (int block = 0; block < sweep->blocks; block++) {
        for (int s = 0; s < STREAMS; s++)
            for (int i = 0; i < 4; i++)
                w[s][i] = _mm_loadu_si128((const __m128i *)(words[s][block] + 4 * i));
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
            __m128i kw_ = _mm_loadu_si128((const __m128i *)kw);
            for (int s = 0; s < STREAMS; s++)
                four_rounds(&v[s], kw_);
        }
        for (int s = 0; s < STREAMS; s++)
            add_pair(&state[s], v[s]);
    }
}

TARGET unsigned sweep_sha_ni(const struct sweep *sweep, unsigned from, unsigned to)
{
    for (unsigned index = from; index < to; index += STREAMS) {
        struct pair state[STREAMS];
        varying_blocks(sweep, index, state);
        constant_blocks(sweep, state);
        for (unsigned s = 0; s < STREAMS && index + s < to; s++)
            if (((uint32_t)_mm_extract_epi32(state[s].abef, 3) & sweep->mask) == 0)
                return index + s;
    }
    return to;
}
#endif
