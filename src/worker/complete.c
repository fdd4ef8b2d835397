/* complete: header fields one by one; what MIME parts a body has is not known here. */
#include "worker/complete.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/addrlist.h"
#include "mail/header.h"

#define HEADER_MAX (8u << 20)
#define PIECE 65536
#define RECEIVED_MAX 100
#define LINE_MAX_OCTETS 999   /* 998 and the CR, which the scan counts (RFC 5322, 2.1.1) */
#define ENCODED_WORD_BYTES 45 /* of text in one encoded-word: 60 of base64 (RFC 2047, 2) */

static void add_encoded(struct buf *out, struct slice text);

/* ---------------------------------------------------------------- addresses */

static bool
is_own(const struct complete_settings *s, struct slice domain)
{
    for (size_t i = 0; s->rewrite_domain && i < s->nown; i++)
        if (slice_is_nocase(domain, s->own_names[i]))
            return true;
    return false;
}

/* The domain that goes out: rewritten where it is the machine's own, as A-labels (RFC 5891) */
static bool
add_domain(const struct complete_settings *s, const struct address *a, struct buf *out, struct error *err)
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
add_address(const struct complete_settings *s, const struct address *a, struct buf *out, struct error *err)
{
    buf_add_slice(out, a->local);
    buf_add_char(out, '@');
    return add_domain(s, a, out, err);
}

bool
complete_path(
    const struct complete_settings *s, const char *address, struct buf *out, bool *utf8, struct error *err)
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

struct rewriting {
    struct complete *c;
    struct error *err;
    bool failed;
    struct buf head; /* Resent block's additions and kept fields, in order */
    struct buf name, value;
    enum header_field field;
    bool seen[HEADER_FIELD_COUNT];
    bool resent;
    size_t received;
    /* while an address field is rewritten */
    struct buf fresh;
    size_t copied;
};

/* Everything up to the addr-spec as it was (8-bit words encoded), then the address as it has to be */
static void
address_found(void *ctx, const struct addrlist_item *item)
{
    struct rewriting *w = ctx;
    const struct complete_settings *s = w->c->settings;
    struct slice value = buf_slice(&w->value);

    if (item->error || item->spec.end <= item->spec.start || w->failed)
        return; /* what is no address stays as it is */
    if (item->address.has_domain && text_is_ascii(item->address.domain) && !is_own(s, item->address.domain))
        return;
    buf_add_slice(&w->fresh, slice_sub(value, w->copied, item->spec.start - w->copied));
    if (!add_address(s, &item->address, &w->fresh, w->err))
        w->failed = true;
    w->copied = item->spec.end;
}

static void
rewrite_addresses(struct rewriting *w)
{
    struct addrlist *list = mem_alloc(sizeof *list);

    buf_reset(&w->fresh);
    w->copied = 0;
    addrlist_init(list, 0, address_found, w);
    addrlist_push(list, buf_slice(&w->value));
    addrlist_end(list);
    free(list);
    buf_add_slice(&w->fresh, slice_from(buf_slice(&w->value), w->copied));
}

/* Runs of words with 8-bit bytes become encoded-words; the rest stays (RFC 2047, 5) */
static void
encode_words(const struct slice value, struct buf *out)
{
    size_t i = 0;

    while (i < value.len) {
        size_t start = i, end;
        while (i < value.len && memchr(" \t\r\n", value.p[i], 4))
            i++;
        buf_add_slice(out, slice_sub(value, start, i - start));
        start = end = i;
        /* as far as words have 8-bit bytes, with the blanks between them */
        for (;;) {
            size_t word = i;
            while (i < value.len && !memchr(" \t\r\n", value.p[i], 4))
                i++;
            if (text_is_ascii(slice_sub(value, word, i - word))) {
                if (end == start)
                    end = i;
                break;
            }
            end = i;
            while (i < value.len && (value.p[i] == ' ' || value.p[i] == '\t'))
                i++;
            if (i == value.len)
                break;
        }
        struct slice run = slice_sub(value, start, end - start);
        if (text_is_ascii(run))
            buf_add_slice(out, run);
        else
            add_encoded(out, run);
        i = end;
    }
}

static void
add_base64_word(struct buf *out, struct slice text, const char *charset)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    buf_add_format(out, "=?%s?B?", charset);
    for (size_t i = 0; i < text.len; i += 3) {
        unsigned v = (unsigned)(unsigned char)text.p[i] << 16;
        if (i + 1 < text.len)
            v |= (unsigned)(unsigned char)text.p[i + 1] << 8;
        if (i + 2 < text.len)
            v |= (unsigned char)text.p[i + 2];
        buf_add_char(out, digits[v >> 18]);
        buf_add_char(out, digits[v >> 12 & 63]);
        buf_add_char(out, i + 1 < text.len ? digits[v >> 6 & 63] : '=');
        buf_add_char(out, i + 2 < text.len ? digits[v & 63] : '=');
    }
    buf_add_str(out, "?=");
}

static void
add_encoded(struct buf *out, struct slice text)
{
    bool utf8 = text_is_utf8(text);
    bool first = true;

    while (text.len) {
        size_t n = 0;
        while (n < text.len) {
            size_t step = utf8 ? text_utf8_length(slice_from(text, n)) : 1;
            if (n + step > ENCODED_WORD_BYTES)
                break;
            n += step;
        }
        if (!first)
            buf_add_str(out, "\r\n ");
        first = false;
        add_base64_word(out, slice_sub(text, 0, n), utf8 ? "utf-8" : "unknown-8bit");
        text = slice_from(text, n);
    }
}

/* Display names and comments of an address field: quoted and commented 8-bit becomes encoded-words in their place */
static void
encode_names(struct slice value, struct buf *out)
{
    size_t i = 0;

    while (i < value.len) {
        size_t start = i;
        char c = value.p[i];
        if (c == '"') {
            bool plain = true;
            for (i++; i < value.len && value.p[i] != '"'; i++) {
                plain = plain && (unsigned char)value.p[i] < 128;
                if (value.p[i] == '\\')
                    i++;
            }
            i = i < value.len ? i + 1 : i;
            if (plain)
                buf_add_slice(out, slice_sub(value, start, i - start));
            else
                add_encoded(out, slice_sub(value, start + 1, i - start - 2));
            continue;
        }
        if (memchr(" \t\r\n,;:<>()@", c, 11)) {
            buf_add_char(out, c);
            i++;
            continue;
        }
        while (i < value.len && !memchr(" \t\r\n,;:<>()\"@", value.p[i], 12))
            i++;
        struct slice word = slice_sub(value, start, i - start);
        if (text_is_ascii(word) || (i < value.len && value.p[i] == '@'))
            buf_add_slice(out, word);
        else
            add_encoded(out, word);
    }
}

/* A field line over 998 octets is folded at blanks; what has none is left alone */
static void
fold(struct buf *out, size_t from)
{
    size_t line = from, blank = 0;

    for (size_t i = from; i < out->len; i++) {
        if (out->data[i] == '\n')
            line = i + 1, blank = 0;
        if ((out->data[i] == ' ' || out->data[i] == '\t') && i > line)
            blank = i;
        if (i - line >= 990 && blank) {
            size_t tail = out->len - blank;
            if (!buf_reserve(out, 2))
                return;
            memmove(out->data + blank + 2, out->data + blank, tail);
            memcpy(out->data + blank, "\r\n", 2);
            out->len += 2;
            line = blank + 2;
            blank = 0;
            i += 2;
        }
    }
}

static void
emit(struct rewriting *w, struct slice name, struct slice value)
{
    size_t from = w->head.len;
    bool utf8 = w->c->record->smtputf8 && w->c->header_eight_bit;

    buf_add_slice(&w->head, name);
    buf_add_char(&w->head, ':');
    if (text_is_ascii(value) || utf8)
        buf_add_slice(&w->head, value);
    else if (header_has_addresses(w->field))
        encode_names(value, &w->head);
    else
        encode_words(value, &w->head);
    buf_add_str(&w->head, "\r\n");
    fold(&w->head, from);
}

static bool
is_removed(enum header_field f)
{
    return f == HEADER_BCC || f == HEADER_RESENT_BCC || f == HEADER_RETURN_PATH || f == HEADER_CONTENT_LENGTH;
}

static void
field_ended(struct rewriting *w)
{
    struct slice value = buf_slice(&w->value);

    w->seen[w->field] = true;
    w->resent = w->resent || header_is_resent(w->field);
    if (w->field == HEADER_RECEIVED && ++w->received > RECEIVED_MAX)
        w->failed = true, error_set(w->err, ERROR_REFUSED,
                              "message: more than %d Received fields: it goes in a loop", RECEIVED_MAX);
    if (is_removed(w->field) ||
        (w->field == HEADER_FROM && w->c->settings->force_from && w->c->settings->from))
        return;
    if (header_has_addresses(w->field)) {
        rewrite_addresses(w);
        value = buf_slice(&w->fresh);
    }
    emit(w, buf_slice(&w->name), value);
}

static void
on_header(void *ctx, enum header_event event, struct slice s)
{
    struct rewriting *w = ctx;

    if (w->failed)
        return;
    if (event == HEADER_FIELD) {
        buf_reset(&w->name);
        buf_reset(&w->value);
        buf_add_slice(&w->name, s);
        w->field = header_identify(s);
    } else if (event == HEADER_VALUE) {
        buf_add_slice(&w->value, s);
    } else {
        field_ended(w);
    }
}

/* ---------------------------------------------------------------- what is added */

/* A display name as RFC 5322 wants it: quoted, or encoded where it is not ASCII */
static void
add_name(struct buf *out, const char *name)
{
    struct slice s = slice_of(name);

    if (!text_is_ascii(s)) {
        add_encoded(out, s);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, ascii_is_control(s.p[i]) ? ' ' : s.p[i]);
    }
    buf_add_char(out, '"');
}

static void
add_from(struct rewriting *w, const char *field)
{
    const struct record *r = w->c->record;
    const struct complete_settings *s = w->c->settings;
    const char *address = r->login_address;
    bool ignored = false;

    if (s->force_from && s->from)
        address = s->from;
    else if (r->envelope.sender && *r->envelope.sender)
        address = r->envelope.sender;
    buf_add_format(&w->head, "%s: ", field);
    if (r->full_name && *r->full_name) {
        add_name(&w->head, r->full_name);
        buf_add_str(&w->head, " <");
        (void)complete_path(s, address, &w->head, &ignored, w->err); /* the server has checked it */
        buf_add_str(&w->head, ">\r\n");
    } else {
        (void)complete_path(s, address, &w->head, &ignored, w->err);
        buf_add_str(&w->head, "\r\n");
    }
}

static void
add_absent(struct rewriting *w)
{
    const struct record *r = w->c->record;

    if (w->resent) {
        if (!w->seen[HEADER_RESENT_DATE])
            buf_add_format(&w->head, "Resent-Date: %s\r\n", r->date);
        if (!w->seen[HEADER_RESENT_FROM])
            add_from(w, "Resent-From");
        if (!w->seen[HEADER_RESENT_MESSAGE_ID])
            buf_add_format(&w->head, "Resent-Message-ID: %s\r\n", r->message_id);
        return;
    }
    if (!w->seen[HEADER_DATE])
        buf_add_format(&w->head, "Date: %s\r\n", r->date);
    if (!w->seen[HEADER_FROM] || (w->c->settings->force_from && w->c->settings->from))
        add_from(w, "From");
    if (!w->seen[HEADER_MESSAGE_ID])
        buf_add_format(&w->head, "Message-ID: %s\r\n", r->message_id);
    if (!w->seen[HEADER_TO] && !w->seen[HEADER_CC])
        buf_add_str(&w->head, "To: undisclosed-recipients:;\r\n");
}

/* The header in the order it goes out: Received, what was there, what was absent, AddHeader; Resent- additions go in front */
static void
put_together(struct rewriting *w)
{
    struct complete *c = w->c;
    struct buf kept = w->head;

    buf_init(&w->head, HEADER_MAX);
    if (c->record->received)
        buf_add_str(&w->head, c->record->received);
    if (w->resent)
        add_absent(w);
    buf_add_slice(&w->head, buf_slice(&kept));
    buf_clear(&kept);
    if (!w->resent)
        add_absent(w);
    for (size_t i = 0; i < c->settings->nadd; i++)
        buf_add_format(&w->head, "%s\r\n", c->settings->add_header[i]);
    buf_add_str(&w->head, "\r\n");
    c->header = w->head;
}

/* ---------------------------------------------------------------- the record */

static bool
read_content(
    const struct complete *c, uint64_t offset, char *piece, size_t size, size_t *got, struct error *err)
{
    uint64_t left = c->record->content_size - offset;

    *got = left < size ? (size_t)left : size;
    if (*got && !file_pread(c->fd, piece, *got, (off_t)(c->record->content_offset + offset)))
        return error_sys(err, ERROR_IO, errno, "cannot read the message");
    return true;
}

static bool
read_header(struct complete *c, struct rewriting *w, struct header *h, uint64_t *end, struct error *err)
{
    char piece[16384];
    uint64_t at = 0;
    size_t got;

    while (h->state == HEADER_OPEN) {
        if (!read_content(c, at, piece, sizeof piece, &got, err))
            return false;
        if (got == 0) {
            header_end(h);
            break;
        }
        at += header_push(h, slice_make(piece, got));
        if (w->failed)
            return false;
        if (h->has_nul)
            return error_set(err, ERROR_DATA, "message: a NUL in the header");
    }
    if (h->has_nul)
        return error_set(err, ERROR_DATA, "message: a NUL in the header");
    if (w->failed)
        return false;
    *end = at;
    return true;
}

static bool
scan_body(struct complete *c, struct error *err)
{
    char piece[16384];
    uint64_t line = 0;
    size_t got;

    for (uint64_t at = c->body_offset; at < c->record->content_size; at += got) {
        if (!read_content(c, at, piece, sizeof piece, &got, err))
            return false;
        for (size_t i = 0; i < got; i++) {
            c->eight_bit = c->eight_bit || (unsigned char)piece[i] > 127;
            c->has_nul = c->has_nul || piece[i] == '\0';
            line = piece[i] == '\n' ? 0 : line + 1;
            if (line > c->longest_line)
                c->longest_line = line;
        }
    }
    return true;
}

bool
complete_init(struct complete *c, int fd, const struct record *record,
    const struct complete_settings *settings, struct error *err)
{
    struct rewriting w;
    struct header *h = mem_alloc(sizeof *h);
    uint64_t end = 0;
    bool ok;

    memset(c, 0, sizeof *c);
    memset(&w, 0, sizeof w);
    c->settings = settings;
    c->record = record;
    c->fd = fd;
    c->header_eight_bit = record->smtputf8;
    w.c = c;
    w.err = err;
    buf_init(&w.head, HEADER_MAX);
    buf_init(&w.name, HEADER_MAX);
    buf_init(&w.value, HEADER_MAX);
    buf_init(&w.fresh, HEADER_MAX);
    header_init(h, on_header, &w);
    ok = read_header(c, &w, h, &end, err);
    if (ok) {
        /* a line that is no field begins the body */
        c->body_offset = h->state == HEADER_NO_FIELD ? end - header_rest(h).len : end;
        put_together(&w);
        c->body_size = record->content_size - c->body_offset;
        c->eight_bit = !text_is_ascii(buf_slice(&c->header));
        ok = c->header.overflow
                 ? error_set(err, ERROR_REFUSED, "message: its header is larger than %u bytes", HEADER_MAX)
                 : scan_body(c, err);
    } else {
        buf_clear(&w.head);
    }
    buf_clear(&w.name);
    buf_clear(&w.value);
    buf_clear(&w.fresh);
    free(h);
    return ok;
}

void
complete_clear(struct complete *c)
{
    buf_clear(&c->header);
}

bool
complete_is_binary(const struct complete *c)
{
    return c->has_nul || c->longest_line > LINE_MAX_OCTETS;
}

uint64_t
complete_size(const struct complete *c)
{
    return c->header.len + c->body_size;
}

bool
complete_write(struct complete *c, bool (*sink)(void *ctx, struct slice bytes), void *ctx, struct error *err)
{
    char *piece;
    size_t got;
    bool ok = true;

    if (!sink(ctx, buf_slice(&c->header)))
        return true;
    piece = mem_alloc(PIECE);
    for (uint64_t at = c->body_offset; ok && at < c->record->content_size; at += got) {
        ok = read_content(c, at, piece, PIECE, &got, err);
        if (ok && !sink(ctx, slice_make(piece, got)))
            break;
    }
    free(piece);
    return ok;
}
