/* The SHA extensions of x86: two rounds an instruction. */
#if defined(__x86_64__)
#include <string.h>

#include "kernel.h"

#ifdef TROUPE_EMULATED_SHA
#include "sha_emulation.h"
#else
#include <immintrin.h>
#endif

#define SWEEP sweep_sha_ni
#define TARGET __attribute__((target("sha,sse4.1")))
#define INLINE static inline __attribute__((always_inline)) TARGET
#define QUAD __m128i
#define STREAMS 4
#define LOAD(words) _mm_loadu_si128((const __m128i *)(words))
#define ADD _mm_add_epi32
#define FIRST_WORD(pair) ((uint32_t)_mm_extract_epi32((pair).left, 3))

/* The working variables as the instructions want them: a, b, e and f from the top, and c, d, g and h. */
struct pair {
    __m128i left, right;
};

INLINE struct pair pair_of(const uint32_t state[STATE_WORDS])
{
    __m128i cdab = _mm_shuffle_epi32(LOAD(state), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(LOAD(state + 4), 0x1b);
    return (struct pair){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
}

/* Four rounds, given K + W of each. */
INLINE void four_rounds(struct pair *v, __m128i kw)
{
    v->right = _mm_sha256rnds2_epu32(v->right, v->left, kw);
    v->left = _mm_sha256rnds2_epu32(v->left, v->right, _mm_shuffle_epi32(kw, 0x0e));
}

/* The words 16 rounds behind w[i], which are to take its place. */
INLINE __m128i next_words(const __m128i w[4], int i)
{
    __m128i ninth = _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[i], w[(i + 1) & 3]), ninth);
    return _mm_sha256msg2_epu32(sum, w[(i + 3) & 3]);
}

#include "streams.h"
#endif
