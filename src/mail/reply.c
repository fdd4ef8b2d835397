/* SPDX-License-Identifier: ISC */
/* reply: one line after the other; text beyond the limit is dropped, form is not forgiven. */
#include "mail/reply.h"

#include <string.h>

void
reply_init(struct reply *r)
{
    memset(r, 0, sizeof *r);
    buf_init(&r->text, REPLY_TEXT_MAX);
}

void
reply_clear(struct reply *r)
{
    size_t max = r->text.max; /* a login's challenges are longer */

    buf_clear(&r->text);
    reply_init(r);
    r->text.max = max;
}

/* status-code = class "." subject "." detail, RFC 3463, 2; of the class of the reply */
static size_t
enhanced_length(struct slice s, int code)
{
    size_t i = 1, dots = 0, digits = 0;

    if (s.len < 5 || s.p[0] != (char)('0' + code / 100) || !memchr("245", s.p[0], 3))
        return 0;
    for (; i < s.len && i < 10 && (s.p[i] == '.' || ascii_is_digit(s.p[i])); i++) {
        if (s.p[i] == '.') {
            if (dots == 2 || (dots == 1 && digits == 0))
                return 0;
            dots++;
            digits = 0;
        } else if (dots == 0 || ++digits > 3) {
            return 0;
        }
    }
    return dots == 2 && digits > 0 && (i == s.len || s.p[i] == ' ') ? i : 0;
}

static void
keep_text(struct reply *r, struct slice text)
{
    size_t room = r->text.max - r->text.len;

    if (r->text.len && text.len && room > 3) {
        buf_add_str(&r->text, " / ");
        room -= 3;
    }
    buf_add_slice(&r->text, slice_sub(text, 0, room));
}

enum reply_result
reply_line(struct reply *r, struct slice line, struct slice *rest)
{
    struct slice text = slice_from(line, 4);
    uint64_t code;
    size_t n;

    if (line.len < 3 || !slice_number(slice_sub(line, 0, 3), 599, &code) || code < 200)
        return REPLY_BAD;
    if (line.len > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return REPLY_BAD;
    if (r->lines && (int)code != r->code)
        return REPLY_BAD;
    r->code = (int)code;
    r->lines++;
    n = enhanced_length(text, r->code);
    if (n && n < sizeof r->enhanced) {
        if (!r->enhanced[0]) {
            memcpy(r->enhanced, text.p, n);
            r->enhanced[n] = '\0';
        }
        keep_text(r, slice_trim(slice_from(text, n)));
    } else {
        keep_text(r, slice_trim(text));
    }
    if (rest)
        *rest = text;
    return line.len > 3 && line.p[3] == '-' ? REPLY_MORE : REPLY_DONE;
}

void
reply_format(const struct reply *r, struct buf *out)
{
    buf_add_format(out, "%d", r->code);
    if (r->enhanced[0])
        buf_add_format(out, " %s", r->enhanced);
    if (r->text.len) {
        buf_add_char(out, ' ');
        buf_add_slice(out, buf_slice(&r->text));
    }
}
