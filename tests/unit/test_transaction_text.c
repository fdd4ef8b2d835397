/* SPDX-License-Identifier: ISC */
/* transaction: what goes out in a flight: parameters, and the text. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "unit/trial.h"

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

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 1, TRIAL_SMALL);
    ask_for_everything(&t);
    t.s.caps.eightbit = t.s.caps.smtputf8 = t.s.caps.dsn = t.s.caps.size = true;
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0),
        "MAIL FROM:<a@b.example> SIZE=21 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb+20+3D\r\n"
        "RCPT TO:<r0@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@b.example\r\nBDAT 21 "
        "LAST\r\n" TRIAL_SMALL);
    peer_clear(&t.peer);
}
END_TEST

START_TEST(parameters_stay_here_where_they_are_not_offered)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n354 c\r\n", false },
        { NULL, "250 ok\r\n", false } };
    struct trial t;

    trial_prepare(&t, TRIAL_PIPELINING, 1, TRIAL_SMALL);
    ask_for_everything(&t);
    t.t.smtputf8 = false;
    t.t.binary = true;
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0), "MAIL FROM:<a@b.example>\r\nRCPT TO:<r0@b.example>\r\nDATA\r\n");
    peer_clear(&t.peer);
}
END_TEST

START_TEST(binary_goes_out_as_it_is)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n250 c\r\n", false } };
    struct trial t;

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 1, "a\nb\rc\n.\n");
    t.t.binary = t.s.caps.binary = true;
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
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

        trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 1, TRIAL_SMALL);
        t.s.caps.dsn = true;
        t.rcpt[0].orcpt = bad[i];
        TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
        ck_assert_ptr_nonnull(strstr(peer_got(&t.peer, 0), "RCPT TO:<r0@b.example>\r\n"));
        peer_clear(&t.peer);
    }
}
END_TEST

START_TEST(too_large_or_in_need_of_smtputf8_is_refused_before_a_word)
{
    struct trial t;

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 1, TRIAL_SMALL);
    t.s.caps.size_max = 20;
    trial_run(&t, SOCK_SEQPACKET, NULL, 0);
    ck_assert_str_eq(peer_got(&t.peer, 0), "QUIT\r\n");
    ck_assert(t.usable && trial_outcome(&t, 0) == STATUS_BOUNCED);
    peer_clear(&t.peer);

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 1, TRIAL_SMALL);
    t.t.smtputf8 = true;
    trial_run(&t, SOCK_SEQPACKET, NULL, 0);
    ck_assert_str_eq(peer_got(&t.peer, 0), "QUIT\r\n");
    ck_assert(t.usable && trial_outcome(&t, 0) == STATUS_BOUNCED);
    peer_clear(&t.peer);
}
END_TEST

START_TEST(what_is_offered_only_after_the_login_is_found_by_another_ehlo)
{
    const struct peer_step steps[] = { { NULL, "250-hi\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 DSN\r\n",
                                           false },
        { NULL, "250 a\r\n250 b\r\n250 c\r\n", false } };
    struct trial t;

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING | TRIAL_LOGIN, 1, TRIAL_SMALL);
    t.rcpt[0].notify = ENVELOPE_NEVER;
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
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

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING | TRIAL_LOGIN, 1, TRIAL_SMALL);
    t.rcpt[0].notify = ENVELOPE_NEVER;
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_ptr_nonnull(strstr(peer_got(&t.peer, 1), "RCPT TO:<r0@b.example>\r\nBDAT 21 LAST\r\n"));
    ck_assert(t.usable && trial_outcome(&t, 0) == STATUS_DELIVERED);
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

        trial_prepare(&t, TRIAL_PIPELINING, 1, ".\r\n..\r\na.b\r\n.c\r\n\r\n.\r\n");
        t.piece = piece;
        TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
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

            trial_prepare(&t, chunks ? TRIAL_PIPELINING | TRIAL_CHUNKING : TRIAL_PIPELINING, 1, bad[i / 2]);
            t.piece = piece;
            trial_run(&t, SOCK_SEQPACKET, data, chunks ? 0 : 1);
            ck_assert_str_eq(peer_got(&t.peer, chunks ? 0 : 1), chunks ? "QUIT\r\n" : "");
            ck_assert(t.usable == chunks && trial_outcome(&t, 0) == STATUS_BOUNCED);
            peer_clear(&t.peer);
        }
}
END_TEST

START_TEST(nothing_is_written_behind_a_text_that_was_cut)
{
    char *big = trial_long_text(40000);
    const struct peer_step steps[] = { { "RCPT TO:<r0@b.example>\r\n", "250 a\r\n250 b\r\n", false },
        { "BDAT", "452 no room\r\n", false } };
    struct trial t;

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 1, big);
    TRIAL_RUN(&t, SOCK_STREAM, steps);
    ck_assert(!t.usable && trial_outcome(&t, 0) == STATUS_DEFERRED);
    ck_assert_ptr_null(strstr(peer_got(&t.peer, 2), "LAST"));
    peer_clear(&t.peer);

    const struct peer_step data[] = { { "DATA\r\n", "250 a\r\n250 b\r\n354 c\r\n", false },
        { "00000\r\n", "451 no room\r\n", false } };
    trial_prepare(&t, TRIAL_PIPELINING, 1, big);
    TRIAL_RUN(&t, SOCK_STREAM, data);
    ck_assert(!t.usable && trial_outcome(&t, 0) == STATUS_DEFERRED);
    ck_assert_ptr_null(strstr(peer_got(&t.peer, 2), "QUIT"));
    ck_assert_ptr_null(strstr(peer_got(&t.peer, 2), "\r\n.\r\n"));
    peer_clear(&t.peer);
    free(big);
}
END_TEST

SUITE_MAIN("transaction_text", parameters_go_out_where_they_are_offered,
    parameters_stay_here_where_they_are_not_offered, binary_goes_out_as_it_is,
    an_orcpt_cannot_bring_a_parameter_of_its_own, too_large_or_in_need_of_smtputf8_is_refused_before_a_word,
    what_is_offered_only_after_the_login_is_found_by_another_ehlo,
    an_ehlo_refused_after_the_login_leaves_what_was_offered_before,
    dots_are_doubled_wherever_the_pieces_are_cut, a_bare_cr_or_lf_never_goes_out,
    nothing_is_written_behind_a_text_that_was_cut)
