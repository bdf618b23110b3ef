/* What is the same for many nonces is worked out here, once; the kernels do the rest.
 *
 * The text of a nonce is   prefix | high digits | low digits | suffix | padding.   A sweep is the ten
 * thousand nonces that share their high digits. Worked out once a template: the state after the
 * prefix's whole blocks. Once a length of the nonce: the schedules of the blocks behind the digits.
 * Once a sweep: the blocks up to the low digits, and what of their own block no digit reaches.
 */
#include "scan.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DIGITS 20 /* of 2^64 - 1 */
#define FIRST_SWEPT 1000 /* nonces below it have fewer digits than vary in a sweep */
#define BYTES_PER_CHECK (256 * 1024) /* hashed between two looks at the cancel flag: 2 ms in plain C */
#define NO_TAIL SIZE_MAX

/* A text to be hashed; its last `open` digits are left out, as zero bytes. */
struct text {
    const struct template *template;
    char digits[MAX_DIGITS];
    size_t digit_count;
    size_t open;
};

struct scanner {
    struct text text; /* of the sweep */
    uint32_t prefix_state[STATE_WORDS]; /* after the prefix's whole blocks */
    size_t prefix_blocks;
    size_t tail_digits; /* digits in the nonce that the tail was made for */
    uint32_t *tail;
    struct sweep sweep;
};

/* -- the text ------------------------------------------------------------------------------------ */

static void write_digits(struct text *text, uint64_t number)
{
    char digits[MAX_DIGITS], *digit = digits + MAX_DIGITS;
    for (; number > 0; number /= 10)
        *--digit = (char)('0' + number % 10);
    text->digit_count = (size_t)(digits + MAX_DIGITS - digit);
    memcpy(text->digits, digit, text->digit_count);
}

static size_t bytes_of(const struct text *text)
{
    const struct template *template = text->template;
    return template->prefix_bytes + text->digit_count + text->open + template->suffix_bytes;
}

/* Blocks of the text with its padding: a bit, zeros, and the length in 64 bits. */
static size_t blocks_of(const struct text *text)
{
    return (bytes_of(text) + 1 + 8 + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

/* Copy what of a part of the text falls into the block that begins at `start`. */
static void copy_part(uint8_t *block, size_t start, const void *part, size_t at, size_t bytes)
{
    size_t from = at > start ? at : start;
    size_t end = at + bytes < start + BLOCK_BYTES ? at + bytes : start + BLOCK_BYTES;
    if (from < end)
        memcpy(block + (from - start), (const uint8_t *)part + (from - at), end - from);
}

/* The words of one block of the padded text. */
static void words_of(const struct text *text, size_t index, uint32_t words[BLOCK_WORDS])
{
    const struct template *template = text->template;
    size_t start = index * BLOCK_BYTES, bytes = bytes_of(text);
    uint8_t block[BLOCK_BYTES] = {0};
    copy_part(block, start, template->prefix, 0, template->prefix_bytes);
    copy_part(block, start, text->digits, template->prefix_bytes, text->digit_count);
    copy_part(block, start, template->suffix, bytes - template->suffix_bytes, template->suffix_bytes);
    copy_part(block, start, "\x80", bytes, 1);
    sha256_words(block, words);
    if (index == blocks_of(text) - 1) {
        words[14] = (uint32_t)((uint64_t)bytes >> 29);
        words[15] = (uint32_t)((uint64_t)bytes << 3);
    }
}

/* Take the blocks from `first` up to `end` into the state. */
static void compress_text(uint32_t state[STATE_WORDS], const struct text *text, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        uint32_t words[BLOCK_WORDS], schedule[ROUNDS];
        words_of(text, i, words);
        sha256_schedule(words, schedule);
        sha256_compress(state, schedule);
    }
}

/* -- what is worked out once --------------------------------------------------------------------- */

static void begin_template(struct scanner *scanner, const struct template *template)
{
    memset(scanner, 0, sizeof *scanner);
    scanner->text.template = template;
    scanner->tail_digits = NO_TAIL;
    scanner->prefix_blocks = template->prefix_bytes / BLOCK_BYTES;
    memcpy(scanner->prefix_state, SHA256_INITIAL, sizeof scanner->prefix_state);
    compress_text(scanner->prefix_state, &scanner->text, 0, scanner->prefix_blocks);
    int bits = template->difficulty < 8 ? 4 * template->difficulty : 32;
    scanner->sweep.mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
}

/* The schedules of the blocks behind the varying ones. They change with the length of the nonce. */
static int make_tail(struct scanner *scanner, size_t first)
{
    const struct text *text = &scanner->text;
    size_t blocks = blocks_of(text) - first;
    uint32_t words[BLOCK_WORDS];
    uint32_t *tail = realloc(scanner->tail, (blocks + 1) * ROUNDS * sizeof *tail);
    if (tail == NULL)
        return -1;
    for (size_t i = 0; i < blocks; i++) {
        words_of(text, first + i, words);
        sha256_schedule(words, tail + i * ROUNDS);
    }
    scanner->tail = tail;
    scanner->tail_digits = text->digit_count;
    scanner->sweep.tail = tail;
    scanner->sweep.tail_blocks = blocks;
    return 0;
}

/* What of the first varying block no digit reaches: its early rounds, and parts of its schedule. */
static void make_lean(struct sweep *sweep)
{
    uint32_t *constant = sweep->constant;
    uint64_t varies = (uint64_t)3 << sweep->word & 0xffff;
    memcpy(constant, sweep->words[0], sizeof sweep->words[0]);
    for (int t = BLOCK_WORDS; t < LEAN_ROUNDS; t++) {
        uint64_t w2 = varies >> (t - 2) & 1, w7 = varies >> (t - 7) & 1;
        uint64_t w15 = varies >> (t - 15) & 1, w16 = varies >> (t - 16) & 1;
        constant[t] = (w2 ? 0 : small_sigma1(constant[t - 2])) + (w7 ? 0 : constant[t - 7])
            + (w15 ? 0 : small_sigma0(constant[t - 15])) + (w16 ? 0 : constant[t - 16]);
        varies |= (w2 | w7 | w15 | w16) << t;
    }
    for (int t = 0; t < LEAN_ROUNDS; t++)
        sweep->constant_k[t] = constant[t] + SHA256_K[t];
    memcpy(sweep->early, sweep->state, sizeof sweep->early);
    sha256_rounds(sweep->early, sweep->constant_k, sweep->word + 1);
}

/* Everything that the nonces with these high digits share. */
static int begin_sweep(struct scanner *scanner, uint64_t high)
{
    struct text *text = &scanner->text;
    struct sweep *sweep = &scanner->sweep;
    write_digits(text, high);
    text->open = SWEEP_DIGITS;
    size_t low_at = text->template->prefix_bytes + text->digit_count;
    size_t first = low_at / BLOCK_BYTES, offset = low_at % BLOCK_BYTES;
    memcpy(sweep->state, scanner->prefix_state, sizeof sweep->state);
    compress_text(sweep->state, text, scanner->prefix_blocks, first);
    sweep->word = (int)(offset / 4);
    sweep->shift = (int)(offset % 4) * 8;
    sweep->blocks = offset + SWEEP_DIGITS > BLOCK_BYTES ? 2 : 1;
    for (int i = 0; i < sweep->blocks; i++)
        words_of(text, first + (size_t)i, sweep->words[i]);
    make_lean(sweep);
    if (scanner->tail_digits == text->digit_count)
        return 0;
    return make_tail(scanner, first + (size_t)sweep->blocks);
}

/* -- the scan ------------------------------------------------------------------------------------ */

/* Whether a nonce solves the template: hashed as any text, whatever a kernel says. */
static int solves(const struct scanner *scanner, uint64_t nonce)
{
    struct text text = {.template = scanner->text.template};
    uint32_t state[STATE_WORDS];
    write_digits(&text, nonce);
    if (nonce == 0)
        text.digits[text.digit_count++] = '0';
    memcpy(state, scanner->prefix_state, sizeof state);
    compress_text(state, &text, scanner->prefix_blocks, blocks_of(&text));
    for (int digit = 0; digit < text.template->difficulty; digit++)
        if (state[digit / 8] >> (28 - digit % 8 * 4) & 15)
            return 0;
    return 1;
}

/* How many nonces are tried between two looks at the cancel flag. */
static unsigned stride_of(const struct scanner *scanner, const struct kernel *kernel)
{
    size_t groups = BYTES_PER_CHECK / (blocks_of(&scanner->text) * BLOCK_BYTES * kernel->lanes);
    return groups < SWEEP_NONCES / kernel->lanes ? (unsigned)(groups + 1) * kernel->lanes : SWEEP_NONCES;
}

/* Try nonces of one sweep from `nonce` on, `count` at most; how many were tried, the last of which may
 * be the solution. */
static unsigned try_some(const struct scanner *scanner, const struct kernel *kernel, uint64_t nonce,
                         uint64_t count, int *solved)
{
    unsigned from = (unsigned)(nonce % SWEEP_NONCES), to = SWEEP_NONCES, at = from;
    if (nonce >= FIRST_SWEPT) {
        unsigned stride = stride_of(scanner, kernel);
        if (to - from > stride)
            to = from + stride;
        if (to - from > count)
            to = from + (unsigned)count;
        at = kernel->sweep(&scanner->sweep, from, to);
        if (at == to)
            return to - from;
    }
    *solved = solves(scanner, nonce + (at - from));
    return at - from + 1;
}

int scan(const struct kernel *kernel, const struct template *template, uint64_t first, uint64_t count,
         const volatile unsigned char *cancel, struct result *result)
{
    struct scanner scanner;
    uint64_t swept = UINT64_MAX; /* high digits that the sweep was made for; no nonce has so many */
    int failed = 0;
    begin_template(&scanner, template);
    *result = (struct result){0};
    while (result->tried < count && !result->solved && !*cancel) {
        uint64_t nonce = first + result->tried, high = nonce / SWEEP_NONCES;
        if (nonce >= FIRST_SWEPT && high != swept) {
            failed = begin_sweep(&scanner, high);
            if (failed)
                break;
            swept = high;
        }
        result->tried += try_some(&scanner, kernel, nonce, count - result->tried, &result->solved);
    }
    result->nonce = first + result->tried - 1;
    free(scanner.tail);
    return failed;
}
