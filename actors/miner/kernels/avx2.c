/* AVX2: 8 lanes; a rotation is two shifts, all joined by exclusive or. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernel.h"

#define SWEEP sweep_avx2
#define TARGET __attribute__((target("avx2")))
#define VEC __m256i
#define LANES 8
#define GROUPS 1 /* 16 registers hold one */

#define ADD _mm256_add_epi32
#define OR _mm256_or_si256
#define XOR _mm256_xor_si256
#define AND _mm256_and_si256
#define BROADCAST(x) _mm256_set1_epi32((int)(x))
#define LOAD(x) _mm256_loadu_si256((const __m256i *)(x))
#define SHIFT_LEFT(x, bits) _mm256_sll_epi32(x, _mm_cvtsi32_si128(bits))
#define SHIFT_RIGHT(x, bits) _mm256_srl_epi32(x, _mm_cvtsi32_si128(bits))
#define R _mm256_srli_epi32
#define L _mm256_slli_epi32
#define ROTATE(x, n) XOR(R(x, n), L(x, 32 - (n)))
#define BIG0(x) XOR(XOR(ROTATE(x, 2), ROTATE(x, 13)), ROTATE(x, 22))
#define BIG1(x) XOR(XOR(ROTATE(x, 6), ROTATE(x, 11)), ROTATE(x, 25))
#define SMALL0(x) XOR(XOR(ROTATE(x, 7), ROTATE(x, 18)), R(x, 3))
#define SMALL1(x) XOR(XOR(ROTATE(x, 17), ROTATE(x, 19)), R(x, 10))
#define CHOOSE(x, y, z) XOR(z, AND(x, XOR(y, z)))
#define MAJORITY(x, y, z) XOR(y, AND(XOR(x, y), XOR(y, z))) /* the last one is known from a round ago */
#define HITS(x, mask) \
    _mm256_movemask_ps(_mm256_castsi256_ps( \
        _mm256_cmpeq_epi32(_mm256_and_si256(x, BROADCAST(mask)), _mm256_setzero_si256())))

#include "lanes.h"
#endif
