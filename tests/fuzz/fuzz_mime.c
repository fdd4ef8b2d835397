/* SPDX-License-Identifier: ISC */
/*
 * The first byte says what the peer takes. Every byte of a message comes out of the scanner in one event, however it is cut. What goes
 * out has CR and LF only together, is as long as announced, holds nothing the peer cannot carry, means in each leaf what came in, and
 * is not changed when it is completed once more.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/body.h"
#include "mail/mime.h"
#include "worker/complete.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take(void *ctx, struct slice s)
{
    buf_add_slice(ctx, s);
}

/* ---------------------------------------------------------------- scanning */

/* A message as the scanner sees it */
struct scan {
    struct buf text;   /* what the events carried */
    struct buf events; /* the same, with a mark where another event begins */
    struct buf leaf;   /* of the leaf being read */
    struct buf leaves; /* what each leaf means, with its length in front */
    enum mime_event last;
    bool raw;     /* a part that is never altered */
    bool plain;   /* headers are ASCII */
    bool foreign; /* a Content-Type that has to be encoded: what its parts are may change */
};

static void
end_leaf(struct scan *s, const struct mime_part *part)
{
    struct buf decoded;
    uint64_t n;

    buf_init(&decoded, s->leaf.len + 100);
    if (part->encoding == MIME_QP) {
        struct qp_decoder d;
        qp_decoder_init(&d, take, &decoded);
        qp_decoder_push(&d, buf_slice(&s->leaf));
        qp_decoder_end(&d);
    } else if (part->encoding == MIME_BASE64) {
        struct base64_decoder d;
        base64_decoder_init(&d, take, &decoded);
        base64_decoder_push(&d, buf_slice(&s->leaf));
    } else {
        buf_add_slice(&decoded, buf_slice(&s->leaf));
    }
    n = decoded.len;
    buf_add(&s->leaves, (const char *)&n, sizeof n);
    buf_add_slice(&s->leaves, buf_slice(&decoded));
    buf_reset(&s->leaf);
    buf_clear(&decoded);
}

static void
on_event(void *ctx, enum mime_event event, const struct mime_part *part, struct slice bytes)
{
    struct scan *s = ctx;

    if (event != s->last || bytes.len == 0)
        buf_add_char(&s->events, (char)('A' + event));
    s->last = event;
    buf_add_slice(&s->events, bytes);
    buf_add_slice(&s->text, bytes);
    if (event == MIME_BODY && part->kind == MIME_LEAF)
        buf_add_slice(&s->leaf, bytes);
    if (event == MIME_END && part->kind == MIME_LEAF)
        end_leaf(s, part);
    s->plain = s->plain && (event != MIME_HEADER || text_is_ascii(bytes));
    s->foreign = s->foreign || (event == MIME_HEADER && slice_has(bytes, '\0')) ||
                 (event == MIME_BODY_BEGIN &&
                     !text_is_ascii(slice_make(part->type.boundary, part->type.boundary_len)));
    s->raw = s->raw || (event == MIME_BODY_BEGIN &&
                           (part->kind == MIME_OPAQUE || part->encoding == MIME_ENCODING_OTHER));
}

static void
scan(struct scan *s, struct slice in, size_t step)
{
    struct mime *m = mem_alloc(sizeof *m);
    struct buf *b[] = { &s->text, &s->events, &s->leaf, &s->leaves };

    s->raw = s->foreign = false;
    s->plain = true;
    s->last = MIME_BEGIN;
    for (size_t i = 0; i < 4; i++)
        buf_init(b[i], 20 * in.len + 100000);
    mime_init(m, on_event, s);
    for (size_t at = 0; at < in.len; at += step)
        mime_push(m, slice_sub(in, at, step));
    mime_end(m);
    free(m);
    ensure(slice_eq(buf_slice(&s->text), in));
}

static void
scan_clear(struct scan *s)
{
    buf_clear(&s->text);
    buf_clear(&s->events);
    buf_clear(&s->leaf);
    buf_clear(&s->leaves);
}

/* ---------------------------------------------------------------- completing */

struct sent {
    struct buf out;
    bool binary, eight_bit, utf8;
};

static bool
sink(void *ctx, struct slice s)
{
    buf_add_slice(ctx, s);
    return true;
}

/* False: the message is refused, which is no fault */
static bool
complete(struct slice in, unsigned peer, struct sent *sent)
{
    static char id[] = "<id@h.example>", date[] = "NOW", login[] = "login@h.example", empty[] = "";
    static const struct head_settings settings = { .rewrite = { .hostname = "h.example" } };
    struct complete_peer p = { .eight_bit = peer & 1, .binary = peer & 2 };
    struct record r;
    struct complete c;
    struct error err;
    int fd = memfd_create("message", MFD_CLOEXEC);
    bool ok;

    memset(&r, 0, sizeof r);
    r.message_id = id;
    r.date = date;
    r.login_address = login;
    r.full_name = r.envelope.sender = empty;
    r.content_size = in.len;
    ensure(fd >= 0 && file_write(fd, in.p, in.len));
    buf_init(&sent->out, 64u << 20);
    ok = complete_init(&c, fd, &r, &settings, &err);
    if (ok) {
        ok = complete_adapt(&c, &p, &err);
        ensure(!ok || (complete_write(&c, sink, &sent->out, &err) && c.size == sent->out.len));
        ensure(p.binary || !c.binary);
        sent->binary = c.binary;
        sent->eight_bit = p.eight_bit || c.binary;
        sent->utf8 = c.needs_utf8;
        complete_clear(&c);
    }
    close(fd);
    return ok;
}

static void
check_wire(const struct sent *sent, bool raw)
{
    struct slice s = buf_slice(&sent->out);
    size_t line = 0;

    ensure(s.len && s.p[s.len - 1] == '\n');
    for (size_t i = 0; i < s.len; i++) {
        ensure((s.p[i] == '\n') == (i > 0 && s.p[i - 1] == '\r'));
        line = s.p[i] == '\n' ? 0 : line + (s.p[i] != '\r');
        if (raw)
            continue;
        ensure(line <= 998 || sent->binary);
        ensure(s.p[i] != '\0');
        ensure((unsigned char)s.p[i] < 128 || sent->eight_bit || sent->utf8);
    }
}

/*
 * Completing what was completed changes nothing. What was no address and had bytes that cannot be carried may look like one without
 * them, and then gets a domain: `times` is 2.
 */
static void
check_again(const struct sent *sent, unsigned peer, int times)
{
    struct sent again;

    ensure(complete(buf_slice(&sent->out), peer, &again));
    if (times > 1)
        check_again(&again, peer, times - 1);
    else
        ensure(slice_eq(buf_slice(&sent->out), buf_slice(&again.out)));
    buf_clear(&again.out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf in;
    struct body body;
    struct scan whole, bytewise, after;
    struct sent sent;

    if (size < 2)
        return 0;
    buf_init(&in, 4 * size + 100);
    body_init(&body, 0, take, &in);
    body_push(&body, slice_make((const char *)data + 1, size - 1));
    body_end(&body);
    scan(&whole, buf_slice(&in), in.len + 1);
    scan(&bytewise, buf_slice(&in), 1);
    ensure(slice_eq(buf_slice(&whole.events), buf_slice(&bytewise.events)));
    if (complete(buf_slice(&in), data[0], &sent)) {
        scan(&after, buf_slice(&sent.out), sent.out.len + 1);
        check_wire(&sent, after.raw);
        /* an mbox line goes */
        ensure(whole.foreign || slice_starts(buf_slice(&in), "From ") ||
               slice_starts(buf_slice(&in), ">From ") ||
               slice_eq(buf_slice(&whole.leaves), buf_slice(&after.leaves)));
        check_again(&sent, data[0], whole.plain ? 1 : 2);
        scan_clear(&after);
    }
    buf_clear(&sent.out);
    scan_clear(&whole);
    scan_clear(&bytewise);
    buf_clear(&in);
    return 0;
}
