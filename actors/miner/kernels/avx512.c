/* AVX-512: 16 lanes, with rotations and three-way logic in one instruction each. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernel.h"

#define SWEEP sweep_avx512
#define TARGET __attribute__((target("avx512f")))
#define VEC __m512i
#define LANES 16
#define GROUPS 2

#define XOR 0x96 /* truth tables of vpternlog */
#define IF_THEN_ELSE 0xca
#define TWO_OF_THREE 0xe8
#define ADD _mm512_add_epi32
#define OR _mm512_or_si512
#define BROADCAST(x) _mm512_set1_epi32((int)(x))
#define LOAD(x) _mm512_loadu_si512(x)
#define SHIFT_LEFT(x, bits) _mm512_sll_epi32(x, _mm_cvtsi32_si128(bits))
#define SHIFT_RIGHT(x, bits) _mm512_srl_epi32(x, _mm_cvtsi32_si128(bits))
#define XOR3(x, y, z) _mm512_ternarylogic_epi32(x, y, z, XOR)
#define ROTATE _mm512_ror_epi32
#define BIG0(x) XOR3(ROTATE(x, 2), ROTATE(x, 13), ROTATE(x, 22))
#define BIG1(x) XOR3(ROTATE(x, 6), ROTATE(x, 11), ROTATE(x, 25))
#define SMALL0(x) XOR3(ROTATE(x, 7), ROTATE(x, 18), _mm512_srli_epi32(x, 3))
#define SMALL1(x) XOR3(ROTATE(x, 17), ROTATE(x, 19), _mm512_srli_epi32(x, 10))
#define CHOOSE(x, y, z) _mm512_ternarylogic_epi32(x, y, z, IF_THEN_ELSE)
#define MAJORITY(x, y, z) _mm512_ternarylogic_epi32(x, y, z, TWO_OF_THREE)
#define HITS(x, mask) _mm512_testn_epi32_mask(x, BROADCAST(mask))

#include "lanes.h"
#endif
