/* SPDX-License-Identifier: ISC */
/*
 * A session of commands made from the input, held against a small model of a transaction. What the owner is told and what the
 * client is answered are the model's, whatever failed before; the content that comes out is what went in; no reply is
 * malformed. The first byte is the kind of session, its high bit a feed byte by byte.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "daemon/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RCPT_MAX 3

/* What the owner saw. */
struct seen {
    unsigned recipients; /* of this transaction, accepted */
    bool begun, ended;
    bool fail_begin, fail_content, fail_end;
    struct buf content;
};

/* What should be true. */
struct model {
    bool own, greeted, mail, spoilt, chunked, over;
    unsigned recipients, errors;
    struct buf content;
};

struct world {
    struct server *server;
    struct seen seen;
    struct model model;
    const char *eol;
    bool bytewise, is_stranger;
    size_t replied; /* of the output, already looked at */
};

static bool
on_recipient(void *ctx, const struct server_transaction *t, const char *address, struct error *err)
{
    struct seen *o = ctx;

    ensure(!o->begun && t->envelope.n == o->recipients && t->envelope.n < RCPT_MAX);
    ensure(!strpbrk(address, "\r\n"));
    if (strncmp(address, "no", 2) == 0)
        return error_set(err, ERROR_NOUSER, "%s: nobody\r\n250 forged", address);
    o->recipients++;
    return true;
}

static bool
on_begin(void *ctx, struct server_transaction *t, struct error *err)
{
    struct seen *o = ctx;

    ensure(!o->begun && t->envelope.n > 0 && t->envelope.n == o->recipients);
    ensure(t->envelope.sender != NULL);
    if (o->fail_begin)
        return error_set(err, ERROR_IO, "no space");
    o->begun = true;
    return true;
}

static bool
on_content(void *ctx, struct slice bytes, struct error *err)
{
    struct seen *o = ctx;

    ensure(o->begun && !o->ended && bytes.len > 0);
    if (o->fail_content)
        return error_set(err, ERROR_REFUSED, "too large");
    buf_add_slice(&o->content, bytes);
    return true;
}

static bool
on_end(void *ctx, struct error *err)
{
    struct seen *o = ctx;

    ensure(o->begun && !o->ended && !o->fail_content);
    for (size_t i = 0; i < o->content.len; i++) {
        char c = o->content.data[i];
        ensure(c != '\r' || (i + 1 < o->content.len && o->content.data[i + 1] == '\n'));
        ensure(c != '\n' || (i > 0 && o->content.data[i - 1] == '\r'));
    }
    if (o->fail_end)
        return error_set(err, ERROR_TEMP, "not now");
    o->ended = true;
    return true;
}

static void
on_drop(void *ctx)
{
    struct seen *o = ctx;

    o->recipients = 0;
    o->begun = o->ended = false;
    buf_reset(&o->content);
}

static const struct server_events events = { on_recipient, on_begin, on_content, on_end, on_drop };
static const struct server_limits limits = { 1000, RCPT_MAX, 0 };

static void
model_reset(struct model *m)
{
    m->mail = m->spoilt = m->chunked = false;
    m->recipients = 0;
    buf_reset(&m->content);
}

/* ---------------------------------------------------------------- talking */

/* The code of the last complete reply since the last time, 0 = none; every line must be one. */
static int
last_code(struct world *w)
{
    struct buf *out = server_output(w->server);
    struct slice rest = slice_from(buf_slice(out), w->replied);
    int code = 0;

    while (rest.len) {
        size_t n = slice_find(rest, '\n');
        ensure(n < rest.len && n > 4 && rest.p[n - 1] == '\r' && !slice_has(slice_sub(rest, 0, n - 1), '\r'));
        ensure(
            rest.p[0] >= '2' && rest.p[0] <= '5' && ascii_is_digit(rest.p[1]) && ascii_is_digit(rest.p[2]));
        ensure(rest.p[3] == ' ' || rest.p[3] == '-');
        code = (rest.p[0] - '0') * 100 + (rest.p[1] - '0') * 10 + rest.p[2] - '0';
        rest = slice_from(rest, n + 1);
    }
    w->replied = out->len;
    return code;
}

static void
feed(struct world *w, struct slice bytes)
{
    if (!w->bytewise)
        server_feed(w->server, bytes);
    for (size_t i = 0; w->bytewise && i < bytes.len; i++)
        server_feed(w->server, slice_sub(bytes, i, 1));
}

static int
say(struct world *w, const char *line)
{
    feed(w, slice_of(line));
    feed(w, slice_of(w->eol));
    return last_code(w);
}

/* Something behind a command whose answer a stranger has to see first: his session is over, and nothing was begun for it */
static void
say_early(struct world *w, const char *line)
{
    struct buf both;

    buf_init(&both, 200);
    buf_add_format(&both, "%s%sRSET%s", line, w->eol, w->eol);
    server_feed(w->server, buf_slice(&both));
    buf_clear(&both);
    ensure(last_code(w) == 554 && server_finished(w->server) && !w->seen.begun);
    w->model.over = true;
}

static void
check_state(struct world *w)
{
    struct model *m = &w->model;

    ensure(server_finished(w->server) == m->over);
    if (m->over) {
        ensure(!w->seen.begun && w->seen.recipients == 0);
        return;
    }
    ensure(w->seen.recipients == m->recipients);
    ensure(w->seen.begun == m->chunked);
    ensure(slice_eq(buf_slice(&w->seen.content), buf_slice(&m->content)));
}

/* ---------------------------------------------------------------- steps */

static void
step_mail(struct world *w, unsigned variant)
{
    static const struct {
        const char *line;
        bool good, own;
    } lines[] = { { "MAIL FROM:<a@b>", true, false }, { "MAIL FROM:<> BODY=8BITMIME SIZE=10", true, false },
        { "MAIL FROM:<a@b> SIZE=1001", false, false }, { "MAIL FROM:<a@b> RET=FULL RET=HDRS", false, false },
        { "MAIL FROM:<a@b> ENVID=a+0Ab", false, false }, { "MAIL FROM:<a@b> X-MODE=i", true, true },
        { "MAIL FROM:<a@b>x", false, false }, { "MAIL FROM:a\tb", false, false } };
    struct model *m = &w->model;
    size_t v = variant % (sizeof lines / sizeof lines[0]);
    bool good = lines[v].good && (!lines[v].own || m->own);
    bool parsed = v < 6;
    int code = say(w, lines[v].line);

    if (!parsed) {
        m->spoilt = m->spoilt || m->own;
        ensure(code >= 500);
    } else if (!m->greeted || m->mail) {
        ensure(code == 503);
    } else {
        model_reset(m);
        m->mail = good;
        m->spoilt = !good && m->own;
        ensure(good ? code == 250 : code >= 500);
    }
}

static void
step_rcpt(struct world *w, unsigned variant)
{
    static const struct {
        const char *line;
        bool good;
    } lines[] = { { "RCPT TO:<c@d>", true }, { "RCPT TO:<root> NOTIFY=NEVER ORCPT=rfc822;c@d", true },
        { "RCPT TO:<no@d>", false }, { "RCPT TO:<c@d> ORCPT=rfc822;c+0A", false },
        { "RCPT TO:<c@d> ORCPT=;c", false }, { "RCPT TO:<c@d> NOTIFY=NEVER,DELAY", false },
        { "RCPT TO:<c@d> ORCPT=rfc822;c+1Bx", false }, { "RCPT TO:<>", false } };
    struct model *m = &w->model;
    size_t v = variant % (sizeof lines / sizeof lines[0]);
    int code = say(w, lines[v].line);

    if (m->mail && !m->chunked && lines[v].good && m->recipients < RCPT_MAX) {
        m->recipients++;
        ensure(code == 250);
    } else {
        m->spoilt = m->spoilt || m->own;
        ensure(code >= 400);
    }
}

/* The lines of a content: what the client sends, and what must come out. */
static void
make_content(struct world *w, struct slice raw, bool dotted, struct buf *wire, struct buf *text)
{
    struct slice part;

    while (slice_cut(&raw, '\n', &part)) {
        if (dotted && part.len && part.p[0] == '.')
            buf_add_char(wire, '.');
        for (size_t i = 0; i < part.len; i++) {
            char c = part.p[i] == '\r' ? 'r' : part.p[i];
            buf_add_char(wire, c);
            buf_add_char(text, c);
        }
        buf_add_str(wire, w->eol);
        buf_add_str(text, "\r\n");
    }
}

/* The verdict on a whole message: what was seen is what the model has. */
static void
finish(struct world *w, bool taken)
{
    ensure(server_is_waiting(w->server));
    ensure(w->seen.ended && slice_eq(buf_slice(&w->seen.content), buf_slice(&w->model.content)));
    server_verdict(w->server, taken ? ERROR_NONE : ERROR_REFUSED, "words\r\nof theirs", NULL, 0);
    ensure(taken ? last_code(w) == 250 : last_code(w) == 554);
    model_reset(&w->model);
}

static void
step_data(struct world *w, unsigned variant, struct slice raw)
{
    struct model *m = &w->model;
    bool fails;
    int code;

    w->seen.fail_begin = variant % 8 == 1;
    w->seen.fail_content = variant % 8 == 2 && raw.len;
    w->seen.fail_end = variant % 8 == 3;
    code = say(w, "DATA");
    if (m->chunked || m->spoilt || !m->mail || !m->recipients || w->seen.fail_begin) {
        ensure(code >= 400);
        if (m->chunked || m->spoilt || (m->mail && m->recipients))
            model_reset(m);
        return;
    }
    ensure(code == 354);
    struct buf wire;
    buf_init(&wire, 4 * raw.len + 16);
    make_content(w, raw, true, &wire, &m->content);
    feed(w, buf_slice(&wire));
    buf_clear(&wire);
    ensure(last_code(w) == 0);
    if (variant % 8 == 4) { /* an end that is none */
        say(w, strcmp(w->eol, "\n") == 0 ? ".\r" : ".\n");
        m->over = true;
        return;
    }
    fails = w->seen.fail_content || w->seen.fail_end;
    code = say(w, ".");
    if (fails) {
        ensure(code >= 400);
        model_reset(m);
    } else {
        ensure(code == 0);
        finish(w, variant % 8 != 5);
    }
}

static void
step_bdat(struct world *w, unsigned variant, struct slice raw)
{
    struct model *m = &w->model;
    bool last = variant & 8, valid, fails;
    struct buf wire, line;
    int code;

    buf_init(&wire, 4 * raw.len + 16);
    buf_init(&line, 100);
    valid = m->own && !m->spoilt && m->mail && m->recipients;
    w->seen.fail_begin = variant % 8 == 1 && !m->chunked;
    w->seen.fail_content = variant % 8 == 2 && raw.len;
    w->seen.fail_end = variant % 8 == 3;
    fails = !valid || w->seen.fail_begin || w->seen.fail_content || (last && w->seen.fail_end);
    if (m->own)
        make_content(w, raw, false, &wire, &m->content);
    buf_add_format(&line, "BDAT %zu%s", wire.len, last ? " LAST" : "");
    code = say(w, buf_str(&line));
    if (!m->own) {
        ensure(code == 502);
        m->over = true;
    } else {
        /* octets that look like commands are octets */
        if (wire.len) {
            ensure(code == 0);
            feed(w, buf_slice(&wire));
            code = last_code(w);
        }
        if (fails) {
            ensure(code >= 400);
            bool mid = !last && !(valid && !w->seen.fail_begin && !w->seen.fail_content);
            model_reset(m);
            m->spoilt = mid;
        } else if (last) {
            ensure(code == 0);
            finish(w, true);
        } else {
            ensure(code == 250);
            m->chunked = true;
        }
    }
    buf_clear(&wire);
    buf_clear(&line);
}

static void
step_other(struct world *w, unsigned variant)
{
    static const struct {
        const char *line;
        int code;
        bool resets, greets, ends, spoils;
    } lines[] = { { "RSET", 250, true, false, false, false }, { "NOOP x", 250, false, false, false, false },
        { "VRFY root", 252, false, false, false, false }, { "HELP", 214, false, false, false, false },
        { "EXPN all", 502, false, false, false, false }, { "STARTTLS", 502, false, false, false, false },
        { "AUTH PLAIN", 502, false, false, false, false }, { "FOO", 500, false, false, false, true },
        { "EHLO c", 250, true, true, false, false }, { "HELO c", 250, true, true, false, false },
        { "EHLO", 501, false, false, false, true }, { "RSET x", 501, false, false, false, true },
        { "QUIT", 221, true, false, true, false },
        { "BDAT 18446744073709551616", 501, true, false, true, false },
        { "", 500, false, false, false, true } };
    struct model *m = &w->model;
    size_t v = variant % (sizeof lines / sizeof lines[0]);
    int code;

    if (variant == 15 && w->is_stranger) {
        say_early(w, m->mail && m->recipients && !m->chunked ? "DATA" : "EHLO c");
        return;
    }
    code = say(w, lines[v].line);
    ensure(code == lines[v].code || (v == 13 && !m->own && code == 502));
    if (lines[v].resets)
        model_reset(m);
    m->greeted = m->greeted || lines[v].greets;
    m->over = lines[v].ends;
    m->spoilt = m->spoilt || (lines[v].spoils && m->own);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum server_kind kinds[] = { SERVER_LOCAL, SERVER_BS, SERVER_BS, SERVER_LISTENER };
    struct world w = { .eol = "\r\n" };
    size_t at = 1;

    if (size < 1 || size > 300)
        return 0;
    w.eol = (data[0] & 3) == 2 ? "\n" : "\r\n";
    w.bytewise = data[0] & 128;
    w.is_stranger = kinds[data[0] & 3] == SERVER_LISTENER;
    w.model.own = kinds[data[0] & 3] == SERVER_LOCAL;
    buf_init(&w.seen.content, 100000);
    buf_init(&w.model.content, 100000);
    w.server = server_new(kinds[data[0] & 3], "host", &limits, &events, &w.seen);
    server_greet(w.server, NULL);
    ensure(last_code(&w) == 220);
    /* a listener ends after 20 errors; a session of fewer steps than that shows the rest */
    for (unsigned steps = 0; at < size && !w.model.over && steps < 19; steps++) {
        unsigned what = data[at] >> 4, variant = data[at] & 15;
        struct slice raw = slice_make((const char *)data + at + 1, size - at - 1);
        at++;
        if (what < 4) {
            step_other(&w, variant);
        } else if (what < 7) {
            step_mail(&w, variant);
        } else if (what < 10) {
            step_rcpt(&w, variant);
        } else {
            raw = slice_sub(raw, 0, raw.len ? (size_t)(unsigned char)raw.p[0] % 40 : 0);
            at += raw.len;
            if (what < 13)
                step_data(&w, variant, raw);
            else
                step_bdat(&w, variant, raw);
        }
        check_state(&w);
    }
    server_free(w.server);
    ensure(!w.seen.begun && w.seen.recipients == 0);
    buf_clear(&w.seen.content);
    buf_clear(&w.model.content);
    return 0;
}
