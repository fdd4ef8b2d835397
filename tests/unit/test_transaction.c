/* SPDX-License-Identifier: ISC */
/* transaction: how many flights a message takes, what goes out in them, and what replies in any order make of it. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "smtp/transaction.h"
#include "unit/peer.h"

#define RCPT_MAX 250
#define SMALL "Subject: x\r\n\r\nhello\r\n"

enum { NONE = 0, PIPELINING = 1, CHUNKING = 2, LOGIN = 4 };

struct trial {
    struct session s;
    struct session_options options;
    struct transaction t;
    struct transaction_rcpt rcpt[RCPT_MAX];
    char paths[RCPT_MAX][40];
    const char *content;
    size_t piece; /* the producer writes pieces of this size; 0: all at once */
    struct peer peer;
    bool usable;
};

static bool
produce(void *ctx, transaction_sink *sink, void *sink_ctx, struct error *err)
{
    struct trial *t = ctx;
    struct slice rest = slice_of(t->content);
    size_t piece = t->piece ? t->piece : rest.len;

    for (; rest.len; rest = slice_from(rest, piece))
        if (!sink(sink_ctx, slice_sub(rest, 0, piece)))
            return error_set(err, ERROR_TEMP, "stopped");
    return true;
}

static void
prepare(struct trial *t, unsigned offered, size_t rcpts, const char *content)
{
    memset(t, 0, sizeof *t);
    t->options = (struct session_options){ .ehlo_name = "me", .timeout_ms = 20000, .end_ms = 20000 };
    t->s.options = &t->options;
    t->s.caps.esmtp = t->s.introduced = true;
    t->s.caps.pipelining = offered & PIPELINING;
    t->s.caps.chunking = offered & CHUNKING;
    if (offered & LOGIN)
        memcpy(t->s.mechanism, "PLAIN", 6);
    t->content = content;
    for (size_t i = 0; i < rcpts; i++) {
        (void)snprintf(t->paths[i], sizeof t->paths[i], "r%zu@b.example", i);
        t->rcpt[i].path = t->paths[i];
    }
    t->t = (struct transaction){ .sender = "a@b.example",
        .size = strlen(content),
        .rcpt = t->rcpt,
        .n = rcpts,
        .write = produce,
        .ctx = t };
}

static void
run(struct trial *t, int type, const struct peer_step *steps, size_t n)
{
    stream_init(&t->s.stream, peer_start(&t->peer, type, steps, n), NULL, NULL);
    t->usable = transaction_run(&t->s, &t->t);
    session_close(&t->s);
    peer_join(&t->peer);
    for (size_t i = 0; i < t->t.n; i++)
        ck_assert(t->rcpt[i].done);
}

#define RUN(t, type, steps) run((t), (type), (steps), sizeof(steps) / sizeof((steps)[0]))

static enum status_outcome
outcome(const struct trial *t, size_t i)
{
    const struct status_fact *f = &t->rcpt[i].fact;

    return status_judge(f->stage, f->cause, f->code).outcome;
}

static size_t
count(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what))
        n++;
    return n;
}

/* `n` lines of 70 octets */
static char *
long_text(size_t n)
{
    char *text = mem_alloc(n * 70 + 1);

    for (size_t i = 0; i < n; i++)
        (void)snprintf(text + i * 70, 71, "%068zu\r\n", i);
    return text;
}

static char *
repeat(const char *what, size_t n)
{
    char *text = mem_alloc(strlen(what) * n + 1);

    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * strlen(what), what, strlen(what) + 1);
    return text;
}

/* ---------------------------------------------------------------- flights */

START_TEST(with_pipelining_and_chunking_a_message_of_64_kb_is_one_flight)
{
    char *big = long_text(936); /* 65520 octets */
    const char *texts[] = { SMALL, big };

    for (size_t i = 0; i < 2; i++) {
        const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n", false } };
        struct trial t;
        char want[200];

        prepare(&t, PIPELINING | CHUNKING, 2, texts[i]);
        RUN(&t, SOCK_SEQPACKET, steps);
        (void)snprintf(want, sizeof want,
            "MAIL FROM:<a@b.example>\r\nRCPT TO:<r0@b.example>\r\nRCPT TO:<r1@b.example>\r\nBDAT %zu "
            "LAST\r\n",
            strlen(texts[i]));
        ck_assert_int_eq(strncmp(peer_got(&t.peer, 0), want, strlen(want)), 0);
        ck_assert_str_eq(peer_got(&t.peer, 0) + strlen(want), texts[i]);
        ck_assert_str_eq(peer_got(&t.peer, 1), "QUIT\r\n");
        ck_assert(t.usable && outcome(&t, 0) == STATUS_DELIVERED && outcome(&t, 1) == STATUS_DELIVERED);
        peer_clear(&t.peer);
    }
    free(big);
}
END_TEST

START_TEST(a_larger_one_waits_for_the_answers_to_the_recipients)
{
    char *big = long_text(937);
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n", false },
        { big + 65590 - 72, "250 ok\r\n", false } };
    struct trial t;

    ck_assert_uint_gt(strlen(big), 65536);
    prepare(&t, PIPELINING | CHUNKING, 1, big);
    RUN(&t, SOCK_STREAM, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0), "MAIL FROM:<a@b.example>\r\nRCPT TO:<r0@b.example>\r\n");
    ck_assert_int_eq(strncmp(peer_got(&t.peer, 1), "BDAT 65590 LAST\r\n", 17), 0);
    ck_assert_int_eq(outcome(&t, 0), STATUS_DELIVERED);
    peer_clear(&t.peer);
    free(big);
}
END_TEST

START_TEST(a_large_one_for_nobody_is_not_sent)
{
    char *big = long_text(937);
    const struct peer_step steps[] = { { NULL, "250 a\r\n550 b\r\n", false },
        { NULL, "250 reset\r\n", false } };
    struct trial t;

    prepare(&t, PIPELINING | CHUNKING, 1, big);
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 1), "RSET\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 2), "QUIT\r\n");
    ck_assert(t.usable && outcome(&t, 0) == STATUS_BOUNCED);
    peer_clear(&t.peer);
    free(big);
}
END_TEST

START_TEST(a_megabyte_and_more_leaves_in_chunks_each_of_them_answered)
{
    char *big = long_text(40000); /* 2800000 */
    const struct peer_step steps[] = { { "RCPT TO:<r0@b.example>\r\n", "250 a\r\n250 b\r\n", false },
        { "BDAT 1048576\r\n", "250 c\r\n", false }, { "BDAT 702848 LAST\r\n", "250 d\r\n", false } };
    struct trial t;

    prepare(&t, PIPELINING | CHUNKING, 1, big);
    t.piece = 100000;
    const struct peer_step more[] = { steps[0], steps[1], { "BDAT 1048576\r\n", "250 c\r\n", false },
        steps[2] };
    RUN(&t, SOCK_STREAM, more);
    ck_assert_uint_eq(t.peer.done, 4);
    ck_assert_int_eq(outcome(&t, 0), STATUS_DELIVERED);
    size_t all = 0;
    for (size_t i = 0; i <= 4; i++)
        all += t.peer.got[i].len;
    ck_assert_uint_eq(all, strlen("MAIL FROM:<a@b.example>\r\nRCPT TO:<r0@b.example>\r\n") + 2800000 +
                               2 * strlen("BDAT 1048576\r\n") + strlen("BDAT 702848 LAST\r\n") +
                               strlen("QUIT\r\n"));
    peer_clear(&t.peer);
    free(big);
}
END_TEST

START_TEST(without_chunking_the_envelope_and_data_are_one_flight)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n250 c\r\n354 go\r\n", false },
        { NULL, "250 ok\r\n", false } };
    struct trial t;

    prepare(&t, PIPELINING, 2, SMALL);
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0),
        "MAIL FROM:<a@b.example>\r\nRCPT TO:<r0@b.example>\r\nRCPT TO:<r1@b.example>\r\nDATA\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 1), SMALL ".\r\n");
    ck_assert(t.usable && outcome(&t, 1) == STATUS_DELIVERED);
    peer_clear(&t.peer);
}
END_TEST

START_TEST(without_pipelining_each_command_waits_for_its_answer)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n", false }, { NULL, "250 b\r\n", false },
        { NULL, "550 c\r\n", false }, { NULL, "354 go\r\n", false }, { NULL, "250 ok\r\n", false } };
    struct trial t;

    prepare(&t, NONE, 2, SMALL);
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0), "MAIL FROM:<a@b.example>\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 1), "RCPT TO:<r0@b.example>\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 2), "RCPT TO:<r1@b.example>\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 3), "DATA\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 4), SMALL ".\r\n");
    ck_assert(outcome(&t, 0) == STATUS_DELIVERED && outcome(&t, 1) == STATUS_BOUNCED);
    peer_clear(&t.peer);
}
END_TEST

START_TEST(at_most_a_hundred_recipients_are_unanswered)
{
    char *hundred = repeat("250 ok\r\n", 100);
    char *first = repeat("250 ok\r\n", 101), *last = repeat("250 ok\r\n", 51);
    const struct peer_step steps[] = { { NULL, first, false }, { NULL, hundred, false },
        { NULL, last, false }, { NULL, "250 ok\r\n", false } };
    struct trial t;

    memcpy(last + 50 * 8, "354 go\r\n", 8);
    prepare(&t, PIPELINING, 250, SMALL);
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_uint_eq(count(peer_got(&t.peer, 0), "RCPT TO"), 100);
    ck_assert_uint_eq(count(peer_got(&t.peer, 1), "RCPT TO"), 100);
    ck_assert_uint_eq(count(peer_got(&t.peer, 2), "RCPT TO"), 50);
    ck_assert_uint_eq(count(peer_got(&t.peer, 2), "DATA"), 1);
    for (size_t i = 0; i < 250; i++)
        ck_assert_int_eq(outcome(&t, i), STATUS_DELIVERED);
    peer_clear(&t.peer);
    free(hundred);
    free(first);
    free(last);
}
END_TEST

/* ---------------------------------------------------------------- limits of recipients */

START_TEST(what_is_over_a_limit_of_recipients_goes_in_another_transaction)
{
    const char *codes[] = { "452 4.5.3 too many", "552 too many" };

    for (size_t i = 0; i < 2; i++) {
        char first[200];
        (void)snprintf(
            first, sizeof first, "250 a\r\n250 b\r\n250 c\r\n%s\r\n%s\r\n250 d\r\n", codes[i], codes[i]);
        const struct peer_step steps[] = { { NULL, first, false },
            { NULL, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n", false } };
        struct trial t;

        prepare(&t, PIPELINING | CHUNKING, 4, SMALL);
        RUN(&t, SOCK_SEQPACKET, steps);
        ck_assert_uint_eq(count(peer_got(&t.peer, 1), "RCPT TO"), 2);
        ck_assert_ptr_nonnull(
            strstr(peer_got(&t.peer, 1), "RCPT TO:<r2@b.example>\r\nRCPT TO:<r3@b.example>\r\n"));
        for (size_t k = 0; k < 4; k++)
            ck_assert_int_eq(outcome(&t, k), STATUS_DELIVERED);
        peer_clear(&t.peer);
    }
}
END_TEST

START_TEST(a_limit_that_leaves_nobody_is_tried_once_and_waits)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n452 b\r\n552 c\r\n503 d\r\n", false },
        { NULL, "250 reset\r\n", false } };
    struct trial t;

    prepare(&t, PIPELINING | CHUNKING, 2, SMALL);
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 1), "RSET\r\n");
    ck_assert(t.usable && outcome(&t, 0) == STATUS_DEFERRED && outcome(&t, 1) == STATUS_DEFERRED);
    peer_clear(&t.peer);
}
END_TEST

START_TEST(an_announced_rcptmax_is_kept)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n", false },
        { NULL, "250 a\r\n250 b\r\n250 c\r\n", false } };
    struct trial t;

    prepare(&t, PIPELINING | CHUNKING, 3, SMALL);
    t.s.caps.rcpt_max = 2;
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_uint_eq(count(peer_got(&t.peer, 0), "RCPT TO"), 2);
    ck_assert_uint_eq(count(peer_got(&t.peer, 1), "RCPT TO"), 1);
    ck_assert(t.usable && outcome(&t, 2) == STATUS_DELIVERED);
    peer_clear(&t.peer);
}
END_TEST

/* ---------------------------------------------------------------- replies */

static const struct {
    const char *what;
    unsigned offered;
    struct peer_step steps[4];
    size_t n;
    enum status_outcome outcomes[2];
    bool usable, maybe;
    const char *never; /* is not in what went out behind the first flight */
} replies[] = {
    { "all refused, BDAT refused", PIPELINING | CHUNKING,
        { { NULL, "250 a\r\n550 b\r\n450 c\r\n503 d\r\n", false }, { "RSET\r\n", "250 ok\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_DEFERRED }, true, false, "MAIL" },
    { "sender refused", PIPELINING | CHUNKING,
        { { NULL, "550 a\r\n503 b\r\n503 c\r\n503 d\r\n", false }, { "RSET\r\n", "250 ok\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "MAIL" },
    { "BDAT refused", PIPELINING | CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n554 d\r\n", false }, { "RSET\r\n", "250 ok\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "MAIL" },
    { "RSET refused", PIPELINING | CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n554 d\r\n", false }, { "RSET\r\n", "421 no\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_BOUNCED }, false, false, "MAIL" },
    { "all refused, DATA refused", PIPELINING,
        { { NULL, "250 a\r\n550 b\r\n550 c\r\n503 d\r\n", false }, { "RSET\r\n", "250 ok\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "hello" },
    { "all refused, but 354", PIPELINING,
        { { NULL, "250 a\r\n550 b\r\n550 c\r\n354 d\r\n", false }, { ".\r\n", "554 ok\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "hello" },
    { "sender refused, a recipient not, 354", PIPELINING,
        { { NULL, "550 a\r\n250 b\r\n550 c\r\n354 d\r\n", false } }, 1, { STATUS_BOUNCED, STATUS_BOUNCED },
        false, false, "." },
    { "DATA 4xx", PIPELINING,
        { { NULL, "250 a\r\n250 b\r\n550 c\r\n451 d\r\n", false }, { "RSET\r\n", "250 ok\r\n", false } }, 2,
        { STATUS_DEFERRED, STATUS_BOUNCED }, true, false, "hello" },
    { "DATA 250", PIPELINING, { { NULL, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n", false } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, false, "hello" },
    { "one reply too many before the text", PIPELINING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n250 e\r\n", false } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, false, "\r\n.\r\n" },
    { "a reply is missing", PIPELINING, { { NULL, "250 a\r\n250 b\r\n354 c\r\n", true } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, false, "hello" },
    { "421 to a recipient", PIPELINING | CHUNKING, { { NULL, "250 a\r\n250 b\r\n421 c\r\n", false } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, false, "MAIL" },
    { "421 to the text", PIPELINING | CHUNKING, { { NULL, "250 a\r\n250 b\r\n250 c\r\n421 d\r\n", false } },
        1, { STATUS_DEFERRED, STATUS_DEFERRED }, false, false, "MAIL" },
    { "354 to the text", PIPELINING | CHUNKING, { { NULL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n", false } },
        1, { STATUS_DEFERRED, STATUS_DEFERRED }, false, false, "MAIL" },
    { "no answer to the text", PIPELINING | CHUNKING, { { NULL, "250 a\r\n250 b\r\n250 c\r\n", true } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, true, "MAIL" },
    { "garbage for an answer to the text", PIPELINING | CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n2x0 d\r\n", false } }, 1, { STATUS_DEFERRED, STATUS_DEFERRED },
        false, true, "MAIL" },
    { "two codes in one answer to the text", PIPELINING | CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n250-d\r\n550 e\r\n", false } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, true, "MAIL" },
    { "a bare LF behind the answer", PIPELINING | CHUNKING,
        { { NULL, "250 a\r\n250 b\n250 c\r\n250 d\r\n", false } }, 1, { STATUS_DEFERRED, STATUS_DEFERRED },
        false, true, "MAIL" },
    { "gone before an answer", PIPELINING | CHUNKING, { { NULL, NULL, true } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, true, "MAIL" },
    { "421 in place of all", PIPELINING, { { NULL, "421 bye\r\n", true } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, false, "hello" },
    { "step by step, all refused", NONE,
        { { NULL, "250 a\r\n", false }, { NULL, "550 b\r\n", false }, { NULL, "550 c\r\n", false },
            { "RSET\r\n", "250 ok\r\n", false } },
        4, { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "DATA" },
    { "step by step, sender refused", NONE, { { NULL, "550 a\r\n", false } }, 1,
        { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "RCPT" },
};

START_TEST(whatever_is_replied_nobody_is_lost_and_nobody_refused_gets_it)
{
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct trial t;

        prepare(&t, replies[i].offered, 2, SMALL);
        run(&t, SOCK_SEQPACKET, replies[i].steps, replies[i].n);
        ck_assert_msg(t.peer.done == replies[i].n, "%s: step %zu", replies[i].what, t.peer.done);
        ck_assert_msg(t.usable == replies[i].usable, "%s: usable %d", replies[i].what, t.usable);
        for (size_t k = 0; k < 2; k++)
            ck_assert_msg(outcome(&t, k) == replies[i].outcomes[k], "%s: %zu: %s", replies[i].what, k,
                t.rcpt[k].fact.text);
        ck_assert_msg(t.rcpt[0].fact.maybe_sent == replies[i].maybe, "%s: maybe sent", replies[i].what);
        for (size_t k = 1; k <= replies[i].n; k++)
            ck_assert_msg(strstr(peer_got(&t.peer, k), replies[i].never) == NULL, "%s: %s", replies[i].what,
                peer_got(&t.peer, k));
        peer_clear(&t.peer);
    }
}
END_TEST

START_TEST(those_not_begun_when_the_connection_goes_are_surely_not_sent)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n", true } };
    struct trial t;

    prepare(&t, PIPELINING | CHUNKING, 2, SMALL);
    t.s.caps.rcpt_max = 1;
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert(t.rcpt[0].fact.maybe_sent && !t.rcpt[1].fact.maybe_sent);
    ck_assert_int_eq(outcome(&t, 1), STATUS_DEFERRED);
    peer_clear(&t.peer);
}
END_TEST

/* ---------------------------------------------------------------- parameters */

static void
ask_for_everything(struct trial *t)
{
    t->t.eight_bit = t->t.smtputf8 = true;
    t->t.ret = ENVELOPE_RET_HDRS;
    t->t.envid = "a+b =";
    t->rcpt[0].notify = ENVELOPE_SUCCESS | ENVELOPE_DELAY;
    t->rcpt[0].orcpt = "rfc822;x+y@b.example";
}

START_TEST(parameters_go_out_where_they_are_offered)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n250 c\r\n", false } };
    struct trial t;

    prepare(&t, PIPELINING | CHUNKING, 1, SMALL);
    ask_for_everything(&t);
    t.s.caps.eightbit = t.s.caps.smtputf8 = t.s.caps.dsn = t.s.caps.size = true;
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0),
        "MAIL FROM:<a@b.example> SIZE=21 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb+20+3D\r\n"
        "RCPT TO:<r0@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@b.example\r\nBDAT 21 LAST\r\n" SMALL);
    peer_clear(&t.peer);
}
END_TEST

START_TEST(parameters_stay_here_where_they_are_not_offered)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n354 c\r\n", false },
        { NULL, "250 ok\r\n", false } };
    struct trial t;

    prepare(&t, PIPELINING, 1, SMALL);
    ask_for_everything(&t);
    t.t.smtputf8 = false;
    t.t.binary = true;
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0), "MAIL FROM:<a@b.example>\r\nRCPT TO:<r0@b.example>\r\nDATA\r\n");
    peer_clear(&t.peer);
}
END_TEST

START_TEST(binary_goes_out_as_it_is)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n250 c\r\n", false } };
    struct trial t;

    prepare(&t, PIPELINING | CHUNKING, 1, "a\nb\rc\n.\n");
    t.t.binary = t.s.caps.binary = true;
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0),
        "MAIL FROM:<a@b.example> BODY=BINARYMIME\r\nRCPT TO:<r0@b.example>\r\nBDAT 8 LAST\r\na\nb\rc\n.\n");
    peer_clear(&t.peer);
}
END_TEST

START_TEST(an_orcpt_cannot_bring_a_parameter_of_its_own)
{
    const char *bad[] = { "rfc822 NOTIFY=NEVER;a@b.example", ";a@b.example", "rfc822" };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n250 c\r\n", false } };
        struct trial t;

        prepare(&t, PIPELINING | CHUNKING, 1, SMALL);
        t.s.caps.dsn = true;
        t.rcpt[0].orcpt = bad[i];
        RUN(&t, SOCK_SEQPACKET, steps);
        ck_assert_ptr_nonnull(strstr(peer_got(&t.peer, 0), "RCPT TO:<r0@b.example>\r\n"));
        peer_clear(&t.peer);
    }
}
END_TEST

START_TEST(too_large_or_in_need_of_smtputf8_is_refused_before_a_word)
{
    struct trial t;

    prepare(&t, PIPELINING | CHUNKING, 1, SMALL);
    t.s.caps.size_max = 20;
    run(&t, SOCK_SEQPACKET, NULL, 0);
    ck_assert_str_eq(peer_got(&t.peer, 0), "QUIT\r\n");
    ck_assert(t.usable && outcome(&t, 0) == STATUS_BOUNCED);
    peer_clear(&t.peer);

    prepare(&t, PIPELINING | CHUNKING, 1, SMALL);
    t.t.smtputf8 = true;
    run(&t, SOCK_SEQPACKET, NULL, 0);
    ck_assert_str_eq(peer_got(&t.peer, 0), "QUIT\r\n");
    ck_assert(t.usable && outcome(&t, 0) == STATUS_BOUNCED);
    peer_clear(&t.peer);
}
END_TEST

START_TEST(what_is_offered_only_after_the_login_is_found_by_another_ehlo)
{
    const struct peer_step steps[] = { { NULL, "250-hi\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 DSN\r\n",
                                           false },
        { NULL, "250 a\r\n250 b\r\n250 c\r\n", false } };
    struct trial t;

    prepare(&t, PIPELINING | CHUNKING | LOGIN, 1, SMALL);
    t.rcpt[0].notify = ENVELOPE_NEVER;
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0), "EHLO me\r\n");
    ck_assert_ptr_nonnull(strstr(peer_got(&t.peer, 1), "RCPT TO:<r0@b.example> NOTIFY=NEVER\r\nBDAT"));
    peer_clear(&t.peer);
}
END_TEST

START_TEST(an_ehlo_refused_after_the_login_leaves_what_was_offered_before)
{
    const struct peer_step steps[] = { { NULL, "503 Already identified\r\n", false },
        { NULL, "250 a\r\n250 b\r\n250 c\r\n", false } };
    struct trial t;

    prepare(&t, PIPELINING | CHUNKING | LOGIN, 1, SMALL);
    t.rcpt[0].notify = ENVELOPE_NEVER;
    RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_ptr_nonnull(strstr(peer_got(&t.peer, 1), "RCPT TO:<r0@b.example>\r\nBDAT 21 LAST\r\n"));
    ck_assert(t.usable && outcome(&t, 0) == STATUS_DELIVERED);
    peer_clear(&t.peer);
}
END_TEST

/* ---------------------------------------------------------------- text */

START_TEST(dots_are_doubled_wherever_the_pieces_are_cut)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n354 c\r\n", false },
        { NULL, "250 ok\r\n", false } };

    for (size_t piece = 1; piece < 24; piece++) {
        struct trial t;

        prepare(&t, PIPELINING, 1, ".\r\n..\r\na.b\r\n.c\r\n\r\n.\r\n");
        t.piece = piece;
        RUN(&t, SOCK_SEQPACKET, steps);
        ck_assert_str_eq(peer_got(&t.peer, 1), "..\r\n...\r\na.b\r\n..c\r\n\r\n..\r\n.\r\n");
        peer_clear(&t.peer);
    }
}
END_TEST

START_TEST(a_bare_cr_or_lf_never_goes_out)
{
    const char *bad[] = { "a\nb\r\n", "a\rb\r\n", "a\r\r\n", "a\r\n\n", "\n", "a\r", "\r", "x\r\n.\n" };

    for (size_t i = 0; i < 2 * sizeof bad / sizeof bad[0]; i++)
        for (size_t piece = 0; piece < 3; piece++) {
            const struct peer_step data[] = { { NULL, "250 a\r\n250 b\r\n354 c\r\n", false } };
            bool chunks = i % 2;
            struct trial t;

            prepare(&t, chunks ? PIPELINING | CHUNKING : PIPELINING, 1, bad[i / 2]);
            t.piece = piece;
            run(&t, SOCK_SEQPACKET, data, chunks ? 0 : 1);
            ck_assert_str_eq(peer_got(&t.peer, chunks ? 0 : 1), chunks ? "QUIT\r\n" : "");
            ck_assert(t.usable == chunks && outcome(&t, 0) == STATUS_BOUNCED);
            peer_clear(&t.peer);
        }
}
END_TEST

START_TEST(nothing_is_written_behind_a_text_that_was_cut)
{
    char *big = long_text(40000);
    const struct peer_step steps[] = { { "RCPT TO:<r0@b.example>\r\n", "250 a\r\n250 b\r\n", false },
        { "BDAT", "452 no room\r\n", false } };
    struct trial t;

    prepare(&t, PIPELINING | CHUNKING, 1, big);
    RUN(&t, SOCK_STREAM, steps);
    ck_assert(!t.usable && outcome(&t, 0) == STATUS_DEFERRED);
    ck_assert_ptr_null(strstr(peer_got(&t.peer, 2), "LAST"));
    peer_clear(&t.peer);

    const struct peer_step data[] = { { "DATA\r\n", "250 a\r\n250 b\r\n354 c\r\n", false },
        { "00000\r\n", "451 no room\r\n", false } };
    prepare(&t, PIPELINING, 1, big);
    RUN(&t, SOCK_STREAM, data);
    ck_assert(!t.usable && outcome(&t, 0) == STATUS_DEFERRED);
    ck_assert_ptr_null(strstr(peer_got(&t.peer, 2), "QUIT"));
    ck_assert_ptr_null(strstr(peer_got(&t.peer, 2), "\r\n.\r\n"));
    peer_clear(&t.peer);
    free(big);
}
END_TEST

SUITE_MAIN("transaction", with_pipelining_and_chunking_a_message_of_64_kb_is_one_flight,
    a_larger_one_waits_for_the_answers_to_the_recipients, a_large_one_for_nobody_is_not_sent,
    a_megabyte_and_more_leaves_in_chunks_each_of_them_answered,
    without_chunking_the_envelope_and_data_are_one_flight,
    without_pipelining_each_command_waits_for_its_answer, at_most_a_hundred_recipients_are_unanswered,
    what_is_over_a_limit_of_recipients_goes_in_another_transaction,
    a_limit_that_leaves_nobody_is_tried_once_and_waits, an_announced_rcptmax_is_kept,
    whatever_is_replied_nobody_is_lost_and_nobody_refused_gets_it,
    those_not_begun_when_the_connection_goes_are_surely_not_sent, parameters_go_out_where_they_are_offered,
    parameters_stay_here_where_they_are_not_offered, binary_goes_out_as_it_is,
    an_orcpt_cannot_bring_a_parameter_of_its_own, too_large_or_in_need_of_smtputf8_is_refused_before_a_word,
    what_is_offered_only_after_the_login_is_found_by_another_ehlo,
    an_ehlo_refused_after_the_login_leaves_what_was_offered_before,
    dots_are_doubled_wherever_the_pieces_are_cut, a_bare_cr_or_lf_never_goes_out,
    nothing_is_written_behind_a_text_that_was_cut)
