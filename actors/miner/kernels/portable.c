/* The kernel for any processor: 4 lanes in the compiler's own vectors, which become whatever registers
 * the processor is sure to have (SSE2, NEON), or plain words. */
#include "kernel.h"

#define SWEEP sweep_portable
#define TARGET
#define VEC vector
#define LANES 4
#define GROUPS 1

typedef uint32_t vector __attribute__((vector_size(4 * LANES)));

static inline vector broadcast(uint32_t word)
{
    return (vector){word, word, word, word};
}

static inline vector load(const uint32_t *words)
{
    return (vector){words[0], words[1], words[2], words[3]};
}

static inline unsigned hits(vector words, uint32_t mask)
{
    unsigned bits = 0;
    for (int i = 0; i < LANES; i++)
        bits |= (unsigned)((words[i] & mask) == 0) << i;
    return bits;
}

#define ADD(x, y) ((x) + (y))
#define OR(x, y) ((x) | (y))
#define BROADCAST broadcast
#define LOAD load
#define SHIFT_LEFT(x, bits) ((bits) < 32 ? (x) << (bits) : broadcast(0))
#define SHIFT_RIGHT(x, bits) ((x) >> (bits))
#define ROTATE(x, bits) ((x) >> (bits) | (x) << (32 - (bits)))
#define BIG0(x) (ROTATE(x, 2) ^ ROTATE(x, 13) ^ ROTATE(x, 22))
#define BIG1(x) (ROTATE(x, 6) ^ ROTATE(x, 11) ^ ROTATE(x, 25))
#define SMALL0(x) (ROTATE(x, 7) ^ ROTATE(x, 18) ^ (x) >> 3)
#define SMALL1(x) (ROTATE(x, 17) ^ ROTATE(x, 19) ^ (x) >> 10)
#define CHOOSE(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MAJORITY(x, y, z) ((y) ^ (((x) ^ (y)) & ((y) ^ (z))))
#define HITS hits

#include "lanes.h"
