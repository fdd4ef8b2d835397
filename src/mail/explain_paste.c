/* SPDX-License-Identifier: ISC */
/*
 * explain_paste: a bounce says it in a field of its own; in everything else the first line with a reply code counts. What stands around it
 * (the message that came back, other lines of the log) would only lead the search for words astray.
 */
#include "mail/explain_paste.h"

#include "mail/explain_decode.h"
#include "mail/explain_text.h"

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The next line, without its end */
static bool
next_line(struct slice *rest, struct slice *line)
{
    if (!slice_cut(rest, '\n', line))
        return false;
    if (line->len && line->p[line->len - 1] == '\r')
        line->len--;
    return true;
}

static bool
goes_on(struct slice line)
{
    return line.len > 1 && is_blank(line.p[0]) && slice_trim(line).len > 0;
}

/* ---------------------------------------------------------------- delivery status notifications */

/* "smtp; 550 5.1.1 no" -> "550 5.1.1 no", lines that go on with it apart */
static void
add_value(struct buf *out, struct slice value)
{
    size_t type = slice_find(value, ';');

    buf_add_slice(out, slice_trim(type < value.len ? slice_from(value, type + 1) : value));
}

static bool
take_field(struct slice line, const char *name, struct buf *out)
{
    struct slice key = slice_of("");

    if (out->len || !slice_has(line, ':') || !slice_cut(&line, ':', &key) || !slice_is_nocase(key, name))
        return false;
    add_value(out, line);
    return true;
}

/* Remote-MTA may stand before or behind it, in the same group of lines */
static bool
find_diagnostic(struct slice rest, struct buf *host, struct buf *reply)
{
    struct buf *open = NULL; /* what a line may go on with */
    struct slice line;

    while (next_line(&rest, &line)) {
        if (slice_trim(line).len == 0) {
            if (reply->len)
                return true;
            buf_reset(host);
            open = NULL;
        } else if (goes_on(line)) {
            if (open)
                buf_add_char(open, '\n');
            if (open)
                buf_add_slice(open, slice_trim(line));
        } else {
            open = take_field(line, "Diagnostic-Code", reply) ? reply
                   : take_field(line, "Remote-MTA", host)     ? host
                                                              : NULL;
        }
    }
    if (reply->len == 0)
        buf_reset(host);
    return reply->len > 0;
}

/* ---------------------------------------------------------------- anything else */

static bool
has_code(struct slice line, bool enhanced, int *code)
{
    struct explain_text t;
    bool found;

    explain_text_init(&t, line);
    found = t.code || (enhanced && t.enhanced.len);
    *code = t.code;
    explain_text_clear(&t);
    return found;
}

static struct slice
first_word(struct slice line)
{
    size_t end = 0;

    while (end < line.len && !is_blank(line.p[end]))
        end++;
    return slice_sub(line, 0, end);
}

/* Does `line` belong to what `first` began: one more line with that code, or the rest of one that was too long? */
static bool
belongs(struct slice first, int code, struct slice line)
{
    int other = 0;

    if (goes_on(line))
        return true;
    if (slice_trim(line).len == 0)
        return false;
    if (has_code(line, false, &other))
        return other == code;
    return !slice_eq(first_word(first), first_word(line)); /* one more line of a log begins like this one */
}

static bool
find_line(struct slice rest, bool enhanced, struct buf *reply)
{
    struct slice first, line;
    int code = 0;

    do
        if (!next_line(&rest, &first))
            return false;
    while (!has_code(first, enhanced, &code));
    buf_add_slice(reply, slice_trim(first));
    while (next_line(&rest, &line) && belongs(first, code, line)) {
        buf_add_char(reply, '\n');
        buf_add_slice(reply, slice_trim(line));
    }
    return true;
}

static bool
find_reply(struct slice text, struct buf *host, struct buf *reply)
{
    return find_diagnostic(text, host, reply) || find_line(text, false, reply) ||
           find_line(text, true, reply);
}

bool
explain_paste(struct slice given, struct buf *host, struct buf *reply)
{
    struct buf text;
    bool found;

    buf_init(&text, given.len + 2);
    found = find_reply(explain_decode(given, &text) ? buf_slice(&text) : given, host, reply);
    buf_clear(&text);
    return found;
}
