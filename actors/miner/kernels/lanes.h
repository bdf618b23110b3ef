/* SHA-256 of LANES nonces side by side: the body of the kernels that know wide registers.
 *
 * Included by each of them behind its own definitions: VEC, LANES, GROUPS, TARGET, ADD, BROADCAST, LOAD,
 * OR, SHIFT_LEFT, SHIFT_RIGHT, BIG0, BIG1, SMALL0, SMALL1, CHOOSE, MAJORITY, and HITS, which gives a bit
 * for each lane whose word has no bit of a mask.
 *
 * A block that varies goes through one group of lanes after the other, for its schedule needs the
 * registers. A block that is constant goes through all groups round by round: one group waits on its
 * own results, several fill each other's gaps.
 */
#define INLINE static inline __attribute__((always_inline)) TARGET

#define ROUND(a, b, c, d, e, f, g, h, kw) \
    do { \
        const VEC t1_ = ADD(ADD(ADD(h, kw), CHOOSE(e, f, g)), BIG1(e)); \
        d = ADD(d, t1_); \
        h = ADD(t1_, ADD(BIG0(a), MAJORITY(a, b, c))); \
    } while (0)

/* Round t with the working variables in v[0] to v[7]: none moves, their parts do. */
#define ROUND_AT(v, t, kw) \
    ROUND(v[(64 - (t)) & 7], v[(65 - (t)) & 7], v[(66 - (t)) & 7], v[(67 - (t)) & 7], \
          v[(68 - (t)) & 7], v[(69 - (t)) & 7], v[(70 - (t)) & 7], v[(71 - (t)) & 7], kw)

#define REPEAT_8(x, t) x(t) x((t) + 1) x((t) + 2) x((t) + 3) x((t) + 4) x((t) + 5) x((t) + 6) x((t) + 7)
#define REPEAT_16(x, t) REPEAT_8(x, t) REPEAT_8(x, (t) + 8)

/* The last 32 rounds of a varying block, whose schedule goes round in w. */
INLINE void late_rounds(VEC v[STATE_WORDS], VEC w[BLOCK_WORDS], int first)
{
    for (int t = first; t < ROUNDS; t += BLOCK_WORDS) {
        const uint32_t *k = SHA256_K + t;
#define STEP(i) \
    w[i] = ADD(ADD(w[i], w[((i) + 9) & 15]), ADD(SMALL0(w[((i) + 1) & 15]), SMALL1(w[((i) + 14) & 15]))); \
    ROUND_AT(v, i, ADD(w[i], BROADCAST(k[i])));
        REPEAT_16(STEP, 0)
#undef STEP
    }
}

/* The first varying block when the digits begin in word `word`, which the compiler knows: what no digit
 * reaches is not computed again. Round `word` itself adds its word to `a` and `e` and does no more with
 * it, so that it too is worked out beforehand, but for the digits. */
INLINE void lean_block(const struct sweep *sweep, const int word, VEC digits, VEC state[STATE_WORDS])
{
    VEC v[STATE_WORDS], w[BLOCK_WORDS];
    uint64_t varies = (uint64_t)3 << word & 0xffff;
    const VEC head = SHIFT_RIGHT(digits, sweep->shift);
    const VEC rest = SHIFT_LEFT(digits, 32 - sweep->shift); /* 0 for 32 bits */
    for (int i = 0; i < STATE_WORDS; i++) {
        VEC early = BROADCAST(sweep->early[i]);
        v[(i + 63 - word) & 7] = i == 0 || i == 4 ? ADD(early, head) : early;
    }
#define STEP(t) \
    w[t] = BROADCAST(sweep->constant[t]); \
    if ((t) == word) \
        w[t] = ADD(w[t], head); \
    if ((t) == word + 1) { \
        w[t] = ADD(w[t], rest); \
        ROUND_AT(v, t, ADD(w[t], BROADCAST(SHA256_K[t]))); \
    } \
    if ((t) > word + 1) \
        ROUND_AT(v, t, BROADCAST(sweep->constant_k[t]));
    REPEAT_16(STEP, 0)
#undef STEP
#define VARIES(t) (varies >> (t) & 1)
#define STEP(t) { \
    VEC w_ = BROADCAST(sweep->constant[t]); \
    if (VARIES((t) - 16)) w_ = ADD(w_, w[(t) & 15]); \
    if (VARIES((t) - 15)) w_ = ADD(w_, SMALL0(w[((t) + 1) & 15])); \
    if (VARIES((t) - 7)) w_ = ADD(w_, w[((t) + 9) & 15]); \
    if (VARIES((t) - 2)) w_ = ADD(w_, SMALL1(w[((t) + 14) & 15])); \
    w[(t) & 15] = w_; \
    if (VARIES((t) - 16) | VARIES((t) - 15) | VARIES((t) - 7) | VARIES((t) - 2)) { \
        varies |= (uint64_t)1 << (t); \
        ROUND_AT(v, t, ADD(w_, BROADCAST(SHA256_K[t]))); \
    } else { \
        ROUND_AT(v, t, BROADCAST(sweep->constant_k[t])); \
    } }
    REPEAT_16(STEP, 16)
#undef STEP
#undef VARIES
    late_rounds(v, w, LEAN_ROUNDS);
    for (int i = 0; i < STATE_WORDS; i++)
        state[i] = ADD(BROADCAST(sweep->state[i]), v[i]);
}

/* A varying block wherever its digits are. */
INLINE void any_block(VEC state[STATE_WORDS], VEC w[BLOCK_WORDS])
{
    VEC v[STATE_WORDS];
    for (int i = 0; i < STATE_WORDS; i++)
        v[i] = state[i];
#define STEP(t) ROUND_AT(v, t, ADD(w[t], BROADCAST(SHA256_K[t])));
    REPEAT_16(STEP, 0)
#undef STEP
    late_rounds(v, w, BLOCK_WORDS);
    for (int i = 0; i < STATE_WORDS; i++)
        state[i] = ADD(state[i], v[i]);
}

static TARGET __attribute__((noinline)) void
any_blocks(const struct sweep *sweep, VEC digits, VEC state[STATE_WORDS])
{
    VEC w[BLOCK_WORDS];
    for (int i = 0; i < STATE_WORDS; i++)
        state[i] = BROADCAST(sweep->state[i]);
    for (int block = 0, word = sweep->word; block < sweep->blocks; block++, word -= BLOCK_WORDS) {
        for (int i = 0; i < BLOCK_WORDS; i++)
            w[i] = BROADCAST(sweep->words[block][i]);
        if (word >= 0)
            w[word] = OR(w[word], SHIFT_RIGHT(digits, sweep->shift));
        if (word + 1 >= 0 && word + 1 < BLOCK_WORDS)
            w[word + 1] = OR(w[word + 1], SHIFT_LEFT(digits, 32 - sweep->shift));
        any_block(state, w);
    }
}

#define LEAN(word) \
    static TARGET __attribute__((noinline)) void \
    lean_block_##word(const struct sweep *sweep, VEC digits, VEC state[STATE_WORDS]) \
    { \
        lean_block(sweep, word, digits, state); \
    }
LEAN(0) LEAN(1) LEAN(2) LEAN(3) LEAN(4)
#undef LEAN

/* The blocks that vary, for one group of lanes. The common case is a number and a nonce at the beginning
 * of a block's text: up to ten digits each put the last four into these places. */
INLINE void varying_blocks(const struct sweep *sweep, VEC digits, VEC state[STATE_WORDS])
{
    switch (sweep->blocks == 1 ? sweep->word : -1) {
    case 0: lean_block_0(sweep, digits, state); break;
    case 1: lean_block_1(sweep, digits, state); break;
    case 2: lean_block_2(sweep, digits, state); break;
    case 3: lean_block_3(sweep, digits, state); break;
    case 4: lean_block_4(sweep, digits, state); break;
    default: any_blocks(sweep, digits, state);
    }
}

/* The blocks behind, which are the same for all lanes of all groups. */
INLINE void constant_blocks(const struct sweep *sweep, VEC state[GROUPS][STATE_WORDS])
{
    const uint32_t *kw = sweep->tail, *end = kw + sweep->tail_blocks * ROUNDS;
    while (kw < end) {
        VEC v[GROUPS][STATE_WORDS];
        for (int group = 0; group < GROUPS; group++)
            for (int i = 0; i < STATE_WORDS; i++)
                v[group][i] = state[group][i];
        for (int t = 0; t < ROUNDS; t += BLOCK_WORDS, kw += BLOCK_WORDS) {
#define STEP(i) { \
    VEC kw_ = BROADCAST(kw[i]); \
    for (int group = 0; group < GROUPS; group++) \
        ROUND_AT(v[group], i, kw_); }
            REPEAT_16(STEP, 0)
#undef STEP
        }
        for (int group = 0; group < GROUPS; group++)
            for (int i = 0; i < STATE_WORDS; i++)
                state[group][i] = ADD(state[group][i], v[group][i]);
    }
}

TARGET unsigned SWEEP(const struct sweep *sweep, unsigned from, unsigned to)
{
    for (unsigned index = from; index < to; index += GROUPS * LANES) {
        VEC state[GROUPS][STATE_WORDS];
        for (int group = 0; group < GROUPS; group++)
            varying_blocks(sweep, LOAD(sweep_digits + index + group * LANES), state[group]);
        constant_blocks(sweep, state);
        uint64_t found = 0;
        for (int group = 0; group < GROUPS; group++)
            found |= (uint64_t)HITS(state[group][0], sweep->mask) << group * LANES;
        if (found) {
            unsigned hit = index + (unsigned)__builtin_ctzll(found);
            return hit < to ? hit : to; /* beyond `to` are lanes without a nonce of ours */
        }
    }
    return to;
}
