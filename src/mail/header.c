/* SPDX-License-Identifier: ISC */
/* header: finds where fields begin and end; a state machine over bytes that keeps at most one field name. */
#include "mail/header.h"

#include <string.h>

/* Where the next byte stands. */
enum place {
    PLACE_LINE,        /* at the start of a line, or in a name: what it will be is open */
    PLACE_BEHIND_NAME, /* in the blanks behind a name */
    PLACE_VALUE,       /* in a value */
    PLACE_FOLD,        /* behind the line break of a value: a blank goes on with it */
    PLACE_MBOX,        /* in an mbox line */
};

void
header_init(struct header *h, header_fn *fn, void *ctx)
{
    memset(h, 0, offsetof(struct header, line));
    h->fn = fn;
    h->ctx = ctx;
    h->place = PLACE_LINE;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool
is_name_byte(char c)
{
    return c > 32 && c < 127 && c != ':';
}

static void
emit(struct header *h, enum header_event event, const char *p, size_t len)
{
    h->fn(h->ctx, event, slice_make(p, len));
}

/* ---------------------------------------------------------------- the start of a line */

static void
begin_line(struct header *h)
{
    h->place = PLACE_LINE;
    h->line_len = h->name_len = 0;
}

/* `From alice Mon ...` in front of the first field: what mbox files and forwarding users put there. */
static bool
is_mbox_line(const struct header *h)
{
    struct slice name = slice_make(h->line, h->name_len);

    return h->fields == 0 && h->line[h->name_len] == ' ' &&
           (slice_is(name, "From") || slice_is(name, ">From"));
}

static bool
not_a_field(struct header *h)
{
    h->state = HEADER_NO_FIELD;
    return false;
}

static bool
begin_field(struct header *h)
{
    h->fields++;
    emit(h, HEADER_FIELD, h->line, h->line_len);
    h->place = PLACE_VALUE;
    h->crs = 0;
    return true;
}

/* One byte of a line that may become a field. False, and the byte is not taken, when it cannot. */
static bool
step_line(struct header *h, char c)
{
    bool behind = h->place == PLACE_BEHIND_NAME;

    if (c == ':' && h->name_len > 0)
        return begin_field(h);
    if (behind && !is_blank(c) && is_mbox_line(h)) {
        h->has_mbox_line = true;
        h->place = PLACE_MBOX;
        return true;
    }
    if (h->line_len >= HEADER_NAME_MAX)
        return not_a_field(h);
    if (is_blank(c) && h->name_len > 0)
        h->place = PLACE_BEHIND_NAME;
    else if (is_name_byte(c) && !behind)
        h->name_len++;
    else
        return not_a_field(h);
    h->line[h->line_len++] = c;
    return true;
}

/* At a line start: CR CR LF ends a line as CR LF does, so CRs are kept until it is known what they are. */
static bool
step_line_end(struct header *h, char c)
{
    if (h->line_len > 0 || (c == '\r' && h->crs >= 2))
        return not_a_field(h);
    if (c == '\n') {
        h->state = HEADER_BLANK_LINE;
        return true;
    }
    h->crs++;
    return true;
}

/* CRs at the line start that were no line end: a line that begins so is no field. */
static bool
step_line_any(struct header *h, char c)
{
    if (c == '\r' || c == '\n')
        return step_line_end(h, c);
    return h->crs ? not_a_field(h) : step_line(h, c);
}

/* ---------------------------------------------------------------- values */

static void
emit_blanks(struct header *h)
{
    for (; h->crs > 0; h->crs--)
        emit(h, HEADER_VALUE, " ", 1);
}

/* As many plain bytes of the value as there are in a row. */
static size_t
take_run(struct header *h, struct slice s)
{
    size_t n = 0;

    while (n < s.len && s.p[n] != '\r' && s.p[n] != '\n') {
        if ((unsigned char)s.p[n] >= 0x80 && h->place == PLACE_VALUE)
            h->has_8bit = true;
        n++;
    }
    if (n > 0 && h->place == PLACE_VALUE) {
        emit_blanks(h);
        emit(h, HEADER_VALUE, s.p, n);
    }
    h->crs = 0;
    return n;
}

static size_t
push_value(struct header *h, struct slice s)
{
    if (s.p[0] == '\r') {
        h->crs++;
        return 1;
    }
    if (s.p[0] == '\n') {
        h->crs = 0;
        if (h->place == PLACE_VALUE)
            h->place = PLACE_FOLD;
        else
            begin_line(h);
        return 1;
    }
    return take_run(h, s);
}

static void
end_field(struct header *h)
{
    emit(h, HEADER_FIELD_END, "", 0);
    begin_line(h);
}

/*
 * Behind a line break: nothing is taken, only decided. CRs wait, for CR LF is the blank line and CR alone is a blank, which
 * folds.
 */
static size_t
push_fold(struct header *h, struct slice s)
{
    if (s.p[0] == '\r' && h->crs < 2) {
        h->crs++;
        return 1;
    }
    if (s.p[0] != '\n' && (h->crs > 0 || is_blank(s.p[0]))) {
        emit(h, HEADER_VALUE, "\r\n", 2);
        emit_blanks(h); /* now: a line break with nothing behind it would end the header */
        h->place = PLACE_VALUE;
        return 0;
    }
    end_field(h);
    return 0;
}

/* ---------------------------------------------------------------- all */

static size_t
push_line(struct header *h, char c)
{
    return step_line_any(h, c) ? 1 : 0;
}

size_t
header_push(struct header *h, struct slice s)
{
    size_t done = 0, n;

    while (done < s.len && h->state == HEADER_OPEN) {
        struct slice rest = slice_from(s, done);
        if (h->place == PLACE_LINE || h->place == PLACE_BEHIND_NAME)
            n = push_line(h, rest.p[0]);
        else if (h->place == PLACE_FOLD)
            n = push_fold(h, rest);
        else
            n = push_value(h, rest);
        done += n;
    }
    if (done && memchr(s.p, '\0', done))
        h->has_nul = true;
    return done;
}

void
header_end(struct header *h)
{
    if (h->state != HEADER_OPEN)
        return;
    if (h->place == PLACE_VALUE || h->place == PLACE_FOLD)
        end_field(h);
    else if (h->place == PLACE_MBOX)
        begin_line(h);
    h->state = h->line_len > 0 ? HEADER_NO_FIELD : HEADER_EOF;
}

struct slice
header_rest(const struct header *h)
{
    if (h->state != HEADER_NO_FIELD)
        return slice_make("", 0);
    return h->line_len ? slice_make(h->line, h->line_len) : slice_make("\r\r", h->crs);
}

/* ---------------------------------------------------------------- names */

enum { IS_RESENT = 1, IS_ADDRESSES = 2 };

static const struct {
    const char *name;
    unsigned is;
} fields[HEADER_FIELD_COUNT] = {
    [HEADER_OTHER] = { "", 0 },
    [HEADER_FROM] = { "From", IS_ADDRESSES },
    [HEADER_SENDER] = { "Sender", IS_ADDRESSES },
    [HEADER_REPLY_TO] = { "Reply-To", IS_ADDRESSES },
    [HEADER_TO] = { "To", IS_ADDRESSES },
    [HEADER_CC] = { "Cc", IS_ADDRESSES },
    [HEADER_BCC] = { "Bcc", IS_ADDRESSES },
    [HEADER_DATE] = { "Date", 0 },
    [HEADER_MESSAGE_ID] = { "Message-ID", 0 },
    [HEADER_RESENT_FROM] = { "Resent-From", IS_RESENT | IS_ADDRESSES },
    [HEADER_RESENT_SENDER] = { "Resent-Sender", IS_RESENT | IS_ADDRESSES },
    [HEADER_RESENT_REPLY_TO] = { "Resent-Reply-To", IS_RESENT | IS_ADDRESSES },
    [HEADER_RESENT_TO] = { "Resent-To", IS_RESENT | IS_ADDRESSES },
    [HEADER_RESENT_CC] = { "Resent-Cc", IS_RESENT | IS_ADDRESSES },
    [HEADER_RESENT_BCC] = { "Resent-Bcc", IS_RESENT | IS_ADDRESSES },
    [HEADER_RESENT_DATE] = { "Resent-Date", IS_RESENT },
    [HEADER_RESENT_MESSAGE_ID] = { "Resent-Message-ID", IS_RESENT },
    [HEADER_RESENT_OTHER] = { "", IS_RESENT },
    [HEADER_SUBJECT] = { "Subject", 0 },
    [HEADER_COMMENTS] = { "Comments", 0 },
    [HEADER_KEYWORDS] = { "Keywords", 0 },
    [HEADER_IN_REPLY_TO] = { "In-Reply-To", 0 },
    [HEADER_REFERENCES] = { "References", 0 },
    [HEADER_RECEIVED] = { "Received", 0 },
    [HEADER_RETURN_PATH] = { "Return-Path", 0 },
    [HEADER_DELIVERED_TO] = { "Delivered-To", 0 },
    [HEADER_CONTENT_LENGTH] = { "Content-Length", 0 },
    [HEADER_MIME_VERSION] = { "MIME-Version", 0 },
    [HEADER_CONTENT_TYPE] = { "Content-Type", 0 },
    [HEADER_CONTENT_TRANSFER_ENCODING] = { "Content-Transfer-Encoding", 0 },
    [HEADER_CONTENT_DISPOSITION] = { "Content-Disposition", 0 },
    [HEADER_CONTENT_DESCRIPTION] = { "Content-Description", 0 },
    [HEADER_CONTENT_ID] = { "Content-ID", 0 },
    [HEADER_AUTO_SUBMITTED] = { "Auto-Submitted", 0 },
    [HEADER_PRECEDENCE] = { "Precedence", 0 },
    [HEADER_X_ORIGINAL_FROM] = { "X-Original-From", 0 },
    [HEADER_DKIM_SIGNATURE] = { "DKIM-Signature", 0 },
};

enum header_field
header_identify(struct slice name)
{
    name = slice_trim(name);
    if (name.len == 0)
        return HEADER_OTHER;
    for (int f = 0; f < HEADER_FIELD_COUNT; f++)
        if (slice_is_nocase(name, fields[f].name))
            return (enum header_field)f;
    return slice_starts_nocase(name, "Resent-") ? HEADER_RESENT_OTHER : HEADER_OTHER;
}

bool
header_is_resent(enum header_field field)
{
    return fields[field].is & IS_RESENT;
}

bool
header_has_addresses(enum header_field field)
{
    return fields[field].is & IS_ADDRESSES;
}

bool
header_is_removed(enum header_field field)
{
    return field == HEADER_BCC || field == HEADER_RESENT_BCC || field == HEADER_RETURN_PATH ||
           field == HEADER_CONTENT_LENGTH;
}
