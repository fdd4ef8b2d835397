/* head: fields one by one in the order they come; what each kind of field needs is mail/mime_field's. */
#include "worker/head.h"

#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/addrlist.h"
#include "mail/mime_field.h"

#define RECEIVED_MAX 100

/* ---------------------------------------------------------------- addresses */

static bool
is_own(const struct head_settings *s, struct slice domain)
{
    for (size_t i = 0; s->rewrite_domain && i < s->nown; i++)
        if (slice_is_nocase(domain, s->own_names[i]))
            return true;
    return false;
}

/* The domain that goes out: rewritten where it is the machine's own, as A-labels (RFC 5891) */
static bool
add_domain(const struct head_settings *s, const struct address *a, struct buf *out, struct error *err)
{
    struct slice domain = a->domain;
    char *copy, *ascii = NULL;
    int r;

    if (!a->has_domain || is_own(s, domain))
        domain = slice_of(s->rewrite_domain ? s->rewrite_domain : s->hostname);
    if (text_is_ascii(domain)) {
        buf_add_slice(out, domain);
        return true;
    }
    copy = slice_dup(domain);
    r = idn2_to_ascii_8z(copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    free(copy);
    if (r != IDN2_OK)
        return error_set(err, ERROR_DATA, "domain %.*s: %s", SLICE_ARG(domain), idn2_strerror(r));
    buf_add_str(out, ascii);
    idn2_free(ascii);
    return true;
}

static bool
add_address(const struct head_settings *s, const struct address *a, struct buf *out, struct error *err)
{
    buf_add_slice(out, a->local);
    buf_add_char(out, '@');
    return add_domain(s, a, out, err);
}

bool
head_path(const struct head_settings *s, const char *address, struct buf *out, bool *utf8, struct error *err)
{
    struct address a;

    if (!address_parse(slice_of(address), ADDRESS_NULL, &a, err))
        return false;
    if (a.is_null)
        return true;
    if (a.is_utf8_local)
        *utf8 = true;
    return add_address(s, &a, out, err);
}

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
}

static enum mime_keep
keeps(const struct head *h)
{
    return h->utf8 ? MIME_KEEP_UTF8 : MIME_KEEP_NONE;
}

/* Everything up to the addr-spec as it was, then the address as it has to be */
static void
address_found(void *ctx, const struct addrlist_item *item)
{
    struct head *h = ctx;
    const struct head_settings *s = h->settings;
    struct slice value = buf_slice(&h->value);

    if (item->error || item->spec.end <= item->spec.start || h->failed)
        return; /* what is no address stays as it is */
    if (!item->address.has_domain && slice_starts(item->address.local, "=?"))
        return; /* an encoded-word is none */
    h->needs_utf8 = h->needs_utf8 || item->address.is_utf8_local;
    if (item->address.has_domain && text_is_ascii(item->address.domain) && !is_own(s, item->address.domain))
        return;
    buf_add_slice(&h->fresh, slice_sub(value, h->copied, item->spec.start - h->copied));
    if (!add_address(s, &item->address, &h->fresh, &h->err))
        h->failed = true;
    h->copied = item->spec.end;
}

static struct slice
rewrite_addresses(struct head *h)
{
    struct addrlist *list = mem_alloc(sizeof *list);

    buf_reset(&h->fresh);
    h->copied = 0;
    addrlist_init(list, 0, address_found, h);
    addrlist_push(list, buf_slice(&h->value));
    addrlist_end(list);
    free(list);
    buf_add_slice(&h->fresh, slice_from(buf_slice(&h->value), h->copied));
    return buf_slice(&h->fresh);
}

static bool
is_removed(enum header_field f)
{
    return f == HEADER_BCC || f == HEADER_RESENT_BCC || f == HEADER_RETURN_PATH || f == HEADER_CONTENT_LENGTH;
}

/* Without a value it says nothing, and one with a value has to be there */
static bool
is_empty(enum header_field f, struct slice value)
{
    return (f == HEADER_FROM || f == HEADER_DATE || f == HEADER_MESSAGE_ID) && slice_trim(value).len == 0;
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
        if (f != HEADER_RESENT_OTHER && h->seen[f])
            h->block = HEAD_BEHIND_BLOCK;
        if (h->block == HEAD_BEHIND_BLOCK)
            return;
    } else if (h->block == HEAD_IN_BLOCK && (f == HEADER_RECEIVED || f == HEADER_RETURN_PATH)) {
        h->block = HEAD_BEHIND_BLOCK;
    }
    h->seen[f] = true;
}

static bool
is_forced(const struct head *h)
{
    return h->settings->force_from && h->settings->from;
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
field_ended(struct head *h)
{
    struct slice value = buf_slice(&h->value);

    if (is_removed(h->field) || is_empty(h->field, value))
        return;
    mark_seen(h);
    h->has_version = h->seen[HEADER_MIME_VERSION];
    if (h->field == HEADER_RECEIVED && ++h->received > RECEIVED_MAX) {
        h->failed = true;
        error_set(
            &h->err, ERROR_REFUSED, "message: more than %d Received fields: it goes in a loop", RECEIVED_MAX);
    }
    if (h->field == HEADER_FROM && is_forced(h))
        return;
    if (header_has_addresses(h->field))
        value = rewrite_addresses(h);
    keep_field(h, value);
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

bool
head_end(struct head *h, struct error *err)
{
    header_end(&h->header);
    if (!h->failed && (h->kept.overflow || h->value.overflow)) {
        h->failed = true;
        error_set(&h->err, ERROR_REFUSED, "message: its header is larger than %u bytes", HEAD_MAX);
    }
    if (h->failed)
        *err = h->err;
    return !h->failed;
}

/* ---------------------------------------------------------------- what is added */

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

static void
add_from(const struct head *h, struct buf *out, const char *field)
{
    const struct record *r = h->record;
    const struct head_settings *s = h->settings;
    const char *address = r->login_address;
    bool ignored = false;
    struct error err;
    struct buf value;

    if (is_forced(h))
        address = s->from;
    else if (r->envelope.sender && *r->envelope.sender)
        address = r->envelope.sender;
    buf_init(&value, HEAD_MAX);
    buf_add_char(&value, ' ');
    if (r->full_name && *r->full_name) {
        add_name(&value, slice_of(r->full_name));
        buf_add_str(&value, " <");
        (void)head_path(s, address, &value, &ignored, &err); /* the server has checked it */
        buf_add_char(&value, '>');
    } else {
        (void)head_path(s, address, &value, &ignored, &err);
    }
    mime_field_add(out, slice_of(field), buf_slice(&value), keeps(h));
    buf_clear(&value);
}

static void
add_absent_resent(const struct head *h, struct buf *out)
{
    if (!h->seen[HEADER_RESENT_DATE])
        buf_add_format(out, "Resent-Date: %s\r\n", h->record->date);
    if (!h->seen[HEADER_RESENT_FROM])
        add_from(h, out, "Resent-From");
    if (!h->seen[HEADER_RESENT_MESSAGE_ID])
        buf_add_format(out, "Resent-Message-ID: %s\r\n", h->record->message_id);
}

static void
add_absent(const struct head *h, struct buf *out)
{
    if (!h->seen[HEADER_DATE])
        buf_add_format(out, "Date: %s\r\n", h->record->date);
    if (!h->seen[HEADER_FROM] || is_forced(h))
        add_from(h, out, "From");
    if (!h->seen[HEADER_MESSAGE_ID])
        buf_add_format(out, "Message-ID: %s\r\n", h->record->message_id);
    if (!h->seen[HEADER_TO] && !h->seen[HEADER_CC])
        buf_add_str(out, "To: undisclosed-recipients:;\r\n");
}

static void
add_line(const struct head *h, struct buf *out, struct slice line)
{
    size_t colon = slice_find(line, ':');

    mime_field_add(out, slice_sub(line, 0, colon), slice_from(line, colon + 1), keeps(h));
}

/* [from, to) of what was kept, with the encoding that is to be said */
static void
add_kept(const struct head *h, struct buf *out, size_t from, size_t to, const char *encoding)
{
    struct slice kept = buf_slice(&h->kept);
    bool replace = encoding && h->has_encoding && h->encoding_start >= from && h->encoding_start < to;

    if (replace) {
        buf_add_slice(out, slice_sub(kept, from, h->encoding_start - from));
        buf_add_format(out, "Content-Transfer-Encoding: %s\r\n", encoding);
        from = h->encoding_end;
    }
    buf_add_slice(out, slice_sub(kept, from, to - from));
}

void
head_write(const struct head *h, const char *encoding, struct slice mime_fields, struct buf *out)
{
    bool resent = h->block != HEAD_BEFORE_BLOCK;
    size_t at = resent ? h->resent_at : h->kept.len;

    if (h->record->received)
        buf_add_str(out, h->record->received);
    add_kept(h, out, 0, at, encoding);
    if (resent)
        add_absent_resent(h, out);
    else
        add_absent(h, out);
    add_kept(h, out, at, h->kept.len, encoding);
    buf_add_slice(out, mime_fields);
    for (size_t i = 0; i < h->settings->nadd; i++)
        add_line(h, out, slice_of(h->settings->add_header[i]));
    buf_add_str(out, "\r\n");
}
