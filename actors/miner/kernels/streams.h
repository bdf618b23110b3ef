/* SHA-256 of STREAMS nonces by the processor's own instructions for it: the body of the kernels that
 * have them. Each instruction waits for the one before, so several nonces are interleaved.
 *
 * Included by each of them behind its own definitions: QUAD (a register of four words), TARGET, INLINE,
 * STREAMS, LOAD, ADD, `struct pair` (the working variables in two registers, left and right), pair_of,
 * four_rounds, next_words, and FIRST_WORD (of the digest, from a pair).
 */
INLINE void add_pair(struct pair *sum, struct pair other)
{
    sum->left = ADD(sum->left, other.left);
    sum->right = ADD(sum->right, other.right);
}

/* A block that varies: schedules and rounds of all streams side by side. */
INLINE void varying_block(struct pair state[STREAMS], QUAD w[STREAMS][4])
{
    struct pair v[STREAMS];
    for (int s = 0; s < STREAMS; s++)
        v[s] = state[s];
    for (int t = 0; t < ROUNDS; t += BLOCK_WORDS)
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            QUAD k = LOAD(SHA256_K + t + 4 * i);
            for (int s = 0; s < STREAMS; s++) {
                if (t > 0)
                    w[s][i] = next_words(w[s], i);
                four_rounds(&v[s], ADD(w[s][i], k));
            }
        }
    for (int s = 0; s < STREAMS; s++)
        add_pair(&state[s], v[s]);
}

INLINE void varying_blocks(const struct sweep *sweep, unsigned index, struct pair state[STREAMS])
{
    uint32_t words[STREAMS][2][BLOCK_WORDS];
    QUAD w[STREAMS][4];
    for (int s = 0; s < STREAMS; s++) {
        memcpy(words[s], sweep->words, sizeof words[s]);
        put_digits(sweep, index + (unsigned)s, words[s]);
        state[s] = pair_of(sweep->state);
    }
    for (int block = 0; block < sweep->blocks; block++) {
        for (int s = 0; s < STREAMS; s++)
            for (int i = 0; i < 4; i++)
                w[s][i] = LOAD(words[s][block] + 4 * i);
        varying_block(state, w);
    }
}

/* The blocks behind, whose schedules are the same for all streams. */
INLINE void constant_blocks(const struct sweep *sweep, struct pair state[STREAMS])
{
    const uint32_t *kw = sweep->tail, *end = kw + sweep->tail_blocks * ROUNDS;
    while (kw < end) {
        struct pair v[STREAMS];
        for (int s = 0; s < STREAMS; s++)
            v[s] = state[s];
        for (int t = 0; t < ROUNDS; t += 4, kw += 4) {
            QUAD kw_ = LOAD(kw);
            for (int s = 0; s < STREAMS; s++)
                four_rounds(&v[s], kw_);
        }
        for (int s = 0; s < STREAMS; s++)
            add_pair(&state[s], v[s]);
    }
}

TARGET unsigned SWEEP(const struct sweep *sweep, unsigned from, unsigned to)
{
    for (unsigned index = from; index < to; index += STREAMS) {
        struct pair state[STREAMS];
        varying_blocks(sweep, index, state);
        constant_blocks(sweep, state);
        for (unsigned s = 0; s < STREAMS && index + s < to; s++)
            if ((FIRST_WORD(state[s]) & sweep->mask) == 0)
                return index + s;
    }
    return to;
}
