/* SPDX-License-Identifier: ISC */
/*
 * saslprep: RFC 4013 by way of the normalisation algorithm of Unicode (UAX 15); the data is in saslprep_table.h.
 *
 * Bidirectional rules and unassigned code points are not looked at: they only ever forbid.
 */
#include "smtp/saslprep.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "smtp/saslprep_table.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
/* the longest decomposition is 6 (U+33xx); composites nest to 4 */
#define GROWTH 8

/* Hangul syllables are computed (Unicode 3.12) */
#define S_BASE 0xAC00U
#define L_BASE 0x1100U
#define V_BASE 0x1161U
#define T_BASE 0x11A7U
#define L_COUNT 19U
#define V_COUNT 21U
#define T_COUNT 28U
#define S_COUNT (L_COUNT * V_COUNT * T_COUNT)

struct text {
    uint32_t *code;
    size_t n;
    size_t size;
};

/* The row with row[0] <= c <= row[last], in a table sorted by row[0]; NULL when there is none. */
static const uint16_t *
find(const uint16_t (*rows)[3], size_t n, size_t last, uint32_t c)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (c < rows[middle][0])
            high = middle;
        else if (c > rows[middle][last])
            low = middle + 1;
        else
            return rows[middle];
    }
    return NULL;
}

static void
add(struct text *t, uint32_t c)
{
    ensure(t->n < t->size);
    t->code[t->n++] = c;
}

static void
decompose(struct text *t, uint32_t c)
{
    const uint16_t *row;

    if (c - S_BASE < S_COUNT) {
        add(t, L_BASE + (c - S_BASE) / (V_COUNT * T_COUNT));
        add(t, V_BASE + (c - S_BASE) % (V_COUNT * T_COUNT) / T_COUNT);
        if ((c - S_BASE) % T_COUNT != 0)
            add(t, T_BASE + (c - S_BASE) % T_COUNT);
    } else if ((row = find(composites, COUNT(composites), 0, c)) != NULL) {
        decompose(t, row[1]); /* ends: the parts of a composite are simpler than it is */
        decompose(t, row[2]);
    } else if ((row = find(single, COUNT(single), 1, c)) != NULL) {
        add(t, row[2] + (c - row[0]));
    } else if ((row = find(several, COUNT(several), 0, c)) != NULL) {
        for (size_t i = 0; i < row[2]; i++)
            add(t, expansion[row[1] + i]);
    } else {
        add(t, c);
    }
}

static unsigned
class_of(uint32_t c)
{
    const uint16_t *row = find(classes, COUNT(classes), 1, c);

    return row == NULL ? 0 : row[2];
}

/* Marks behind a letter in the order of their classes: stable, and a mark never passes a letter. */
static void
order_marks(struct text *t)
{
    for (size_t i = 1; i < t->n; i++) {
        uint32_t c = t->code[i];
        unsigned class = class_of(c);
        size_t j = i;

        if (class == 0)
            continue;
        for (; j > 0 && class_of(t->code[j - 1]) > class; j--)
            t->code[j] = t->code[j - 1];
        t->code[j] = c;
    }
}

/* The one character for two, or 0. */
static uint32_t
composite(uint32_t a, uint32_t b)
{
    if (a - L_BASE < L_COUNT && b - V_BASE < V_COUNT)
        return S_BASE + ((a - L_BASE) * V_COUNT + (b - V_BASE)) * T_COUNT;
    if (a - S_BASE < S_COUNT && (a - S_BASE) % T_COUNT == 0 && b - T_BASE - 1 < T_COUNT - 1)
        return a + (b - T_BASE);
    for (size_t i = 0; i < COUNT(composites); i++)
        if (composites[i][1] == a && composites[i][2] == b)
            return composites[i][0];
    return 0;
}

static void
compose(struct text *t)
{
    size_t n = 0, starter = 0;
    bool have_starter = false;
    unsigned before = 0; /* class of the last character that stayed behind the starter */

    for (size_t i = 0; i < t->n; i++) {
        uint32_t c = t->code[i], whole;
        unsigned class = class_of(c);
        bool reachable = have_starter && (n == starter + 1 || (before != 0 && before < class));

        if (reachable && (whole = composite(t->code[starter], c)) != 0) {
            t->code[starter] = whole;
            continue;
        }
        if (class == 0) {
            starter = n;
            have_starter = true;
        }
        before = class;
        t->code[n++] = c;
    }
    t->n = n;
}

/* RFC 3454, B.1: commonly mapped to nothing */
static bool
is_invisible(uint32_t c)
{
    return c == 0xAD || c == 0x34F || c == 0x1806 || (c >= 0x180B && c <= 0x180D) || c == 0x200C ||
           c == 0x200D || c == 0x2060 || (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF;
}

/* RFC 3454, C.1.2: non-ASCII space characters */
static bool
is_space(uint32_t c)
{
    return c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200B) || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

static uint32_t
decode(struct slice s, size_t len)
{
    uint32_t c = (unsigned char)s.p[0];

    if (len == 1)
        return c;
    c &= 0xFFU >> (len + 1);
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)s.p[i] & 0x3FU);
    return c;
}

static void
encode(struct buf *out, uint32_t c)
{
    static const unsigned char lead[] = { 0, 0xC0, 0xE0, 0xF0 };
    unsigned more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

    buf_add_char(out, (char)(lead[more] | c >> (6 * more)));
    while (more-- > 0)
        buf_add_char(out, (char)(0x80 | (c >> (6 * more) & 0x3F)));
}

void
saslprep(struct buf *out, struct slice in)
{
    struct text t = { NULL, 0, GROWTH * in.len };
    struct slice rest = in;

    if (text_is_ascii(in) || !text_is_utf8(in) || in.len > SASLPREP_MAX) {
        buf_add_slice(out, in);
        return;
    }
    t.code = mem_array(t.size, sizeof *t.code);
    while (rest.len > 0) {
        size_t len = text_utf8_length(rest);
        uint32_t c = decode(rest, len);

        if (!is_invisible(c))
            decompose(&t, is_space(c) ? ' ' : c);
        rest = slice_from(rest, len);
    }
    order_marks(&t);
    compose(&t);
    for (size_t i = 0; i < t.n; i++)
        encode(out, t.code[i]);
    if (t.n == 0)
        buf_add_slice(out, in);
    mem_wipe(t.code, t.size * sizeof *t.code);
    free(t.code);
}
