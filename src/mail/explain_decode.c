/* SPDX-License-Identifier: ISC */
/*
 * explain_decode: line by line; a field says how the lines behind the next empty one are encoded, a delimiter ends that. No boundary has to be
 * known, since no line of base64 and, from our own kind of encoder, none of quoted-printable begins like one.
 */
#include "mail/explain_decode.h"

#include <string.h>

#include "mail/base64.h"
#include "mail/qp.h"

struct decoding {
    struct buf *out;
    enum { PLAIN, QP, BASE64 } next, now; /* behind the header under way; here */
    bool is_text;                         /* the part with this header */
    bool has_any;
    union {
        struct qp_decoder qp;
        struct base64_decoder base64;
    } u;
};

/* Without the CR of line ends, which are LF in all the rest, too */
static void
take_decoded(void *ctx, struct slice s)
{
    struct buf *out = ctx;

    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] != '\r')
            buf_add_char(out, s.p[i]);
}

static bool
is_field(struct slice line, const char *name, struct slice *value)
{
    size_t n = strlen(name);

    if (!slice_starts_nocase(line, name) || line.len <= n || line.p[n] != ':')
        return false;
    *value = slice_trim(slice_from(line, n + 1));
    return true;
}

static bool
is_delimiter(struct slice line)
{
    return line.len > 2 && line.p[0] == '-' && line.p[1] == '-' && line.p[2] != ' ';
}

static void
begin(struct decoding *d)
{
    d->now = d->is_text ? d->next : PLAIN;
    d->has_any = d->has_any || d->now != PLAIN;
    if (d->now == QP)
        qp_decoder_init(&d->u.qp, take_decoded, d->out);
    else if (d->now == BASE64)
        base64_decoder_init(&d->u.base64, take_decoded, d->out);
    d->next = PLAIN;
    d->is_text = true;
}

static void
end(struct decoding *d)
{
    if (d->now == QP)
        qp_decoder_end(&d->u.qp);
    if (d->now == BASE64 && d->out->len && d->out->data[d->out->len - 1] != '\n')
        buf_add_char(d->out, '\n');
    d->now = PLAIN;
}

static void
take_plain(struct decoding *d, struct slice line)
{
    struct slice value;

    buf_add_slice(d->out, line);
    buf_add_char(d->out, '\n');
    if (slice_trim(line).len == 0) {
        begin(d);
    } else if (is_delimiter(line)) {
        d->next = PLAIN;
        d->is_text = true;
    } else if (is_field(line, "Content-Type", &value)) {
        d->is_text = slice_starts_nocase(value, "text/") || slice_starts_nocase(value, "message/");
    } else if (is_field(line, "Content-Transfer-Encoding", &value)) {
        d->next = slice_starts_nocase(value, "base64")             ? BASE64
                  : slice_starts_nocase(value, "quoted-printable") ? QP
                                                                   : PLAIN;
    }
}

static bool
is_base64(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (!ascii_is_alpha(line.p[i]) && !ascii_is_digit(line.p[i]) && line.p[i] != '+' &&
            line.p[i] != '/' && line.p[i] != '=')
            return false;
    return true;
}

static void
take_line(struct decoding *d, struct slice line)
{
    if (line.len && line.p[line.len - 1] == '\r')
        line.len--;
    if (d->now != PLAIN && (is_delimiter(line) || (d->now == BASE64 && !is_base64(slice_trim(line)))))
        end(d);
    if (d->now == PLAIN) {
        take_plain(d, line);
    } else if (d->now == BASE64) {
        base64_decoder_push(&d->u.base64, line);
    } else {
        qp_decoder_push(&d->u.qp, line);
        qp_decoder_push(&d->u.qp, slice_of("\r\n"));
    }
}

bool
explain_decode(struct slice given, struct buf *out)
{
    struct decoding d = { .out = out, .is_text = true };
    struct slice line;
    size_t before = out->len;

    while (slice_cut(&given, '\n', &line))
        take_line(&d, line);
    end(&d);
    if (!d.has_any)
        buf_truncate(out, before);
    return d.has_any;
}
