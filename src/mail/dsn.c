/* SPDX-License-Identifier: ISC */
/* dsn: the parts and what programs read; the sentences are dsn_text's. */
#include "mail/dsn.h"

#include <string.h>

#include "base/text.h"
#include "mail/body.h"
#include "mail/dsn_text.h"
#include "mail/envelope.h"
#include "mail/header.h"
#include "mail/stamp.h"

enum {
    VALUE_MAX = 1000,     /* of what others said, in a field */
    VALUE_BRIEF = 200,    /* the same where there are many */
    MANY = 100,           /* recipients */
    LINE_WANTED = 76,     /* fields are folded there where they have blanks */
    LINE_MAX = 900,       /* and there where they have none */
    MESSAGE_ID_MAX = 900, /* a longer one is no Message-ID */
    KEPT_MAX = 2000,      /* of a header field that is looked at */
    HEADER_COPY_MAX = 256 << 10,
};

bool
dsn_is_wanted(unsigned notify, enum dsn_action action)
{
    static const unsigned bits[] = {
        [DSN_FAILED] = ENVELOPE_FAILURE, [DSN_DELAYED] = ENVELOPE_DELAY, [DSN_RELAYED] = ENVELOPE_SUCCESS
    };

    if (notify & ENVELOPE_NEVER)
        return false;
    return notify ? (notify & bits[action]) != 0 : action != DSN_RELAYED;
}

/* ---------------------------------------------------------------- fields */

/* A whole field, folded; `value` is ASCII without control characters */
static void
add_field(struct buf *out, const char *name, struct slice value)
{
    size_t column = strlen(name) + 1;

    buf_add_str(out, name);
    buf_add_char(out, ':');
    while (value.len) {
        size_t n = slice_find(value, ' ');
        size_t used = n > LINE_MAX ? LINE_MAX : n;
        if (column > 1 && column + 1 + used > LINE_WANTED && column > strlen(name) + 1) {
            buf_add_str(out, "\r\n");
            column = 0;
        }
        buf_add_char(out, ' ');
        buf_add_slice(out, slice_sub(value, 0, used));
        column += 1 + used;
        value = slice_from(value, used < n ? used : n + 1);
    }
    buf_add_str(out, "\r\n");
}

static void
add_code_point(struct buf *out, struct slice utf8)
{
    const unsigned char *p = (const unsigned char *)utf8.p;
    uint32_t c = p[0] & (0x7fu >> utf8.len);

    for (size_t i = 1; i < utf8.len; i++)
        c = c << 6 | (p[i] & 0x3fu);
    buf_add_format(out, "\\x{%X}", (unsigned)c);
}

/*
 * ASCII without control characters: what is neither, as RFC 6533, 3 writes it (utf-8-addr-unitext), so that this part is the same
 * for every server. Runs of blanks become one: fields are folded there.
 */
static void
add_ascii(struct buf *out, struct slice s, size_t max)
{
    size_t end = out->len + max;
    bool cut = false;

    while (s.len && !cut) {
        size_t n = text_utf8_length(s);
        bool blank = n == 1 && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n');
        if (n > 1)
            add_code_point(out, slice_sub(s, 0, n));
        else if (blank && out->len && out->data[out->len - 1] != ' ')
            buf_add_char(out, ' ');
        else if (!blank)
            buf_add_char(out, n == 1 && !ascii_is_control(s.p[0]) ? s.p[0] : '?');
        s = slice_from(s, n ? n : 1);
        cut = out->len >= end;
    }
    if (cut && s.len)
        buf_add_str(out, "...");
}

/* "TYPE; somebody's words" */
static void
add_typed(struct buf *out, const char *name, const char *type, struct slice words, size_t max)
{
    struct buf b;

    buf_init(&b, 20 * (max + 64));
    buf_add_format(&b, "%s; ", type);
    add_ascii(&b, words, max);
    add_field(out, name, slice_trim(buf_slice(&b)));
    buf_clear(&b);
}

static void
add_plain(struct buf *out, const char *name, struct slice words)
{
    struct buf b;

    buf_init(&b, 8000);
    add_ascii(&b, words, 400);
    add_field(out, name, slice_trim(buf_slice(&b)));
    buf_clear(&b);
}

static void
add_date(struct buf *out, const char *name, int64_t when, int zone)
{
    struct buf b;

    buf_init(&b, 100);
    stamp_date(&b, when, zone);
    add_field(out, name, buf_slice(&b));
    buf_clear(&b);
}

/* ---------------------------------------------------------------- for programs (RFC 3464) */

static bool
is_enhanced(struct slice s, char class)
{
    size_t dots = 0, digits = 0;

    if (s.len < 5 || s.len > 9 || s.p[0] != class || s.p[1] != '.')
        return false;
    for (size_t i = 1; i < s.len; i++) {
        if (s.p[i] == '.' && ++dots && (i == 1 || digits > 0))
            digits = 0;
        else if (!ascii_is_digit(s.p[i]) || ++digits > 3)
            return false;
    }
    return dots == 2 && digits > 0;
}

static void
add_status(struct buf *out, const struct dsn_recipient *r)
{
    static const char class[] = { [DSN_FAILED] = '5', [DSN_DELAYED] = '4', [DSN_RELAYED] = '2' };
    char generic[] = "0.0.0";

    generic[0] = class[r->action];
    if (r->is_expired)
        add_field(out, "Status", slice_of("4.4.7")); /* RFC 3463, 3.5: delivery time expired */
    else
        add_field(out, "Status", is_enhanced(r->enhanced, generic[0]) ? r->enhanced : slice_of(generic));
}

static bool
is_addr_type(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-')
            return false;
    return s.len > 0 && s.len < 30;
}

static void
add_orcpt(struct buf *out, struct slice orcpt)
{
    struct slice type;
    char name[32];

    if (!slice_has(orcpt, ';') || !slice_cut(&orcpt, ';', &type) || !is_addr_type(type))
        return;
    memcpy(name, type.p, type.len);
    name[type.len] = '\0';
    add_typed(out, "Original-Recipient", name, orcpt, VALUE_MAX);
}

static void
add_recipient(struct buf *out, const struct dsn *d, const struct dsn_recipient *r)
{
    static const char *const actions[] = {
        [DSN_FAILED] = "failed", [DSN_DELAYED] = "delayed", [DSN_RELAYED] = "relayed"
    };
    size_t max = d->n > MANY ? VALUE_BRIEF : VALUE_MAX;

    buf_add_str(out, "\r\n");
    add_orcpt(out, r->orcpt);
    add_typed(out, "Final-Recipient", text_is_ascii(r->address) ? "rfc822" : "utf-8", r->address, VALUE_MAX);
    add_field(out, "Action", slice_of(actions[r->action]));
    add_status(out, r);
    if (r->relay.len)
        add_typed(out, "Remote-MTA", "dns", dsn_text_host(r->relay), 255);
    if (r->words.len)
        add_typed(out, "Diagnostic-Code", r->code ? "smtp" : "X-smtprelay", r->words, max);
    if (r->last_try)
        add_date(out, "Last-Attempt-Date", r->last_try, d->zone_minutes);
    if (r->action == DSN_DELAYED && d->retry_until)
        add_date(out, "Will-Retry-Until", d->retry_until, d->zone_minutes);
}

static void
add_delivery_status(struct buf *out, const struct dsn *d)
{
    if (d->envid.len)
        add_plain(out, "Original-Envelope-Id", d->envid);
    add_typed(out, "Reporting-MTA", "dns", d->hostname, 255);
    add_plain(out, "X-Smtprelay-Queue-ID", d->original_id);
    add_typed(out, "X-Smtprelay-Sender", text_is_ascii(d->to) ? "rfc822" : "utf-8", d->to, VALUE_MAX);
    add_date(out, "Arrival-Date", d->arrival, d->zone_minutes);
    for (size_t i = 0; i < d->n; i++)
        add_recipient(out, d, &d->rcpt[i]);
}

/* ---------------------------------------------------------------- what was sent */

/* What is taken from the message's header */
struct look {
    struct buf message_id, subject;
    struct buf *value; /* of the field that goes by, NULL = not looked at */
    bool seen_id, seen_subject;
};

static void
on_header(void *ctx, enum header_event event, struct slice s)
{
    struct look *l = ctx;
    enum header_field f;

    if (event == HEADER_VALUE && l->value) {
        buf_add_slice(l->value, slice_sub(s, 0, KEPT_MAX - l->value->len));
    } else if (event == HEADER_FIELD) {
        f = header_identify(s);
        l->value = f == HEADER_MESSAGE_ID && !l->seen_id     ? &l->message_id
                   : f == HEADER_SUBJECT && !l->seen_subject ? &l->subject
                                                             : NULL;
        l->seen_id = l->seen_id || f == HEADER_MESSAGE_ID;
        l->seen_subject = l->seen_subject || f == HEADER_SUBJECT;
    }
}

/* The header of `content`, as far as it is there */
static struct slice
look_at(struct slice content, struct look *l)
{
    struct header h;
    size_t n, rest;

    memset(l, 0, sizeof *l);
    buf_init(&l->message_id, KEPT_MAX);
    buf_init(&l->subject, KEPT_MAX);
    header_init(&h, on_header, l);
    n = header_push(&h, content);
    header_end(&h);
    rest = h.state == HEADER_NO_FIELD ? header_rest(&h).len : 0;
    return slice_sub(content, 0, n > rest ? n - rest : 0);
}

static void
look_clear(struct look *l)
{
    buf_clear(&l->message_id);
    buf_clear(&l->subject);
}

static bool
is_message_id(struct slice s)
{
    if (s.len < 3 || s.len > MESSAGE_ID_MAX || s.p[0] != '<' || s.p[s.len - 1] != '>')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 127) /* bytes over 127 are negative or above */
            return false;
    return true;
}

/* One that is written in encoded-words is not decoded here, and means nothing to the reader as it is */
static struct slice
readable(struct slice subject)
{
    subject = slice_trim(subject);
    return subject.len && memmem(subject.p, subject.len, "=?", 2) ? slice_sub(subject, 0, 0) : subject;
}

static void
add_piece(void *ctx, struct slice s)
{
    buf_add_slice(ctx, s);
}

/* The message in lines, whatever it is */
static void
add_copy(struct buf *out, struct slice s)
{
    struct body b;

    body_init(&b, 0, add_piece, out);
    body_push(&b, s);
    body_end(&b);
}

/* Whole lines only, without the blank line at the end */
static struct slice
header_copy(struct slice header)
{
    if (header.len > HEADER_COPY_MAX)
        header = slice_sub(header, 0, slice_find_last(slice_sub(header, 0, HEADER_COPY_MAX), '\n'));
    while (header.len >= 4 && memcmp(header.p + header.len - 4, "\r\n\r\n", 4) == 0)
        header.len -= 2;
    return header;
}

/* ---------------------------------------------------------------- the whole */

/* A boundary that stands nowhere in the parts */
static void
choose_boundary(struct buf *boundary, struct slice id, const struct buf *const parts[3])
{
    bool found = true;

    for (unsigned n = 0; found; n++) {
        buf_reset(boundary);
        buf_add_str(boundary, "=_");
        for (size_t i = 0; i < id.len && i < 40; i++)
            if (ascii_is_alpha(id.p[i]) || ascii_is_digit(id.p[i]))
                buf_add_char(boundary, id.p[i]);
        buf_add_format(boundary, "_%u_smtprelay", n);
        found = false;
        for (size_t i = 0; i < 3 && !found; i++)
            found = parts[i]->len && memmem(parts[i]->data, parts[i]->len, boundary->data, boundary->len);
    }
}

static void
add_address(struct buf *out, const char *before, struct slice address)
{
    char harmless[600]; /* more than an address may have */

    (void)text_escape(harmless, sizeof harmless, address);
    buf_add_format(out, "%s%s>\r\n", before, harmless);
}

static void
add_head(struct buf *out, struct slice from, struct slice to, const char *subject)
{
    add_address(out, "From: Mail Delivery System <", from);
    add_address(out, "To: <", to);
    buf_add_format(out, "Subject: %s\r\n", subject);
    /* RFC 3834, 5 */
    buf_add_str(out, "Auto-Submitted: auto-replied\r\n");
}

static void
add_stamps(struct buf *out, struct slice id, struct slice hostname, int64_t now, int zone)
{
    add_date(out, "Date", now, zone);
    buf_add_str(out, "Message-ID: ");
    stamp_message_id(out, slice_sub(id, 0, 64), now, slice_sub(hostname, 0, 255));
    buf_add_str(out, "\r\n");
}

static const char *
subject_of(const struct dsn *d)
{
    return dsn_text_has(d, DSN_FAILED)    ? "Undelivered Mail Returned to Sender"
           : dsn_text_has(d, DSN_DELAYED) ? "Delayed Mail (still being retried)"
                                          : "Mail Was Passed On";
}

static bool
is_8bit(const struct buf *b)
{
    return !text_is_ascii(buf_slice(b));
}

static void
add_part(struct buf *out, const struct buf *boundary, const char *description, const char *type,
    const struct buf *part)
{
    buf_add_format(out, "--%.*s\r\nContent-Description: %s\r\nContent-Type: %s\r\n", (int)boundary->len,
        boundary->data, description, type);
    if (is_8bit(part))
        buf_add_str(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_add_str(out, "\r\n");
    buf_add_slice(out, buf_slice(part));
    buf_add_str(out, "\r\n");
}

static void
add_parts(struct buf *out, const struct dsn *d, const struct buf *text, const struct buf *status,
    const struct buf *copy)
{
    const struct buf *const parts[3] = { text, status, copy };
    struct buf boundary;

    buf_init(&boundary, 200);
    choose_boundary(&boundary, d->id, parts);
    buf_add_format(out,
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n "
        "boundary=\"%s\"\r\n",
        buf_str(&boundary));
    if (is_8bit(text) || is_8bit(copy))
        buf_add_str(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_add_str(out, "\r\nThis is a delivery status notification in MIME format.\r\n\r\n");
    add_part(out, &boundary, "Notification", "text/plain; charset=utf-8", text);
    add_part(out, &boundary, "Delivery report", "message/delivery-status", status);
    if (d->full)
        add_part(out, &boundary, "Message", "message/rfc822", copy);
    else
        add_part(out, &boundary, "Header of the message", "text/rfc822-headers", copy);
    buf_add_format(out, "--%s--\r\n", buf_str(&boundary));
    buf_clear(&boundary);
}

void
dsn_write(const struct dsn *d, struct buf *out)
{
    struct buf text, status, copy;
    struct look look;
    struct slice header = look_at(d->content, &look), id;

    buf_init(&text, out->max);
    buf_init(&status, out->max);
    buf_init(&copy, out->max);
    dsn_text_write(d, readable(buf_slice(&look.subject)), &text);
    add_delivery_status(&status, d);
    add_copy(&copy, d->full ? d->content : header_copy(header));
    id = slice_trim(buf_slice(&look.message_id));
    if (!is_message_id(id))
        id = d->original_message_id;
    add_head(out, d->from, d->to, subject_of(d));
    add_stamps(out, d->id, d->hostname, d->now, d->zone_minutes);
    if (is_message_id(id))
        add_field(out, "References", id);
    add_parts(out, d, &text, &status, &copy);
    out->overflow = out->overflow || text.overflow || status.overflow || copy.overflow;
    buf_clear(&text);
    buf_clear(&status);
    buf_clear(&copy);
    look_clear(&look);
}

void
dsn_write_summary(const struct dsn_summary *s, struct buf *out)
{
    struct buf text;

    buf_init(&text, out->max);
    dsn_text_write_summary(s, &text);
    add_head(out, s->from, s->to, "Undelivered Mail (summary)");
    add_stamps(out, s->id, s->hostname, s->now, s->zone_minutes);
    buf_add_str(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n");
    if (is_8bit(&text))
        buf_add_str(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_add_str(out, "\r\n");
    buf_add_slice(out, buf_slice(&text));
    out->overflow = out->overflow || text.overflow;
    buf_clear(&text);
}
