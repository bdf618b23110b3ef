/* The kernels of this build, and which of them the processor runs. */
#include "kernel.h"

#include <string.h>

uint32_t sweep_digits[SWEEP_NONCES + MAX_LANES];

void sweep_digits_fill(void)
{
    for (unsigned i = 0; i < SWEEP_NONCES + MAX_LANES; i++) {
        unsigned n = i % SWEEP_NONCES;
        sweep_digits[i] = (uint32_t)('0' + n / 1000) << 24 | (uint32_t)('0' + n / 100 % 10) << 16
            | (uint32_t)('0' + n / 10 % 10) << 8 | (uint32_t)('0' + n % 10);
    }
}

static int always(void)
{
    return 1;
}

#if defined(__x86_64__)
#include <cpuid.h>

static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f"); /* which also asks whether the system saves the registers */
}

static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

static int has_sha_ni(void)
{
#ifdef TROUPE_EMULATED_SHA
    return 1;
#else
    unsigned a, b, c, d;
    return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
#endif
}
#endif

#if defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>

static int has_armv8(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_SHA2) != 0;
}
#elif defined(__APPLE__)
static int has_armv8(void)
{
    return 1; /* all of Apple's 64-bit processors */
}
#else
static int has_armv8(void)
{
    return 0; /* no way to ask that we know */
}
#endif
#endif

const struct kernel KERNELS[] = {
#if defined(__x86_64__)
    {"avx512", sweep_avx512, 32, has_avx512},
    {"sha_ni", sweep_sha_ni, 4, has_sha_ni},
    {"avx2", sweep_avx2, 8, has_avx2},
#endif
#if defined(__aarch64__)
    {"armv8", sweep_armv8, 4, has_armv8},
#endif
    {"portable", sweep_portable, 4, always},
    {NULL, NULL, 0, NULL},
};

const struct kernel *kernel_named(const char *name)
{
    for (const struct kernel *each = KERNELS; each->name != NULL; each++)
        if (strcmp(each->name, name) == 0)
            return each->runs_here() ? each : NULL;
    return NULL;
}
