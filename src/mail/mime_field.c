/* SPDX-License-Identifier: ISC */
/* mime_field: what the kind of field allows decides how its value is encoded and where its lines may be cut. */
#include "mail/mime_field.h"

#include <string.h>

#include "base/text.h"
#include "mail/mime_param.h"
#include "mail/mime_word.h"

#define BLANKS_MAX 60 /* in a row, in a line that has to be folded anyway */

enum kind { KIND_TEXT, KIND_ADDRESSES, KIND_PARAMS, KIND_STRUCTURED };

static enum kind
kind_of(struct slice name)
{
    static const char *const structured[] = { "ARC-", "List-", "Authentication-Results",
        "DomainKey-Signature", "Autocrypt", "TLS-Report", "Received-SPF" };
    enum header_field f = header_identify(name);

    if (header_has_addresses(f))
        return KIND_ADDRESSES;
    switch (f) {
    case HEADER_CONTENT_TYPE:
    case HEADER_CONTENT_DISPOSITION:
        return KIND_PARAMS;
    case HEADER_DATE:
    case HEADER_MESSAGE_ID:
    case HEADER_RESENT_DATE:
    case HEADER_RESENT_MESSAGE_ID:
    case HEADER_IN_REPLY_TO:
    case HEADER_REFERENCES:
    case HEADER_RECEIVED:
    case HEADER_RETURN_PATH:
    case HEADER_MIME_VERSION:
    case HEADER_CONTENT_TRANSFER_ENCODING:
    case HEADER_CONTENT_ID:
    case HEADER_AUTO_SUBMITTED:
    case HEADER_DKIM_SIGNATURE:
        return KIND_STRUCTURED;
    default:
        break;
    }
    for (size_t i = 0; i < sizeof structured / sizeof structured[0]; i++)
        if (slice_starts_nocase(name, structured[i]))
            return KIND_STRUCTURED;
    return KIND_TEXT;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Has the field, whose first line begins with `used` octets, a line that is too long? */
static bool
has_long_line(struct slice value, size_t used)
{
    while (used + value.len > MIME_LINE_MAX) {
        size_t n = slice_find(value, '\n');
        size_t line = n < value.len && n > 0 ? n - 1 : n;
        if (used + line > MIME_LINE_MAX)
            return true;
        value = slice_from(value, n + 1);
        used = 0;
    }
    return false;
}

static bool
has_foreign(struct slice value, enum mime_keep keep)
{
    return keep != MIME_KEEP_8BIT && !text_is_ascii(value) &&
           !(keep == MIME_KEEP_UTF8 && text_is_utf8(value));
}

bool
mime_field_needs(struct slice name, struct slice value, enum mime_keep keep)
{
    return has_foreign(value, keep) || slice_has(value, '\0') || has_long_line(value, name.len + 1);
}

/* ---------------------------------------------------------------- folding */

struct folder {
    struct slice line;
    size_t pos;   /* where the line that is being made begins */
    size_t blank; /* the last place to cut before a blank; 0 = none */
    size_t comma; /* the last place between tokens without a blank; 0 = none */
    bool padded;  /* a blank was put in front of it */
};

static void
cut(struct folder *f, struct buf *out)
{
    size_t at = f->blank ? f->blank : f->comma;

    buf_add_str(out, f->padded ? " " : "");
    buf_add_slice(out, slice_sub(f->line, f->pos, at - f->pos));
    buf_add_str(out, "\r\n");
    f->padded = !f->blank;
    f->pos = at;
    f->blank = 0;
    if (f->comma <= at)
        f->comma = 0;
}

/*
 * No place to cut up to `i`, where the line is full: cut there all the same, as Postfix does. A blank too much in a word is better
 * than a line that makes the smarthost refuse the message. Not within a character or behind a backslash.
 */
static void
force_place(struct folder *f, size_t i)
{
    size_t at = i;

    if (is_blank(f->line.p[i])) {
        f->blank = i;
        return;
    }
    while (i - at < 4 && ((f->line.p[at] & 0xc0) == 0x80 || f->line.p[at - 1] == '\\'))
        at--;
    f->comma = i - at < 4 ? at : i;
}

/* One line, longer than it may be; `from`: where places to cut begin */
static void
fold_line(struct buf *out, struct slice line, size_t from, bool tokens)
{
    struct folder f = { .line = line };
    bool quoted = false, text = false;

    for (size_t i = 0; i < line.len; i++) {
        char c = line.p[i];
        if (i < from)
            continue;
        if (i - f.pos + f.padded >= MIME_LINE_MAX) {
            if (!f.blank && !f.comma)
                force_place(&f, i);
            cut(&f, out);
        }
        if (c == '"' && line.p[i - 1] != '\\')
            quoted = !quoted;
        if (is_blank(c) && text && i > f.pos)
            f.blank = i;
        else if (tokens && !quoted && (c == ',' || c == ';'))
            f.comma = i + 1;
        else if (tokens && !quoted && c == '<' && line.p[i - 1] == '>')
            f.comma = i;
        text = text || !is_blank(c);
    }
    buf_add_str(out, f.padded ? " " : "");
    buf_add_slice(out, slice_from(line, f.pos));
}

/* Very long runs of blanks, and those at the end, would make lines of blanks */
static struct slice
squeeze(struct buf *tmp, struct slice line)
{
    size_t run = 0;

    buf_reset(tmp);
    while (line.len && is_blank(line.p[line.len - 1]))
        line.len--;
    for (size_t i = 0; i < line.len; i++) {
        run = is_blank(line.p[i]) ? run + 1 : 0;
        if (run <= BLANKS_MAX)
            buf_add_char(tmp, line.p[i]);
    }
    return buf_slice(tmp);
}

static void
fold(struct buf *out, struct slice field, size_t from, bool tokens)
{
    struct buf tmp;

    buf_init(&tmp, field.len + 1);
    while (field.len) {
        size_t n = slice_find(field, '\n');
        size_t end = n < field.len && n > 0 && field.p[n - 1] == '\r' ? n - 1 : n;
        struct slice line = slice_sub(field, 0, end);
        if (line.len <= MIME_LINE_MAX)
            buf_add_slice(out, line);
        else
            fold_line(out, squeeze(&tmp, line), from ? from : 1, tokens);
        buf_add_slice(out, slice_sub(field, end, n + 1 - end));
        field = slice_from(field, n + 1);
        from = 0;
    }
    buf_clear(&tmp);
}

/* ---------------------------------------------------------------- fields */

static void
add_encoded(struct buf *out, enum kind kind, struct slice value, size_t column, bool foreign)
{
    switch (kind) {
    case KIND_TEXT:
        mime_word_text(out, value, column, foreign);
        break;
    case KIND_ADDRESSES:
        mime_word_addresses(out, value, column, foreign);
        break;
    case KIND_PARAMS:
        mime_param_encode(out, value);
        break;
    case KIND_STRUCTURED:
        if (foreign)
            mime_word_text(out, value, column, foreign);
        else
            buf_add_slice(out, value);
        break;
    }
}

/* What is still there stands where nothing can be encoded, in what should be an address and is none */
static void
drop_foreign(struct buf *field, enum mime_keep keep)
{
    struct slice rest = buf_slice(field);
    size_t n;

    for (; rest.len; rest = slice_from(rest, n)) {
        n = 1;
        if ((unsigned char)rest.p[0] < 128)
            continue;
        size_t character = text_utf8_length(rest);
        if (keep == MIME_KEEP_UTF8 && character > 0)
            n = character;
        else
            field->data[(size_t)(rest.p - field->data)] = '?';
    }
}

static void
add_changed(struct buf *out, struct slice name, struct slice value, enum mime_keep keep)
{
    enum kind kind = kind_of(name);
    struct buf plain, field;

    buf_init(&plain, value.len + 1);
    buf_init(&field, out->max);
    for (size_t i = 0; i < value.len; i++)
        buf_add_char(&plain, value.p[i] ? value.p[i] : '?'); /* a NUL is nothing that could be carried */
    value = buf_slice(&plain);
    buf_add_slice(&field, name);
    buf_add_char(&field, ':');
    add_encoded(&field, kind, value, name.len + 1, has_foreign(value, keep));
    if (has_foreign(buf_slice(&field), keep))
        drop_foreign(&field, keep);
    fold(out, buf_slice(&field), name.len + 1, kind != KIND_TEXT);
    out->overflow = out->overflow || field.overflow;
    buf_clear(&plain);
    buf_clear(&field);
}

void
mime_field_add(struct buf *out, struct slice name, struct slice value, enum mime_keep keep)
{
    if (mime_field_needs(name, value, keep)) {
        add_changed(out, name, value, keep);
    } else {
        buf_add_slice(out, name);
        buf_add_char(out, ':');
        buf_add_slice(out, value);
    }
    buf_add_str(out, "\r\n");
}
