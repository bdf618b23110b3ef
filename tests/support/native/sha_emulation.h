/* The three SHA-256 instructions of x86 in plain C, for tests on processors that lack them.

   Word for word after the operation sections of SHA256RNDS2, SHA256MSG1 and SHA256MSG2 in Intel's
   "64 and IA-32 Architectures Software Developer's Manual", volume 2B. Included in place of the real
   instructions where TROUPE_EMULATED_SHA is defined; slow, and never part of a release build. */

#ifndef TROUPE_SHA_EMULATION_H
#define TROUPE_SHA_EMULATION_H

#include <emmintrin.h>
#include <immintrin.h> /* first, so that its own definitions are read before the names are taken */
#include <stdint.h>

typedef struct {
    uint32_t word[4]; /* word[0] is bits 31:0 of the register, word[3] bits 127:96 */
} emulated_register;

static inline emulated_register emulated_load(__m128i value)
{
    emulated_register loaded;
    _mm_storeu_si128((__m128i *)(void *)loaded.word, value);
    return loaded;
}

static inline __m128i emulated_store(emulated_register value)
{
    return _mm_loadu_si128((const __m128i *)(const void *)value.word);
}

static inline uint32_t emulated_ror(uint32_t value, unsigned places)
{
    return value >> places | value << (32 - places);
}

static inline uint32_t emulated_small_sigma_0(uint32_t w)
{
    return emulated_ror(w, 7) ^ emulated_ror(w, 18) ^ w >> 3;
}

static inline uint32_t emulated_small_sigma_1(uint32_t w)
{
    return emulated_ror(w, 17) ^ emulated_ror(w, 19) ^ w >> 10;
}

/* SHA256RNDS2 source1, source2, <XMM0> */
static inline __m128i emulated_sha256rnds2(__m128i source1, __m128i source2, __m128i xmm0)
{
    const emulated_register s1 = emulated_load(source1), s2 = emulated_load(source2);
    const emulated_register wk = emulated_load(xmm0);
    uint32_t a = s2.word[3], b = s2.word[2], c = s1.word[3], d = s1.word[2];
    uint32_t e = s2.word[1], f = s2.word[0], g = s1.word[1], h = s1.word[0];
    for (int i = 0; i < 2; i++) {
        const uint32_t ch = (e & f) ^ (~e & g);
        const uint32_t big_sigma_1 = emulated_ror(e, 6) ^ emulated_ror(e, 11) ^ emulated_ror(e, 25);
        const uint32_t maj = (a & b) ^ (a & c) ^ (b & c);
        const uint32_t big_sigma_0 = emulated_ror(a, 2) ^ emulated_ror(a, 13) ^ emulated_ror(a, 22);
        const uint32_t next_a = ch + big_sigma_1 + wk.word[i] + h + maj + big_sigma_0;
        const uint32_t next_e = ch + big_sigma_1 + wk.word[i] + h + d;
        d = c, c = b, b = a, a = next_a;
        h = g, g = f, f = e, e = next_e;
    }
    return emulated_store((emulated_register){ { f, e, b, a } });
}

/* SHA256MSG1 source1, source2 */
static inline __m128i emulated_sha256msg1(__m128i source1, __m128i source2)
{
    const emulated_register s1 = emulated_load(source1), s2 = emulated_load(source2);
    const uint32_t w4 = s2.word[0];
    const uint32_t w3 = s1.word[3], w2 = s1.word[2], w1 = s1.word[1], w0 = s1.word[0];
    return emulated_store((emulated_register){ {
        w0 + emulated_small_sigma_0(w1),
        w1 + emulated_small_sigma_0(w2),
        w2 + emulated_small_sigma_0(w3),
        w3 + emulated_small_sigma_0(w4),
    } });
}

/* SHA256MSG2 source1, source2 */
static inline __m128i emulated_sha256msg2(__m128i source1, __m128i source2)
{
    const emulated_register s1 = emulated_load(source1), s2 = emulated_load(source2);
    const uint32_t w14 = s2.word[2], w15 = s2.word[3];
    const uint32_t w16 = s1.word[0] + emulated_small_sigma_1(w14);
    const uint32_t w17 = s1.word[1] + emulated_small_sigma_1(w15);
    const uint32_t w18 = s1.word[2] + emulated_small_sigma_1(w16);
    const uint32_t w19 = s1.word[3] + emulated_small_sigma_1(w17);
    return emulated_store((emulated_register){ { w16, w17, w18, w19 } });
}

#define _mm_sha256rnds2_epu32 emulated_sha256rnds2
#define _mm_sha256msg1_epu32 emulated_sha256msg1
#define _mm_sha256msg2_epu32 emulated_sha256msg2

#endif
