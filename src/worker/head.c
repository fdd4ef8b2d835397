/* SPDX-License-Identifier: ISC */
/* head: fields one by one in the order they come; what each kind of field needs is mail/mime_field's. */
#include "worker/head.h"

#include <string.h>

#include "mail/mime_field.h"

#define RECEIVED_MAX 100
#define ADDRESS_MAX 2000

/* ---------------------------------------------------------------- one field */

void
head_init(struct head *h, const struct head_settings *settings, const struct record *record, bool utf8)
{
    memset(h, 0, sizeof *h);
    h->settings = settings;
    h->record = record;
    h->utf8 = utf8;
    error_init(&h->err);
    buf_init(&h->kept, HEAD_MAX);
    buf_init(&h->name, HEAD_MAX);
    buf_init(&h->value, HEAD_MAX);
    buf_init(&h->fresh, HEAD_MAX);
    buf_init(&h->type, HEAD_MAX);
    buf_init(&h->encoding, HEAD_MAX);
    buf_init(&h->absent_from, HEAD_MAX);
    buf_init(&h->utf8_address, ADDRESS_MAX);
    for (size_t i = 0; i < HEAD_SENDERS; i++) {
        buf_init(&h->senders[i].raw, HEAD_MAX);
        buf_init(&h->senders[i].text, HEAD_MAX);
    }
    header_init(&h->header, NULL, NULL);
}

void
head_clear(struct head *h)
{
    buf_clear(&h->kept);
    buf_clear(&h->name);
    buf_clear(&h->value);
    buf_clear(&h->fresh);
    buf_clear(&h->type);
    buf_clear(&h->encoding);
    buf_clear(&h->absent_from);
    buf_clear(&h->utf8_address);
    for (size_t i = 0; i < HEAD_SENDERS; i++) {
        buf_clear(&h->senders[i].raw);
        buf_clear(&h->senders[i].text);
    }
}

static enum mime_keep
keeps(const struct head *h)
{
    return h->utf8 ? MIME_KEEP_UTF8 : MIME_KEEP_NONE;
}

/* `value` has an address that needs SMTPUTF8, if `needs` */
static void
note_utf8(struct head *h, bool needs, struct slice value)
{
    if (!needs)
        return;
    h->needs_utf8 = true;
    if (h->utf8_address.len == 0)
        rewrite_find_utf8(value, &h->utf8_address);
}

/* Which of the fields that say who sends; HEAD_SENDERS: none */
static enum head_sender
sender_of(enum header_field f)
{
    static const enum header_field fields[HEAD_SENDERS] = { [HEAD_FROM] = HEADER_FROM,
        [HEAD_SENDER] = HEADER_SENDER,
        [HEAD_RESENT_FROM] = HEADER_RESENT_FROM,
        [HEAD_RESENT_SENDER] = HEADER_RESENT_SENDER };
    enum head_sender i = HEAD_FROM;

    while (i < HEAD_SENDERS && fields[i] != f)
        i++;
    return i;
}

/* The value with its addresses qualified, in h->fresh */
static bool
rewrite_addresses(struct head *h, bool *utf8, struct error *err)
{
    struct rewrite r = h->settings->rewrite;

    if (sender_of(h->field) != HEAD_SENDERS)
        r = rewrite_for_sender(&r);
    buf_reset(&h->fresh);
    return rewrite_list(&r, buf_slice(&h->value), &h->fresh, utf8, err);
}

/* Without a value it says nothing, and one with a value has to be there */
static bool
is_empty(enum header_field f, struct slice value)
{
    return (f == HEADER_FROM || f == HEADER_REPLY_TO || f == HEADER_DATE || f == HEADER_MESSAGE_ID) &&
           slice_trim(value).len == 0;
}

/*
 * Only the topmost block of Resent- fields counts (RFC 5322, 3.6.6): it ends at the next Received field, or where a field of it
 * comes once more.
 */
static void
mark_seen(struct head *h)
{
    enum header_field f = h->field;

    if (header_is_resent(f)) {
        if (h->block == HEAD_BEFORE_BLOCK) {
            h->block = HEAD_IN_BLOCK;
            h->resent_at = h->kept.len;
        }
        if (f != HEADER_RESENT_OTHER && h->seen[f]) {
            h->has_next_block = h->has_next_block || h->block == HEAD_IN_BLOCK;
            h->block = HEAD_BEHIND_BLOCK;
        }
        if (h->block == HEAD_BEHIND_BLOCK)
            return;
    } else if (h->block == HEAD_IN_BLOCK && (f == HEADER_RECEIVED || f == HEADER_RETURN_PATH)) {
        h->block = HEAD_BEHIND_BLOCK;
    }
    h->seen[f] = true;
}

static void
keep_field(struct head *h, struct slice value)
{
    size_t start = h->kept.len;
    struct buf *first = h->field == HEADER_CONTENT_TYPE                ? &h->type
                        : h->field == HEADER_CONTENT_TRANSFER_ENCODING ? &h->encoding
                                                                       : NULL;
    bool *has = h->field == HEADER_CONTENT_TYPE ? &h->has_type : &h->has_encoding;

    if (first == &h->encoding && *has)
        return; /* a second one says nothing */
    mime_field_add(&h->kept, buf_slice(&h->name), value, keeps(h));
    if (!first || *has)
        return;
    *has = true;
    buf_add_slice(first, value);
    if (first == &h->encoding) {
        h->encoding_start = start;
        h->encoding_end = h->kept.len;
    }
}

static void
fail(struct head *h, const struct error *err)
{
    h->failed = true;
    h->err = *err;
}

/*
 * A field that says who sends. Whether the policy is about it is known only when the header is over: the topmost Resent- fields are
 * judged, and the others only without them. So it is kept qualified, and its value as it was.
 */
static void
keep_sender(struct head *h, struct head_edit *e)
{
    bool judged = rewrite_judges(&h->settings->rewrite);
    bool is_resent = header_is_resent(h->field);

    if (judged && e->is_set && !is_resent)
        return; /* a second one would be the first that somebody looks at */
    e->is_good = rewrite_addresses(h, &e->utf8, &e->err);
    if (!judged || (is_resent && h->block != HEAD_IN_BLOCK)) {
        note_utf8(h, e->utf8, buf_slice(&h->value));
        if (!e->is_good)
            fail(h, &e->err);
        keep_field(h, buf_slice(&h->fresh));
        return;
    }
    e->is_set = true;
    buf_add_slice(&e->raw, buf_slice(&h->value));
    e->start = h->kept.len;
    keep_field(h, buf_slice(&h->fresh));
    e->end = h->kept.len;
}

static void
field_ended(struct head *h)
{
    struct slice value = buf_slice(&h->value);
    struct error err;
    enum head_sender sender = sender_of(h->field);

    if (header_is_removed(h->field) || is_empty(h->field, value))
        return;
    mark_seen(h);
    h->has_version = h->seen[HEADER_MIME_VERSION];
    if (h->field == HEADER_RECEIVED && ++h->received > RECEIVED_MAX) {
        error_set(
            &err, ERROR_REFUSED, "message: more than %d Received fields: it goes in a loop", RECEIVED_MAX);
        fail(h, &err);
    }
    if (sender != HEAD_SENDERS) {
        keep_sender(h, &h->senders[sender]);
    } else if (header_has_addresses(h->field)) {
        bool utf8 = false;
        if (!rewrite_addresses(h, &utf8, &err))
            fail(h, &err);
        note_utf8(h, utf8, value);
        keep_field(h, buf_slice(&h->fresh));
    } else {
        keep_field(h, value);
    }
}

static void
on_header(void *ctx, enum header_event event, struct slice s)
{
    struct head *h = ctx;

    if (h->failed)
        return;
    if (event == HEADER_FIELD) {
        buf_reset(&h->name);
        buf_reset(&h->value);
        buf_add_slice(&h->name, s);
        h->field = header_identify(s);
    } else if (event == HEADER_VALUE) {
        buf_add_slice(&h->value, s);
    } else {
        field_ended(h);
    }
}

size_t
head_push(struct head *h, struct slice s)
{
    size_t n;

    h->header.fn = on_header;
    h->header.ctx = h;
    n = header_push(&h->header, s);
    h->failed = h->failed || h->header.has_nul;
    if (h->header.has_nul && h->err.class == ERROR_NONE)
        error_set(&h->err, ERROR_DATA, "message: a NUL in the header");
    return h->failed ? 0 : n;
}

/* ---------------------------------------------------------------- From policy */

static void
add_field(const struct head *h, struct buf *out, const char *name, struct slice value)
{
    mime_field_add(out, slice_of(name), value, keeps(h));
}

/* What was there, where it is nowhere else: for people, not for programs */
static void
add_original(const struct head *h, struct buf *out, const char *name, struct slice value)
{
    if (h->settings->rewrite.policy == REWRITE_AUTO)
        add_field(h, out, name, value);
}

/* `value` gave way: the new field and what keeps the old one */
static void
add_replaced(
    struct head *h, struct buf *out, struct slice value, const struct rewrite_from *f, bool is_resent)
{
    bool answer = !is_resent && !h->seen[HEADER_REPLY_TO] && f->reply_to.len &&
                  h->settings->rewrite.policy == REWRITE_AUTO;

    add_field(h, out, is_resent ? "Resent-From" : "From", buf_slice(&f->value));
    if (answer)
        add_field(h, out, "Reply-To", buf_slice(&f->reply_to));
    if (!answer || !f->all_real)
        add_original(h, out, is_resent ? "X-Original-Resent-From" : "X-Original-From", value);
    note_utf8(h, f->utf8, buf_slice(f->reply_to.len ? &f->reply_to : &f->value));
}

/* The field stays as it was kept */
static void
let_stay(struct head *h, const struct head_edit *e)
{
    if (!e->is_set)
        return;
    note_utf8(h, e->utf8, buf_slice(&e->raw));
    if (!e->is_good && !h->failed)
        fail(h, &e->err);
}

/* From or Resent-From; returns how many mailboxes it has in the end */
static size_t
judge_from(struct head *h, struct head_edit *e, bool is_resent)
{
    struct rewrite_from f;
    size_t n;

    if (!e->is_set)
        return 1; /* the one that is added */
    rewrite_from(&h->settings->rewrite, buf_slice(&e->raw), h->record->login_address, h->utf8, &f);
    n = f.replaced ? 1 : f.mailboxes;
    e->is_replaced = f.replaced;
    if (f.replaced)
        add_replaced(h, &e->text, buf_slice(&e->raw), &f, is_resent);
    else
        let_stay(h, e);
    rewrite_from_clear(&f);
    return n;
}

/*
 * Sender: what sends is the account, which need not be said where From says it, but with several in From (RFC 5322, 3.6.2), or where
 * the next block's, which nobody judges, would be taken for this one's
 */
static void
judge_sender(struct head *h, struct head_edit *e, size_t authors, bool is_resent)
{
    struct rewrite_from f;
    struct rewrite_from nobody;

    if (!e->is_set)
        return;
    bool is_said = authors > 1 || (is_resent && h->has_next_block);
    rewrite_from(&h->settings->rewrite, buf_slice(&e->raw), h->record->login_address, h->utf8, &f);
    e->is_replaced = f.replaced || f.mailboxes > 1;
    if (!e->is_replaced) {
        let_stay(h, e);
    } else {
        rewrite_from(&h->settings->rewrite, slice_of(""), h->record->login_address, h->utf8, &nobody);
        if (is_said)
            add_field(h, &e->text, is_resent ? "Resent-Sender" : "Sender", buf_slice(&nobody.value));
        add_original(
            h, &e->text, is_resent ? "X-Original-Resent-Sender" : "X-Original-Sender", buf_slice(&e->raw));
        note_utf8(h, is_said && nobody.utf8, buf_slice(&nobody.value));
        rewrite_from_clear(&nobody);
    }
    rewrite_from_clear(&f);
}

/* A display name in quotes (RFC 5322, 3.2.4) */
static void
add_name(struct buf *out, struct slice s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, ascii_is_control(s.p[i]) ? ' ' : s.p[i]);
    }
    buf_add_char(out, '"');
}

/* The value of a From field that is absent */
static void
add_author(const struct head *h, struct buf *value)
{
    const struct record *r = h->record;
    struct rewrite rules = rewrite_for_sender(&h->settings->rewrite);
    const char *sender = r->envelope.sender;
    bool ignored = false, named = r->full_name && *r->full_name;
    struct error err;

    buf_add_char(value, ' ');
    if (named) {
        add_name(value, slice_of(r->full_name));
        buf_add_str(value, " <");
    }
    /* the server has checked it */
    (void)rewrite_path(&rules, sender && *sender ? sender : r->login_address, value, &ignored, &err);
    buf_add_str(value, named ? ">" : "");
}

/* Nobody said From: the policy holds for what says it now */
static void
make_absent_from(struct head *h)
{
    bool is_resent = h->block != HEAD_BEFORE_BLOCK;
    struct rewrite_from f;
    struct buf value;

    if (h->seen[is_resent ? HEADER_RESENT_FROM : HEADER_FROM])
        return;
    buf_init(&value, HEAD_MAX);
    add_author(h, &value);
    memset(&f, 0, sizeof f);
    if (rewrite_judges(&h->settings->rewrite))
        rewrite_from(&h->settings->rewrite, buf_slice(&value), h->record->login_address, h->utf8, &f);
    if (f.replaced)
        add_replaced(h, &h->absent_from, buf_slice(&value), &f, is_resent);
    else
        add_field(h, &h->absent_from, is_resent ? "Resent-From" : "From", buf_slice(&value));
    rewrite_from_clear(&f);
    buf_clear(&value);
}

/* In a message that is sent on, its authors stay: who sends it on has to be somebody the account may be */
static void
judge(struct head *h)
{
    bool is_resent = h->block != HEAD_BEFORE_BLOCK;
    struct head_edit *e = h->senders;
    size_t authors;

    if (is_resent) {
        let_stay(h, &e[HEAD_FROM]);
        let_stay(h, &e[HEAD_SENDER]);
        authors = judge_from(h, &e[HEAD_RESENT_FROM], true);
        judge_sender(h, &e[HEAD_RESENT_SENDER], authors, true);
    } else {
        authors = judge_from(h, &e[HEAD_FROM], false);
        judge_sender(h, &e[HEAD_SENDER], authors, false);
    }
}

static void
check_size(struct head *h)
{
    bool over = h->kept.overflow || h->value.overflow || h->absent_from.overflow;

    for (size_t i = 0; i < HEAD_SENDERS; i++)
        over = over || h->senders[i].text.overflow;
    if (!over || h->failed)
        return;
    h->failed = true;
    error_set(&h->err, ERROR_REFUSED, "message: its header is larger than %u bytes", HEAD_MAX);
}

bool
head_end(struct head *h, struct error *err)
{
    header_end(&h->header);
    check_size(h);
    if (!h->failed) {
        judge(h);
        make_absent_from(h);
        check_size(h);
    }
    if (h->failed)
        *err = h->err;
    return !h->failed;
}

/* ---------------------------------------------------------------- what is added */

/* What was stored for it; a record that somebody else has written may lack it */
static void
add_stored(
    const struct head *h, enum header_field field, const char *name, const char *value, struct buf *out)
{
    if (!h->seen[field] && value)
        buf_add_format(out, "%s: %s\r\n", name, value);
}

static void
add_absent_resent(const struct head *h, struct buf *out)
{
    add_stored(h, HEADER_RESENT_DATE, "Resent-Date", h->record->date, out);
    buf_add_slice(out, buf_slice(&h->absent_from));
    add_stored(h, HEADER_RESENT_MESSAGE_ID, "Resent-Message-ID", h->record->message_id, out);
    if (!h->seen[HEADER_RESENT_TO] && !h->seen[HEADER_RESENT_CC])
        buf_add_str(out, "Resent-To: undisclosed-recipients:;\r\n");
}

static void
add_absent(const struct head *h, struct buf *out)
{
    add_stored(h, HEADER_DATE, "Date", h->record->date, out);
    buf_add_slice(out, buf_slice(&h->absent_from));
    add_stored(h, HEADER_MESSAGE_ID, "Message-ID", h->record->message_id, out);
    if (!h->seen[HEADER_TO] && !h->seen[HEADER_CC])
        buf_add_str(out, "To: undisclosed-recipients:;\r\n");
}

static void
add_line(const struct head *h, struct buf *out, struct slice line)
{
    size_t colon = slice_find(line, ':');

    mime_field_add(out, slice_sub(line, 0, colon), slice_from(line, colon + 1), keeps(h));
}

/* A piece of what was kept, and what goes in its place */
struct piece {
    size_t start, end;
    struct slice text;
};

/* In the order of their places */
static size_t
add_piece(struct piece *pieces, size_t n, size_t start, size_t end, struct slice text)
{
    size_t i = n;

    for (; i > 0 && pieces[i - 1].start > start; i--)
        pieces[i] = pieces[i - 1];
    pieces[i] = (struct piece){ start, end, text };
    return n + 1;
}

/* [from, to) of what was kept, with all that is replaced in it; `encoding`: a whole field, or nothing */
static void
add_kept(const struct head *h, struct buf *out, size_t from, size_t to, struct slice encoding)
{
    struct slice kept = buf_slice(&h->kept);
    struct piece pieces[HEAD_SENDERS + 1];
    size_t n = 0;

    if (encoding.len && h->has_encoding)
        n = add_piece(pieces, n, h->encoding_start, h->encoding_end, encoding);
    for (size_t i = 0; i < HEAD_SENDERS; i++)
        if (h->senders[i].is_replaced)
            n = add_piece(pieces, n, h->senders[i].start, h->senders[i].end, buf_slice(&h->senders[i].text));
    for (size_t i = 0; i < n; i++) {
        if (pieces[i].start < from || pieces[i].start >= to)
            continue;
        buf_add_slice(out, slice_sub(kept, from, pieces[i].start - from));
        buf_add_slice(out, pieces[i].text);
        from = pieces[i].end;
    }
    buf_add_slice(out, slice_sub(kept, from, to - from));
}

void
head_write(const struct head *h, const char *encoding, struct slice mime_fields, struct buf *out)
{
    bool resent = h->block != HEAD_BEFORE_BLOCK;
    size_t at = resent ? h->resent_at : h->kept.len;
    struct buf field;

    buf_init(&field, 200);
    if (encoding)
        buf_add_format(&field, "Content-Transfer-Encoding: %s\r\n", encoding);
    if (h->record->received)
        buf_add_str(out, h->record->received);
    add_kept(h, out, 0, at, buf_slice(&field));
    if (resent)
        add_absent_resent(h, out);
    else
        add_absent(h, out);
    add_kept(h, out, at, h->kept.len, buf_slice(&field));
    buf_clear(&field);
    buf_add_slice(out, mime_fields);
    for (size_t i = 0; i < h->settings->nadd; i++)
        add_line(h, out, slice_of(h->settings->add_header[i]));
    buf_add_str(out, "\r\n");
}
