/* SPDX-License-Identifier: ISC */
/* server: what our own client, and a program that speaks SMTP to sendmail -bs, is answered. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/server.h"

/* An owner that writes down what it is asked, and refuses what a test wants refused. */
struct owner {
    struct buf log;
    const char *refuse; /* recipient */
    bool fail_content;
};

static bool
on_recipient(void *ctx, const struct server_transaction *t, const char *address, struct error *err)
{
    struct owner *o = ctx;

    (void)t;
    if (o->refuse && strcmp(address, o->refuse) == 0)
        return error_set(err, ERROR_NOUSER, "%s: no such alias", address);
    buf_add_format(&o->log, "rcpt %s|", address);
    return true;
}

static bool
on_begin(void *ctx, struct server_transaction *t, struct error *err)
{
    struct owner *o = ctx;

    (void)err;
    buf_add_format(&o->log, "begin <%s>%s%s%s n=%zu|", t->envelope.sender, t->own_sender ? " own" : "",
        t->eight_bit ? " 8bit" : "", t->smtputf8 ? " utf8" : "", t->envelope.n);
    return true;
}

static bool
on_content(void *ctx, struct slice bytes, struct error *err)
{
    struct owner *o = ctx;

    if (o->fail_content)
        return error_set(err, ERROR_IO, "disk full");
    buf_add_slice(&o->log, bytes);
    return true;
}

static bool
on_end(void *ctx, struct error *err)
{
    struct owner *o = ctx;

    (void)err;
    buf_add_str(&o->log, "|end|");
    return true;
}

static void
on_drop(void *ctx)
{
    struct owner *o = ctx;

    buf_add_str(&o->log, "drop|");
}

static const struct server_events events = { on_recipient, on_begin, on_content, on_end, on_drop };
static const struct server_limits limits = { 1000, 3, 0 };

/* `piece` of all that is said, but not beyond what a stranger has to see the answer of */
static struct slice
in_turn(const char *all, struct slice piece)
{
    for (size_t n = 1; n < piece.len; n++) {
        struct slice said = slice_make(all, (size_t)(piece.p - all) + n);
        struct slice line = slice_from(said, slice_find_last(slice_sub(said, 0, said.len - 1), '\n') + 1);
        if (slice_is(line, "EHLO s\r\n") || slice_is(line, "DATA\r\n") ||
            (said.len == 8 && slice_is(said, "EHLO s\r\n")))
            return slice_sub(piece, 0, n);
    }
    return piece;
}

/* Play `in` in pieces of `step` bytes, answer each content with a verdict; out and log are fresh C strings. */
static void
play(enum server_kind kind, struct owner *o, const char *in, size_t step, char **out, char **log)
{
    struct server *s = server_new(kind, "host.example.org", &limits, &events, o);
    struct slice rest = slice_of(in);

    buf_init(&o->log, 100000);
    server_greet(s, NULL);
    while (rest.len) {
        struct slice piece = slice_sub(rest, 0, step);
        if (kind == SERVER_LISTENER)
            piece = in_turn(in, piece);
        rest = slice_from(rest, piece.len);
        server_feed(s, piece);
        while (server_is_waiting(s))
            server_verdict(s, ERROR_NONE, "sent", NULL, 0);
    }
    *out = slice_dup(buf_slice(server_output(s)));
    server_free(s);
    *log = buf_steal(&o->log);
}

static const struct {
    const char *what;
    enum server_kind kind;
    const char *in;
    const char *out[10]; /* these, in this order */
    const char *log;     /* this is in the log */
    const char *never;   /* and this is not */
} cases[] = {
    { "our client's one write", SERVER_LOCAL,
        "EHLO sendmail\r\nMAIL FROM:<> X-LOGIN X-MODE=i BODY=8BITMIME\r\nRCPT TO:<root>\r\nBDAT 8 LAST\r\nA: "
        "b\r\n\r\n",
        { "220 ", "250-X-SMTPRELAY", "250 2.1.0", "250 2.1.5", "250 2.0.0 sent" },
        "begin <> own 8bit n=1|A: b\r\n\r\n|end|", NULL },
    { "chunks, the last of them empty", SERVER_LOCAL,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\na\r\nBDAT 3\r\nb\r\nBDAT 0 LAST\r\n",
        { "250 2.0.0 chunk taken", "250 2.0.0 chunk taken", "250 2.0.0 sent" }, "a\r\nb\r\n|end|", NULL },
    { "a refused recipient spoils our client's transaction", SERVER_LOCAL,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<bad>\r\nBDAT 3 LAST\r\na\r\nQUIT\r\n",
        { "550 5.1.1 EX67 bad: no such alias", "501 5.5.4 EX64", "221 " }, "drop|", "end|" },
    { "a refused recipient does not spoil a -bs transaction", SERVER_BS,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<bad>\r\nRCPT TO:<c@d>\r\nDATA\r\na\r\n.\r\nQUIT\r\n",
        { "550 5.1.1 bad: no such alias", "250 2.1.5", "354 ", "250 2.0.0 sent", "221 " }, "n=1|a\r\n|end|",
        NULL },
    { "too many recipients", SERVER_LOCAL,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<1@d>\r\nRCPT TO:<2@d>\r\nRCPT TO:<3@d>\r\nRCPT TO:<4@d>\r\n",
        { "550 5.5.3 EX69" }, "rcpt 3@d", "rcpt 4@d" },
    { "a message announced larger than MaxMessageSize", SERVER_LOCAL,
        "EHLO s\r\nMAIL FROM:<a@b> SIZE=1001\r\n", { "552 5.3.4 EX69" }, "", "begin" },
    { "-bs with LF", SERVER_BS, "EHLO s\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\na\n..\n.\nQUIT\n",
        { "250 ENH", "354 ", "250 2.0.0 sent", "221 " }, "a\r\n.\r\n|end|", NULL },
    { "-bs with LF after CRLF", SERVER_BS, "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\nx\r\n.\r\n",
        { "250 2.1.5", "550 5.5.2" }, "rcpt", "begin" },
    { "-bs with CRLF after LF", SERVER_BS, "EHLO s\nMAIL FROM:<a@b>\r\n", { "250 ENH", "550 5.5.2" }, "",
        "begin" },
    { "-bs: smuggling", SERVER_BS,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\na\r\n.\nMAIL FROM:<evil@x>\r\n",
        { "354 ", "550 5.5.2" }, "", "end|" },
    { "no private extension for -bs", SERVER_BS, "EHLO s\r\nMAIL FROM:<a@b> X-LOGIN\r\nBDAT 3 LAST\r\na\r\n",
        { "555 5.5.4", "502 5.5.1" }, "", "begin" },
    { "out of turn", SERVER_BS,
        "MAIL FROM:<a@b>\r\nEHLO s\r\nRCPT TO:<a@b>\r\nDATA\r\nFOO\r\nNOOP\r\nRSET\r\nQUIT\r\n",
        { "503 ", "250 ENH", "503 ", "503 ", "500 ", "250 ", "250 ", "221 " }, "", "begin" },
    { "end of input inside the content", SERVER_BS,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhalf a mess", { "354 " }, "drop|", "end|" },
    { "end of input between chunks", SERVER_LOCAL,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\na\r\n", { "250 2.0.0 chunk" }, "drop|",
        "end|" },
    { "two messages in one session", SERVER_BS,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n1\r\n.\r\nMAIL FROM:<e@f>\r\nRCPT "
        "TO:<g@h>\r\nDATA\r\n2\r\n.\r\n",
        { "250 2.0.0 sent", "250 2.1.0", "250 2.0.0 sent" }, "begin <e@f> n=1|2\r\n|end|", NULL },
    { "a recipient behind the first chunk", SERVER_LOCAL,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\na\r\nRCPT TO:<e@f>\r\nBDAT 0 LAST\r\n",
        { "250 2.0.0 chunk", "503 5.5.1 EX64" }, "drop|", "e@f" },
    { "an unread chunk is not taken for commands", SERVER_LOCAL,
        "EHLO s\r\nBDAT 17\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nQUIT\r\n",
        { "501 ", "503 5.5.1 EX64", "221 " }, "", "rcpt" },
    { "a chunk longer than any number", SERVER_LOCAL,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 99999999999999999999\r\nNOOP\r\n",
        { "250 2.1.5", "501 5.5.4" }, "drop|", "begin" },
    { "a chunk that is neither the last nor not", SERVER_LOCAL,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3 LATS\r\na\r\n", { "501 5.5.4" }, "drop|",
        "begin" },
    { "a line break in xtext", SERVER_BS,
        "EHLO s\r\nMAIL FROM:<a@b> ENVID=x+0D+0Ay\r\nMAIL FROM:<a@b> ENVID=x+1By\r\nMAIL FROM:<a@b> "
        "ENVID=x+2By\r\n"
        "RCPT TO:<c@d> ORCPT=rfc822;x+0Ay\r\nRCPT TO:<c@d> ORCPT=rfc822\r\nRCPT TO:<c@d> "
        "ORCPT=rfc822;x+40y\r\n",
        { "501 ", "501 ", "250 2.1.0", "501 ", "501 ", "250 2.1.5" }, "rcpt c@d|drop", NULL },
    { "xtext with an octet beyond ASCII", SERVER_BS,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d> ORCPT=utf-8;\303\244@d\r\nRCPT TO:<c@d> "
        "ORCPT=utf-8;+C3+A4@d\r\n",
        { "250 2.1.0", "501 5.5.4", "250 2.1.5" }, "rcpt c@d|", NULL },
    { "a parameter said twice", SERVER_BS,
        "EHLO s\r\nMAIL FROM:<a@b> RET=FULL RET=HDRS\r\nMAIL FROM:<a@b>\r\n", { "501 5.5.4", "250 2.1.0" },
        "", "begin" },
    { "AUTH has to be well made, and counts for nothing", SERVER_BS,
        "EHLO s\r\nMAIL FROM:<a@b> AUTH=\r\nMAIL FROM:<a@b> AUTH=x+0D+0AQUIT\r\nMAIL FROM:<a@b> AUTH=x+ZZ\r\n"
        "MAIL FROM:<a@b> AUTH=\r\nMAIL FROM:<a@b> AUTH=e+3Dmc2@example.com\r\nRSET\r\nMAIL FROM:<a@b> "
        "AUTH=<>\r\n",
        { "553 5.5.4", "501 5.5.4", "501 5.5.4", "553 5.5.4", "250 2.1.0", "250 2.0.0", "250 2.1.0" }, "",
        "rcpt" },
    { "an address beyond ASCII wants SMTPUTF8", SERVER_BS,
        "EHLO s\r\nMAIL FROM:<\303\244@b>\r\nMAIL FROM:<a@\303\244>\r\nMAIL FROM:<a@b>\r\nRCPT "
        "TO:<\303\244@d>\r\n"
        "RSET\r\nMAIL FROM:<\303\244@b> SMTPUTF8\r\nRCPT TO:<\303\244@d>\r\n",
        { "553 5.6.7", "553 5.6.7", "250 2.1.0", "553 5.6.7", "250 2.0.0", "250 2.1.0", "250 2.1.5" },
        "rcpt \303\244@d|", NULL },
    { "our own client needs no SMTPUTF8 for a domain", SERVER_LOCAL,
        "EHLO s\r\nMAIL FROM:<a@\303\244>\r\nRCPT TO:<a@\303\244>\r\n", { "250 2.1.0", "250 2.1.5" },
        "rcpt a@\303\244|", NULL },
    { "what a ping and a question are answered", SERVER_BS,
        "EHLO s\nNOOP\nRSET\nVRFY root\nEXPN all\nHELP\nSTARTTLS\nAUTH PLAIN AGEAYg==\nFOO\nQUIT\n",
        { "250 2.0.0", "250 2.0.0", "252 ", "502 ", "214 ", "502 ", "502 ", "500 ", "221 " }, "", "rcpt" },
    { "a listener takes no LF", SERVER_LISTENER, "EHLO s\nMAIL FROM:<a@b>\n", { "220 ", "550 5.5.2" }, "",
        "begin" },
    { "a listener answers each recipient by itself", SERVER_LISTENER,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<bad>\r\nRCPT TO:<e>\r\nDATA\r\na\r\n.\r\n",
        { "250 2.1.5", "550 5.1.1 bad", "250 2.1.5", "354 ", "250 2.0.0 sent" }, "n=2|a\r\n|end|", NULL },
    { "brackets may be missing", SERVER_LISTENER,
        "EHLO s\r\nMAIL FROM: a@b SIZE=10\r\nRCPT TO:c@d NOTIFY=NEVER\r\nRCPT TO:e@f\r\nRCPT "
        "TO:\r\nDATA\r\na\r\n.\r\n",
        { "250 2.1.0", "250 2.1.5", "250 2.1.5", "553 5.1.3", "354 ", "250 2.0.0 sent" },
        "begin <a@b> n=2|a\r\n|end|", NULL },
    { "a listener has no private extensions", SERVER_LISTENER,
        "EHLO s\r\nMAIL FROM:<a@b> X-LOGIN\r\nBDAT 3 LAST\r\na\r\n", { "555 5.5.4 MAIL", "502 5.5.1" }, "",
        "begin" },
    { "addresses that are none", SERVER_LOCAL, "EHLO s\r\nMAIL FROM:<a b@c>\r\nRCPT TO:<@>\r\n",
        { "553 5.5.4 EX65", "553 5.1.3 EX65" }, "", "rcpt" },
};

START_TEST(sessions_go_as_their_rfc_says)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t step = 1; step <= 64; step *= 8) {
            struct owner o = { .refuse = "bad" };
            char *out, *log, *at;

            play(cases[i].kind, &o, cases[i].in, step, &out, &log);
            at = out;
            for (size_t j = 0; cases[i].out[j]; j++) {
                at = strstr(at, cases[i].out[j]);
                ck_assert_msg(at != NULL, "%s: no '%s' in:\n%s", cases[i].what, cases[i].out[j], out);
                at++;
            }
            ck_assert_msg(strstr(log, cases[i].log) != NULL, "%s: log: %s", cases[i].what, log);
            if (cases[i].never)
                ck_assert_msg(!strstr(log, cases[i].never), "%s: log: %s", cases[i].what, log);
            free(out);
            free(log);
        }
    }
}
END_TEST

START_TEST(content_that_cannot_be_kept_is_refused_at_its_end)
{
    struct owner o = { .fail_content = true };
    char *out, *log;

    play(SERVER_LOCAL, &o,
        "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\n", 7, &out, &log);
    ck_assert_msg(strstr(out, "452 4.3.1 EX74 disk full") != NULL, "%s", out);
    ck_assert(!strstr(log, "end|"));
    free(out);
    free(log);
}
END_TEST

START_TEST(a_verdict_names_the_refused_recipients)
{
    static const char *const refused[] = { "bad@x: 550 5.1.1 no\r\n250 forged" };
    struct owner o = { .refuse = NULL };
    struct server *s = server_new(SERVER_LOCAL, "h", &limits, &events, &o);
    const char *out;

    buf_init(&o.log, 1000);
    server_feed(s, slice_of("EHLO s\r\nMAIL FROM:<a@b> X-VERBOSE\r\nRCPT TO:<c@d>\r\nBDAT 3 LAST\r\na\r\n"));
    ck_assert(server_is_waiting(s));
    server_progress(s, slice_of("C: MAIL\r\nS: 250"));
    server_verdict(s, ERROR_NONE, "queued", refused, 1);
    out = buf_str(server_output(s));
    ck_assert_msg(
        strstr(out,
            "150 C: MAIL S: 250\r\n250-2.0.0 EX67 bad@x: 550 5.1.1 no 250 forged\r\n250 2.0.0 queued\r\n"),
        "%s", out);
    server_free(s);
    buf_clear(&o.log);
}
END_TEST

/* The forms of an end of data that some server somewhere takes for one (CVE-2023-51764, -51765, -51766). */
START_TEST(no_form_but_the_agreed_one_ends_a_message)
{
    static const char *const forms[] = { "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r",
        "\n.\r", "\r.\n", "\r\r\n.\r\n", "\r\n.\r\r\n" };
    static const enum server_kind kinds[] = { SERVER_LOCAL, SERVER_BS, SERVER_LISTENER };
    static const char before[] = "EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n";
    static const char after[] = "MAIL FROM:<evil@x>\r\nRCPT TO:<evil@y>\r\nDATA\r\nb\r\n.\r\n";

    for (size_t i = 0; i < 2 * 3 * sizeof forms / sizeof forms[0]; i++) {
        const char *form = forms[i / 6];
        enum server_kind kind = kinds[i % 3];
        bool chunked = i / 3 % 2;
        struct owner o = { .refuse = NULL };
        char *in, *out, *log;

        if (chunked && kind == SERVER_LOCAL)
            in =
                mem_format("%sBDAT %zu LAST\r\na%s%s", before, 1 + strlen(form) + strlen(after), form, after);
        else
            in = mem_format("%sDATA\r\na%s%s", before, form, after);
        play(kind, &o, in, chunked ? 1 : 1000, &out, &log);
        ck_assert_msg(strstr(out, "550 5.5.2") || strstr(out, "554 5.6.0"), "form %zu: %s", i / 6, out);
        ck_assert_msg(!strstr(log, "end|") && !strstr(log, "evil"), "form %zu: %s", i / 6, log);
        free(in);
        free(out);
        free(log);
    }
}
END_TEST

START_TEST(a_client_that_only_errs_is_sent_away_and_one_that_delivers_is_not)
{
    static const char envelope[] = "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n";
    struct owner o = { .refuse = NULL };
    struct server *s = server_new(SERVER_LISTENER, "h", &limits, &events, &o);

    buf_init(&o.log, 100000);
    server_feed(s, slice_of("EHLO s\r\n"));
    for (unsigned i = 0; i < 100; i++) {
        server_feed(s, slice_of("FOO\r\n"));
        if (i % 10 == 0)
            server_feed(s, slice_of(envelope));
        if (i % 10 == 0)
            server_feed(s, slice_of("a\r\n.\r\n"));
        server_verdict(s, ERROR_NONE, "sent", NULL, 0);
        ck_assert(!server_finished(s));
    }
    for (unsigned i = 0; i < 20; i++)
        server_feed(s, slice_of("FOO\r\n"));
    ck_assert(server_finished(s));
    ck_assert(strstr(buf_str(server_output(s)), "421 4.7.0 too many errors") != NULL);
    server_free(s);
    buf_clear(&o.log);
}
END_TEST

START_TEST(a_refusal_of_the_smarthost_keeps_its_code)
{
    static const struct {
        enum error_class class;
        const char *text, *want;
    } refusals[] = { { ERROR_REFUSED, "hub:25: end of data: 552 5.3.4 too big", "552 5.3.4 hub:25: end of" },
        { ERROR_NOUSER, "a@b: hub:25: RCPT TO: 550 5.1.1 nobody", "550 5.1.1 a@b: " },
        { ERROR_REFUSED, "hub:25: end of data: 571 spam", "571 5.0.0 hub" },
        { ERROR_REFUSED, "hub:25: end of data: 554 5.7.1999 spam", "554 5.0.0 hub" },
        { ERROR_REFUSED, "hub:25: end of data: 554 2.0.0 spam", "554 5.0.0 hub" },
        { ERROR_REFUSED, "hub:25: end of data: 554 5.7.1", "554 5.0.0 hub" },
        { ERROR_REFUSED, "hub:25: MAIL FROM: 530 5.7.0 login first", "554 5.0.0 hub" },
        { ERROR_REFUSED, "hub:25: MAIL FROM: 5", "554 5.0.0 hub" },
        { ERROR_REFUSED, "hub:25: end of data: 599 what", "554 5.0.0 hub" },
        { ERROR_TEMP, "hub:25: end of data: 550 5.1.1 x", "451 4.4.1 hub" },
        { ERROR_NOUSER, "nobody: no such alias", "550 5.1.1 nobody" } };
    static const enum server_kind kinds[] = { SERVER_BS, SERVER_LISTENER };

    for (size_t i = 0; i < 2 * sizeof refusals / sizeof refusals[0]; i++) {
        struct owner o = { .refuse = NULL };
        struct server *s = server_new(kinds[i % 2], "h", &limits, &events, &o);
        buf_init(&o.log, 1000);
        server_feed(s, slice_of("EHLO s\r\n"));
        server_feed(s, slice_of("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"));
        server_feed(s, slice_of("x\r\n.\r\n"));
        ck_assert(server_is_waiting(s));
        buf_reset(server_output(s));
        server_verdict(s, refusals[i / 2].class, refusals[i / 2].text, NULL, 0);
        ck_assert_msg(
            strncmp(buf_str(server_output(s)), refusals[i / 2].want, strlen(refusals[i / 2].want)) == 0,
            "%s: %s", refusals[i / 2].text, buf_str(server_output(s)));
        server_free(s);
        buf_clear(&o.log);
    }
}
END_TEST

START_TEST(what_comes_before_its_turn_ends_a_strangers_session_and_nobody_elses)
{
    static const char *const early[] = { "EHLO s\r\nMAIL FROM:<a@b>\r\n", "HELO s\r\nNOOP\r\n",
        "EHLO s\r\n\r\n", "EHLO s\r\n|MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\na\r\n.\r\n" };
    static const enum server_kind kinds[] = { SERVER_LISTENER, SERVER_BS, SERVER_LOCAL };

    for (size_t i = 0; i < 3 * sizeof early / sizeof early[0]; i++) {
        struct owner o = { .refuse = NULL };
        struct server *s = server_new(kinds[i % 3], "h", &limits, &events, &o);
        struct slice rest = slice_of(early[i / 3]), part;
        buf_init(&o.log, 1000);
        while (slice_cut(&rest, '|', &part))
            server_feed(s, part);
        ck_assert_int_eq(server_finished(s), kinds[i % 3] == SERVER_LISTENER);
        ck_assert_int_eq(strstr(buf_str(server_output(s)), "\n554 5.5.0 ") != NULL ||
                             strncmp(buf_str(server_output(s)), "554 5.5.0 ", 10) == 0,
            kinds[i % 3] == SERVER_LISTENER);
        ck_assert(kinds[i % 3] != SERVER_LISTENER || !strstr(buf_str(&o.log), "begin"));
        server_free(s);
        buf_clear(&o.log);
    }
}
END_TEST

START_TEST(commands_that_lead_nowhere_end_a_strangers_session)
{
    static const char *const lines[] = { "NOOP\r\n", "RSET\r\n", "VRFY a\r\n", "EHLO s\r\n", "HELP\r\n",
        "DATA\r\n" };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct owner o = { .refuse = NULL };
        struct server *s = server_new(SERVER_LISTENER, "h", &limits, &events, &o);
        int n = 0;
        buf_init(&o.log, 10000);
        for (; n < 1000 && !server_finished(s); n++)
            server_feed(s, slice_of(lines[i]));
        ck_assert_int_le(n, 200);
        ck_assert_int_ge(n, 20);
        ck_assert(strstr(buf_str(server_output(s)), "\n421 4.7.0 ") != NULL);
        server_free(s);
        buf_clear(&o.log);
    }
}
END_TEST

START_TEST(a_stranger_who_begins_with_tls_is_told_at_once)
{
    struct owner o = { .refuse = NULL };
    struct server *s = server_new(SERVER_LISTENER, "h", &limits, &events, &o);

    buf_init(&o.log, 1000);
    server_feed(s, slice_make("\x16\x03\x01", 3));
    ck_assert(server_finished(s));
    ck_assert_str_eq(buf_str(server_output(s)), "554 5.5.1 this is SMTP without TLS\r\n");
    server_free(s);
    buf_clear(&o.log);
}
END_TEST

START_TEST(any_number_of_tiny_chunks_takes_no_memory)
{
    struct owner o = { .refuse = NULL };
    struct server *s = server_new(SERVER_LOCAL, "h", &limits, &events, &o);

    buf_init(&o.log, 1000000);
    server_feed(s, slice_of("EHLO s\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"));
    for (unsigned i = 0; i < 100000; i++) {
        server_feed(s, slice_of(i % 2 ? "BDAT 1\r\n\n" : "BDAT 1\r\n\r"));
        ck_assert(server_output(s)->len < 1000 && !server_is_waiting(s) && !server_finished(s));
        buf_reset(server_output(s));
    }
    server_feed(s, slice_of("BDAT 0 LAST\r\n"));
    ck_assert(server_is_waiting(s));
    server_free(s);
    buf_clear(&o.log);
}
END_TEST

START_TEST(a_client_that_reads_nothing_is_held_up_and_answered_when_it_reads)
{
    struct owner o = { .refuse = NULL };
    struct server *s = server_new(SERVER_LOCAL, "h", &limits, &events, &o);
    struct buf in;
    size_t replies = 0, asked = 0;

    buf_init(&o.log, 1000);
    buf_init(&in, 65536);
    while (in.len + 9 < 65536)
        buf_add_str(&in, "EHLO s\r\n");
    for (int i = 0; i < 100 && server_wants_input(s); i++) {
        server_feed(s, buf_slice(&in));
        asked += in.len / strlen("EHLO s\r\n");
        ck_assert_uint_lt(server_output(s)->len, 300 * 1024);
    }
    ck_assert(!server_wants_input(s) && server_is_held(s) && !server_finished(s));
    while (server_output(s)->len) {
        struct slice out = buf_slice(server_output(s)), line;
        while (slice_cut(&out, '\n', &line))
            replies += slice_starts(line, "250 ");
        buf_reset(server_output(s));
        (void)server_resume(s);
    }
    ck_assert_uint_eq(replies, asked);
    ck_assert(server_wants_input(s) && !server_is_held(s));
    server_free(s);
    buf_clear(&o.log);
    buf_clear(&in);
}
END_TEST

SUITE_MAIN("server", a_client_that_reads_nothing_is_held_up_and_answered_when_it_reads,
    no_form_but_the_agreed_one_ends_a_message,
    a_client_that_only_errs_is_sent_away_and_one_that_delivers_is_not,
    what_comes_before_its_turn_ends_a_strangers_session_and_nobody_elses,
    a_refusal_of_the_smarthost_keeps_its_code, commands_that_lead_nowhere_end_a_strangers_session,
    a_stranger_who_begins_with_tls_is_told_at_once, any_number_of_tiny_chunks_takes_no_memory,
    sessions_go_as_their_rfc_says, content_that_cannot_be_kept_is_refused_at_its_end,
    a_verdict_names_the_refused_recipients)
