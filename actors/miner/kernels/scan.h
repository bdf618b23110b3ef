/* The scan of a nonce range for one template, by any kernel. */
#ifndef TROUPE_SCAN_H
#define TROUPE_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "kernel.h"

struct template {
    const uint8_t *prefix;
    size_t prefix_bytes;
    const uint8_t *suffix;
    size_t suffix_bytes;
    int difficulty; /* leading zero hex digits, 0 to 64 */
};

struct result {
    int solved;
    uint64_t nonce; /* if solved */
    uint64_t tried;
};

/* Try `count` nonces from `first` on, in order; first + count is at most 2^64. Ends early when *cancel
 * becomes non-zero. Any thread; nothing is shared. Returns 0, or -1 if there is no memory. */
int scan(const struct kernel *kernel, const struct template *template, uint64_t first, uint64_t count,
         const volatile unsigned char *cancel, struct result *result);

#endif
