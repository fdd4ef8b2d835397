/* SPDX-License-Identifier: ISC */
/* content: a state machine over bytes; see the header for why it is strict. */
#include "daemon/content.h"

#include <string.h>

void
content_init(struct content *c, enum content_ending ending, bool dotted)
{
    c->ending = ending;
    c->dotted = dotted;
    c->state = CONTENT_AT_START;
}

bool
content_is_complete(const struct content *c)
{
    return c->state == CONTENT_AT_START;
}

/* The longest run without CR and LF is copied at once. */
static size_t
plain_run(struct slice in)
{
    size_t n = 0;

    while (n < in.len && in.p[n] != '\r' && in.p[n] != '\n')
        n++;
    return n;
}

static enum content_result
end_line(struct content *c, struct buf *out)
{
    bool was_dot = c->state == CONTENT_AFTER_DOT || c->state == CONTENT_AFTER_DOT_CR;

    c->state = CONTENT_AT_START;
    if (was_dot)
        return CONTENT_END;
    buf_add_str(out, "\r\n");
    return CONTENT_MORE;
}

static enum content_result
take_break(struct content *c, char ch, struct buf *out)
{
    bool after_cr = c->state == CONTENT_AFTER_CR || c->state == CONTENT_AFTER_DOT_CR;

    if (c->ending == CONTENT_LF)
        return ch == '\n' ? end_line(c, out) : CONTENT_BAD;
    if (ch == '\n')
        return after_cr ? end_line(c, out) : CONTENT_BAD;
    if (after_cr)
        return CONTENT_BAD;
    c->state = c->state == CONTENT_AFTER_DOT ? CONTENT_AFTER_DOT_CR : CONTENT_AFTER_CR;
    return CONTENT_MORE;
}

enum content_result
content_feed(struct content *c, struct slice in, struct buf *out, size_t *used)
{
    size_t i = 0;

    while (i < in.len) {
        char ch = in.p[i];
        if (ch == '\r' || ch == '\n') {
            enum content_result r = take_break(c, ch, out);
            i++;
            if (r != CONTENT_MORE) {
                *used = i;
                return r;
            }
            continue;
        }
        if (c->state == CONTENT_AFTER_CR || c->state == CONTENT_AFTER_DOT_CR) {
            *used = i;
            return CONTENT_BAD;
        }
        if (c->state == CONTENT_AT_START && c->dotted && ch == '.') {
            c->state = CONTENT_AFTER_DOT; /* the end, or a stuffed dot that goes */
            i++;
            continue;
        }
        size_t n = plain_run(slice_from(in, i));
        buf_add(out, in.p + i, n);
        c->state = CONTENT_IN_LINE;
        i += n;
    }
    *used = i;
    return CONTENT_MORE;
}
