/* SPDX-License-Identifier: ISC */
/*
 * The first byte chooses the From policy. Whatever stands in a header: what goes out has one From (of a message sent on, one
 * Resent-From) with nothing in it but what the account may use, CR and LF only together, and does not change when it goes again.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/header.h"
#include "worker/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BIT_FORCE = 1, BIT_SHARED = 2, BIT_DOMAIN = 4, BIT_NAME = 8, BIT_SENDER = 16, BIT_UTF8 = 32 };

static char id[] = "<id@h.example>", date[] = "NOW", login[] = "www@web1.example.org", full[] = "A \"B\"",
            empty[] = "", sender[] = "zoe@other.example";
static char name0[] = "web1.example.org", name1[] = "localhost";
static char *const names[] = { name0, name1 };
static char allowed0[] = "@b\xc3\xbc"
                         "cher.example";
static char *const allowed[] = { allowed0 };

static struct head_settings
settings_of(unsigned bits)
{
    return (struct head_settings){ .rewrite = { .hostname = "web1.example.org",
                                       .domain = bits & BIT_DOMAIN ? "corp.example" : NULL,
                                       .own_names = names,
                                       .nown = 2,
                                       .policy = bits & BIT_FORCE ? REWRITE_FORCE : REWRITE_AUTO,
                                       .from = "alerts@mail.example",
                                       .allowed = allowed,
                                       .nallowed = 1,
                                       .is_shared = bits & BIT_SHARED } };
}

/* False: the message is refused, which is no fault */
static bool
pass(struct slice in, unsigned bits, bool utf8, struct buf *out, bool *needs_utf8)
{
    struct head_settings s = settings_of(bits);
    struct record r;
    struct head h;
    struct error err;
    bool ok;

    memset(&r, 0, sizeof r);
    r.message_id = id;
    r.date = date;
    r.login_address = login;
    r.full_name = bits & BIT_NAME ? full : empty;
    r.envelope.sender = bits & BIT_SENDER ? sender : empty;
    head_init(&h, &s, &r, utf8);
    (void)head_push(&h, in);
    ok = head_end(&h, &err);
    if (ok)
        head_write(&h, NULL, slice_of(""), out);
    *needs_utf8 = h.needs_utf8;
    head_clear(&h);
    return ok;
}

/* What went out, as its readers see it */
struct reading {
    unsigned bits;
    bool is_resent;
    enum header_field field;
    struct buf value;
    size_t senders;
};

static void
check_allowed(struct reading *g)
{
    struct head_settings s = settings_of(g->bits);
    struct rewrite_from f;

    rewrite_from(&s.rewrite, buf_slice(&g->value), login, true, &f);
    ensure(!f.replaced && f.mailboxes > 0);
    rewrite_from_clear(&f);
}

/* In a message sent on, the first Resent-From counts; else From, which is there once */
static void
field_ended(struct reading *g)
{
    if (g->field != (g->is_resent ? HEADER_RESENT_FROM : HEADER_FROM) || (g->senders++ > 0 && g->is_resent))
        return;
    check_allowed(g);
}

static void
on_header(void *ctx, enum header_event event, struct slice s)
{
    struct reading *g = ctx;

    if (event == HEADER_FIELD) {
        buf_reset(&g->value);
        g->field = header_identify(s);
    } else if (event == HEADER_VALUE) {
        buf_add_slice(&g->value, s);
    } else {
        field_ended(g);
    }
}

static void
on_any(void *ctx, enum header_event event, struct slice s)
{
    bool *is_resent = ctx;

    *is_resent = *is_resent || (event == HEADER_FIELD && header_is_resent(header_identify(s)));
}

static void
read_header(header_fn *fn, void *ctx, struct slice text)
{
    struct header h;

    header_init(&h, fn, ctx);
    (void)header_push(&h, text);
    header_end(&h);
}

static void
check_senders(struct slice out, unsigned bits)
{
    struct reading g = { .bits = bits };

    buf_init(&g.value, 16u << 20);
    read_header(on_any, &g.is_resent, out);
    read_header(on_header, &g, out);
    ensure(g.is_resent ? g.senders > 0 : g.senders == 1);
    buf_clear(&g.value);
}

static void
check_wire(struct slice s)
{
    ensure(s.len && s.p[s.len - 1] == '\n');
    for (size_t i = 0; i < s.len; i++) {
        ensure((s.p[i] == '\n') == (i > 0 && s.p[i - 1] == '\r'));
        ensure(s.p[i] != '\0');
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned bits = size ? data[0] : 0;
    struct slice in = size ? slice_make((const char *)data + 1, size - 1) : slice_of("");
    struct buf out, again, third;
    bool utf8 = bits & BIT_UTF8, more;

    buf_init(&out, 64u << 20);
    buf_init(&again, 64u << 20);
    buf_init(&third, 64u << 20);
    if (pass(in, bits, utf8, &out, &more)) {
        if (more && !utf8) {
            utf8 = true;
            buf_reset(&out);
            ensure(pass(in, bits, utf8, &out, &more));
        }
        check_wire(buf_slice(&out));
        check_senders(buf_slice(&out), bits);
        ensure(pass(buf_slice(&out), bits, utf8, &again, &more));
        check_senders(buf_slice(&again), bits);
        /* what was no address and had bytes that cannot be carried may look like one without them: once more */
        ensure(pass(buf_slice(&again), bits, utf8, &third, &more));
        ensure(slice_eq(buf_slice(&again), buf_slice(&third)));
    }
    buf_clear(&out);
    buf_clear(&again);
    buf_clear(&third);
    return 0;
}
