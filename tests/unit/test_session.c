/* SPDX-License-Identifier: ISC */
/* session: what is made of a server's EHLO, and what never goes out in clear. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "smtp/session.h"
#include "unit/peer.h"

struct trial {
    struct session s;
    struct session_options options;
    struct status_fact fact;
    struct peer peer;
    bool open;
};

static void
run(struct trial *t, enum session_tls tls, bool login, const struct peer_step *steps, size_t n)
{
    int fd = peer_start(&t->peer, SOCK_SEQPACKET, steps, n);

    memset(&t->fact, 0, sizeof t->fact);
    t->options = (struct session_options){ .host = "mx.example.org",
        .tls = tls,
        .tls_options = { .host = "mx.example.org" },
        .ehlo_name = "me",
        .user = login ? "user" : NULL,
        .secret = "secret",
        .method = "auto",
        .plaintext_auth = login && tls == SESSION_TLS_NONE,
        .greeting_ms = 20000,
        .timeout_ms = 20000 };
    t->open = session_open(&t->s, fd, &t->options, &t->fact);
    if (t->open)
        session_close(&t->s);
    peer_join(&t->peer);
}

#define RUN(t, tls, login, steps) run((t), (tls), (login), (steps), sizeof(steps) / sizeof((steps)[0]))

static const struct {
    const char *ehlo; /* the reply */
    bool pipelining, chunking, auth;
    uint64_t size_max, rcpt_max, mail_max;
    const char *mechanisms;
} offers[] = {
    { "250 me", false, false, false, 0, 0, 0, "" },
    { "250 PIPELINING", false, false, false, 0, 0, 0, "" }, /* the first line is the name */
    { "250-me\r\n250-pipelining\r\n250-Chunking\r\n250 PIPELINING", true, true, false, 0, 0, 0, "" },
    { "250-me\r\n250 PIPELININGX", false, false, false, 0, 0, 0, "" },
    { "250-me\r\n250 SIZE", false, false, false, 0, 0, 0, "" },
    { "250-me\r\n250 SIZE 0", false, false, false, 0, 0, 0, "" },
    { "250-me\r\n250 SIZE 1000", false, false, false, 1000, 0, 0, "" },
    { "250-me\r\n250 SIZE 18446744073709551615", false, false, false, UINT64_MAX, 0, 0, "" },
    { "250-me\r\n250 SIZE 18446744073709551616", false, false, false, 0, 0, 0, "" },
    { "250-me\r\n250 SIZE -1", false, false, false, 0, 0, 0, "" },
    { "250-me\r\n250 SIZE unlimited", false, false, false, 0, 0, 0, "" },
    { "250-me\r\n250-AUTH PLAIN LOGIN\r\n250 AUTH=LOGIN PLAIN", false, false, true, 0, 0, 0,
        "PLAIN LOGIN LOGIN PLAIN" },
    { "250-me\r\n250 AUTH", false, false, true, 0, 0, 0, "" },
    { "250-me\r\n250 LIMITS RCPTMAX=20 MAILMAX=5 X=1", false, false, false, 0, 20, 5, "" },
    { "250-me\r\n250 LIMITS RCPTMAX=x MAILMAX=-1", false, false, false, 0, 0, 0, "" },
    { "250-me\r\n250-CHUNKING\r\n250", false, true, false, 0, 0, 0, "" },
};

START_TEST(what_ehlo_offers_is_understood_and_nonsense_is_no_limit)
{
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        char reply[300];
        (void)snprintf(reply, sizeof reply, "%s\r\n", offers[i].ehlo);
        const struct peer_step steps[] = { { "", "220 hi\r\n", false }, { NULL, reply, false } };
        struct trial t;

        RUN(&t, SESSION_TLS_NONE, false, steps);
        const struct session_caps *c = &t.s.caps;
        ck_assert_msg(t.open && c->esmtp, "%s: %s", offers[i].ehlo, t.fact.text);
        ck_assert_msg(c->pipelining == offers[i].pipelining && c->chunking == offers[i].chunking &&
                          c->auth == offers[i].auth && c->size_max == offers[i].size_max &&
                          c->rcpt_max == offers[i].rcpt_max && c->mail_max == offers[i].mail_max,
            "%s", offers[i].ehlo);
        ck_assert_str_eq(c->mechanisms, offers[i].mechanisms);
        ck_assert_str_eq(peer_got(&t.peer, 1), "EHLO me\r\n");
        peer_clear(&t.peer);
    }
}
END_TEST

START_TEST(mechanisms_beyond_all_measure_are_dropped)
{
    char reply[20000] = "250-me\r\n";
    size_t n = strlen(reply);

    for (int i = 0; i < 1200; i++)
        n += (size_t)snprintf(reply + n, sizeof reply - n, "250-AUTH M%03d\r\n", i % 1000);
    (void)snprintf(reply + n, sizeof reply - n, "250 X\r\n");
    const struct peer_step steps[] = { { "", "220 hi\r\n", false }, { NULL, reply, false } };
    struct trial t;

    /* one packet holds 16 kB for the reader; the stream is cut into lines all the same */
    int fd = peer_start(&t.peer, SOCK_STREAM, steps, 2);
    t.options =
        (struct session_options){ .host = "h", .ehlo_name = "me", .greeting_ms = 20000, .timeout_ms = 20000 };
    ck_assert(session_open(&t.s, fd, &t.options, &t.fact));
    ck_assert(t.s.caps.auth);
    ck_assert_uint_lt(strlen(t.s.caps.mechanisms), sizeof t.s.caps.mechanisms);
    session_close(&t.s);
    peer_join(&t.peer);
    peer_clear(&t.peer);
}
END_TEST

static const struct {
    const char *greeting, *ehlo, *helo; /* what is said; NULL: not reached */
    bool close;                         /* hang up behind the last */
    bool open;
    enum status_cause cause;
    int code;
} talks[] = {
    { "220 hi\r\n", "502 what\r\n", "250 me\r\n", false, true, STATUS_REPLY, 0 },
    { "220 hi\r\n", "502-what\r\n502-PIPELINING\r\n502 SIZE 5\r\n", "250 me\r\n", false, true, STATUS_REPLY,
        0 },
    { "220 hi\r\n", "502 what\r\n", "550 no\r\n", false, false, STATUS_REPLY, 550 },
    { "220 hi\r\n", "550 bad name\r\n", NULL, true, false, STATUS_REPLY, 550 },
    { "220 hi\r\n", "421 later\r\n", NULL, false, false, STATUS_REPLY, 421 },
    { "220 hi\r\n", "250-me\r\n251 x\r\n", NULL, false, false, STATUS_GARBAGE, 0 },
    { "220 hi\r\n", "250-me\r\n25\r\n", NULL, false, false, STATUS_GARBAGE, 0 },
    { "220 hi\r\n", "250-me\r\n\r\n", NULL, false, false, STATUS_GARBAGE, 0 },
    { "220 hi\r\n", "250-me\n250 x\n", NULL, false, false, STATUS_GARBAGE, 0 },
    { "220 hi\r\n", "250-me\r\n", NULL, true, false, STATUS_NETWORK, 0 },
    { "220hi\r\n", NULL, NULL, false, false, STATUS_GARBAGE, 0 },
    { "554 no\r\n", NULL, NULL, false, false, STATUS_REPLY, 554 },
    { "421 no\r\n", NULL, NULL, false, false, STATUS_REPLY, 421 },
    { "250 hi\r\n", NULL, NULL, false, false, STATUS_REPLY, 250 },
    { "SSH-2.0-x\r\n", NULL, NULL, false, false, STATUS_GARBAGE, 0 },
};

START_TEST(greeting_ehlo_and_helo_are_taken_for_what_they_say)
{
    for (size_t i = 0; i < sizeof talks / sizeof talks[0]; i++) {
        struct peer_step steps[] = { { "", talks[i].greeting, false }, { NULL, talks[i].ehlo, false },
            { NULL, talks[i].helo, false } };
        size_t n = talks[i].helo ? 3 : talks[i].ehlo ? 2 : 1;
        struct trial t;

        steps[n - 1].close = talks[i].close;
        run(&t, SESSION_TLS_NONE, false, steps, n);
        ck_assert_msg(t.open == talks[i].open, "%zu: %s", i, t.fact.text);
        ck_assert_msg(
            t.fact.cause == talks[i].cause && t.fact.code == talks[i].code, "%zu: %s", i, t.fact.text);
        ck_assert(!t.open || (!t.s.caps.esmtp && !t.s.caps.pipelining && !t.s.caps.size_max));
        ck_assert(
            (strcmp(peer_got(&t.peer, n), "QUIT\r\n") == 0) == talks[i].open); /* else HELO may be there */
        peer_clear(&t.peer);
    }
}
END_TEST

static const struct {
    enum session_tls tls;
    const char *ehlo, *starttls;
    enum status_cause cause;
} unsafe[] = {
    { SESSION_TLS_STARTTLS, "250-me\r\n250 AUTH PLAIN\r\n", NULL, STATUS_NOT_OFFERED },
    { SESSION_TLS_STARTTLS, "250-me\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "454 no\r\n", STATUS_REPLY },
    { SESSION_TLS_STARTTLS, "250-me\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "550 no\r\n", STATUS_REPLY },
    { SESSION_TLS_STARTTLS, "250-me\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "220 go\r\n250 slipped in\r\n",
        STATUS_HANDSHAKE },
    { SESSION_TLS_OPPORTUNISTIC, "250-me\r\n250 AUTH PLAIN\r\n", NULL, STATUS_NOT_OFFERED },
    { SESSION_TLS_OPPORTUNISTIC, "250-me\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "454 no\r\n",
        STATUS_NOT_OFFERED },
};

START_TEST(no_login_goes_out_in_clear_whatever_becomes_of_starttls)
{
    for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++) {
        const struct peer_step steps[] = { { "", "220 hi\r\n", false }, { NULL, unsafe[i].ehlo, false },
            { NULL, unsafe[i].starttls, false } };
        size_t n = unsafe[i].starttls ? 3 : 2;
        struct trial t;

        run(&t, unsafe[i].tls, true, steps, n);
        ck_assert_msg(!t.open && t.fact.cause == unsafe[i].cause, "%zu: %s", i, t.fact.text);
        for (size_t k = 0; k <= n; k++)
            ck_assert_ptr_null(strstr(peer_got(&t.peer, k), "AUTH"));
        peer_clear(&t.peer);
    }
}
END_TEST

/* tls.h: nothing more may be sent over the connection */
START_TEST(no_quit_goes_out_in_clear_behind_a_handshake_that_failed)
{
    static const char *const answers[] = { "HTTP/1.1 400 Bad Request\r\n\r\n", "220 mx ESMTP\r\n" };

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct peer_step steps[] = { { "", "220 hi\r\n", false },
            { "\r\n", "250-me\r\n250 STARTTLS\r\n", false }, { "\r\n", "220 go\r\n", false },
            { NULL, answers[i], false } };
        struct trial t;
        int fd = peer_start(&t.peer, SOCK_STREAM, steps, 4);

        t.options = (struct session_options){ .host = "h",
            .tls = SESSION_TLS_STARTTLS,
            .tls_options = { .host = "h" },
            .ehlo_name = "me",
            .greeting_ms = 20000,
            .timeout_ms = 20000 };
        ck_assert(!session_open(&t.s, fd, &t.options, &t.fact));
        peer_join(&t.peer);
        ck_assert_int_eq(t.fact.cause, STATUS_HANDSHAKE);
        ck_assert_ptr_null(strstr(peer_got(&t.peer, 4), "QUIT"));
        peer_clear(&t.peer);
    }
}
END_TEST

START_TEST(a_server_that_never_stops_asking_is_left)
{
    char asks[400] = "";
    for (int i = 0; i < 12; i++)
        memcpy(asks + i * 18, "334 VXNlcm5hbWU6\r\n", 19);
    const struct peer_step steps[] = { { "", "220 hi\r\n", false },
        { NULL, "250-me\r\n250 AUTH LOGIN\r\n", false }, { NULL, asks, false } };
    struct trial t;

    RUN(&t, SESSION_TLS_NONE, true, steps);
    ck_assert(!t.open && t.fact.stage == STATUS_AUTH && t.fact.cause == STATUS_GARBAGE);
    peer_clear(&t.peer);
}
END_TEST

START_TEST(a_session_that_was_spoken_to_or_left_or_has_had_its_mails_is_not_used_again)
{
    const struct peer_step quiet[] = { { "", "220 hi\r\n", false },
        { NULL, "250-me\r\n250 LIMITS MAILMAX=2\r\n", false } };
    const struct peer_step talks_on[] = { { "", "220 hi\r\n", false },
        { NULL, "250 me\r\n421 idle\r\n", false } };
    struct trial t;

    for (int i = 0; i < 2; i++) {
        int fd = peer_start(&t.peer, SOCK_STREAM, i ? talks_on : quiet, 2);
        t.options = (struct session_options){
            .host = "h", .ehlo_name = "me", .greeting_ms = 20000, .timeout_ms = 20000
        };
        ck_assert(session_open(&t.s, fd, &t.options, &t.fact));
        ck_assert(session_is_alive(&t.s) == !i);
        t.s.mails = 2;
        ck_assert(!session_is_alive(&t.s));
        session_close(&t.s);
        ck_assert(!session_is_alive(&t.s));
        peer_join(&t.peer);
        peer_clear(&t.peer);
    }
}
END_TEST

START_TEST(nothing_is_written_behind_a_write_that_ran_out_of_time)
{
    static char text[4u << 20];
    struct session s;
    int pair[2];
    ssize_t n;

    memset(&s, 0, sizeof s);
    memset(text, 'x', sizeof text);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    stream_init(&s.stream, pair[0], NULL, NULL);
    s.introduced = true;
    ck_assert_int_eq(stream_write(&s.stream, slice_make(text, sizeof text), clock_ms()), STREAM_TIMEOUT);
    /* there is room again, but QUIT would be taken for a part of the text */
    ck_assert_int_gt(recv(pair[1], text, sizeof text, 0), 0);
    session_close(&s);
    while ((n = recv(pair[1], text, sizeof text, 0)) > 0)
        ck_assert_ptr_null(memchr(text, 'Q', (size_t)n));
    close(pair[1]);
}
END_TEST

SUITE_MAIN("session", nothing_is_written_behind_a_write_that_ran_out_of_time,
    what_ehlo_offers_is_understood_and_nonsense_is_no_limit, mechanisms_beyond_all_measure_are_dropped,
    greeting_ehlo_and_helo_are_taken_for_what_they_say,
    no_login_goes_out_in_clear_whatever_becomes_of_starttls,
    no_quit_goes_out_in_clear_behind_a_handshake_that_failed, a_server_that_never_stops_asking_is_left,
    a_session_that_was_spoken_to_or_left_or_has_had_its_mails_is_not_used_again)
