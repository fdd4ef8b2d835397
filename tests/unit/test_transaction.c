/* SPDX-License-Identifier: ISC */
/* transaction: how many flights a message takes, and what replies in any order make of it. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "unit/trial.h"

/* ---------------------------------------------------------------- flights */

START_TEST(with_pipelining_and_chunking_a_message_of_64_kb_is_one_flight)
{
    char *big = trial_long_text(936); /* 65520 octets */
    const char *texts[] = { TRIAL_SMALL, big };

    for (size_t i = 0; i < 2; i++) {
        const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n", false } };
        struct trial t;
        char want[200];

        trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 2, texts[i]);
        TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
        (void)snprintf(want, sizeof want,
            "MAIL FROM:<a@b.example>\r\nRCPT TO:<r0@b.example>\r\nRCPT TO:<r1@b.example>\r\nBDAT %zu "
            "LAST\r\n",
            strlen(texts[i]));
        ck_assert_int_eq(strncmp(peer_got(&t.peer, 0), want, strlen(want)), 0);
        ck_assert_str_eq(peer_got(&t.peer, 0) + strlen(want), texts[i]);
        ck_assert_str_eq(peer_got(&t.peer, 1), "QUIT\r\n");
        ck_assert(
            t.usable && trial_outcome(&t, 0) == STATUS_DELIVERED && trial_outcome(&t, 1) == STATUS_DELIVERED);
        peer_clear(&t.peer);
    }
    free(big);
}
END_TEST

START_TEST(a_larger_one_waits_for_the_answers_to_the_recipients)
{
    char *big = trial_long_text(937);
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n", false },
        { big + 65590 - 72, "250 ok\r\n", false } };
    struct trial t;

    ck_assert_uint_gt(strlen(big), 65536);
    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 1, big);
    TRIAL_RUN(&t, SOCK_STREAM, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0), "MAIL FROM:<a@b.example>\r\nRCPT TO:<r0@b.example>\r\n");
    ck_assert_int_eq(strncmp(peer_got(&t.peer, 1), "BDAT 65590 LAST\r\n", 17), 0);
    ck_assert_int_eq(trial_outcome(&t, 0), STATUS_DELIVERED);
    peer_clear(&t.peer);
    free(big);
}
END_TEST

START_TEST(a_large_one_for_nobody_is_not_sent)
{
    char *big = trial_long_text(937);
    const struct peer_step steps[] = { { NULL, "250 a\r\n550 b\r\n", false },
        { NULL, "250 reset\r\n", false } };
    struct trial t;

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 1, big);
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 1), "RSET\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 2), "QUIT\r\n");
    ck_assert(t.usable && trial_outcome(&t, 0) == STATUS_BOUNCED);
    peer_clear(&t.peer);
    free(big);
}
END_TEST

START_TEST(a_megabyte_and_more_leaves_in_chunks_each_of_them_answered)
{
    char *big = trial_long_text(40000); /* 2800000 */
    const struct peer_step steps[] = { { "RCPT TO:<r0@b.example>\r\n", "250 a\r\n250 b\r\n", false },
        { "BDAT 1048576\r\n", "250 c\r\n", false }, { "BDAT 702848 LAST\r\n", "250 d\r\n", false } };
    struct trial t;

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 1, big);
    t.piece = 100000;
    const struct peer_step more[] = { steps[0], steps[1], { "BDAT 1048576\r\n", "250 c\r\n", false },
        steps[2] };
    TRIAL_RUN(&t, SOCK_STREAM, more);
    ck_assert_uint_eq(t.peer.done, 4);
    ck_assert_int_eq(trial_outcome(&t, 0), STATUS_DELIVERED);
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

    trial_prepare(&t, TRIAL_PIPELINING, 2, TRIAL_SMALL);
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0),
        "MAIL FROM:<a@b.example>\r\nRCPT TO:<r0@b.example>\r\nRCPT TO:<r1@b.example>\r\nDATA\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 1), TRIAL_SMALL ".\r\n");
    ck_assert(t.usable && trial_outcome(&t, 1) == STATUS_DELIVERED);
    peer_clear(&t.peer);
}
END_TEST

START_TEST(without_pipelining_each_command_waits_for_its_answer)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n", false }, { NULL, "250 b\r\n", false },
        { NULL, "550 c\r\n", false }, { NULL, "354 go\r\n", false }, { NULL, "250 ok\r\n", false } };
    struct trial t;

    trial_prepare(&t, TRIAL_NONE, 2, TRIAL_SMALL);
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 0), "MAIL FROM:<a@b.example>\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 1), "RCPT TO:<r0@b.example>\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 2), "RCPT TO:<r1@b.example>\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 3), "DATA\r\n");
    ck_assert_str_eq(peer_got(&t.peer, 4), TRIAL_SMALL ".\r\n");
    ck_assert(trial_outcome(&t, 0) == STATUS_DELIVERED && trial_outcome(&t, 1) == STATUS_BOUNCED);
    peer_clear(&t.peer);
}
END_TEST

START_TEST(at_most_a_hundred_recipients_are_unanswered)
{
    char *hundred = trial_repeat("250 ok\r\n", 100);
    char *first = trial_repeat("250 ok\r\n", 101), *last = trial_repeat("250 ok\r\n", 51);
    const struct peer_step steps[] = { { NULL, first, false }, { NULL, hundred, false },
        { NULL, last, false }, { NULL, "250 ok\r\n", false } };
    struct trial t;

    memcpy(last + 50 * 8, "354 go\r\n", 8);
    trial_prepare(&t, TRIAL_PIPELINING, 250, TRIAL_SMALL);
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_uint_eq(trial_count(peer_got(&t.peer, 0), "RCPT TO"), 100);
    ck_assert_uint_eq(trial_count(peer_got(&t.peer, 1), "RCPT TO"), 100);
    ck_assert_uint_eq(trial_count(peer_got(&t.peer, 2), "RCPT TO"), 50);
    ck_assert_uint_eq(trial_count(peer_got(&t.peer, 2), "DATA"), 1);
    for (size_t i = 0; i < 250; i++)
        ck_assert_int_eq(trial_outcome(&t, i), STATUS_DELIVERED);
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

        trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 4, TRIAL_SMALL);
        TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
        ck_assert_uint_eq(trial_count(peer_got(&t.peer, 1), "RCPT TO"), 2);
        ck_assert_ptr_nonnull(
            strstr(peer_got(&t.peer, 1), "RCPT TO:<r2@b.example>\r\nRCPT TO:<r3@b.example>\r\n"));
        for (size_t k = 0; k < 4; k++)
            ck_assert_int_eq(trial_outcome(&t, k), STATUS_DELIVERED);
        peer_clear(&t.peer);
    }
}
END_TEST

START_TEST(a_limit_that_leaves_nobody_is_tried_once_and_waits)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n452 b\r\n552 c\r\n503 d\r\n", false },
        { NULL, "250 reset\r\n", false } };
    struct trial t;

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 2, TRIAL_SMALL);
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_str_eq(peer_got(&t.peer, 1), "RSET\r\n");
    ck_assert(t.usable && trial_outcome(&t, 0) == STATUS_DEFERRED && trial_outcome(&t, 1) == STATUS_DEFERRED);
    peer_clear(&t.peer);
}
END_TEST

START_TEST(an_announced_rcptmax_is_kept)
{
    const struct peer_step steps[] = { { NULL, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n", false },
        { NULL, "250 a\r\n250 b\r\n250 c\r\n", false } };
    struct trial t;

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 3, TRIAL_SMALL);
    t.s.caps.rcpt_max = 2;
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert_uint_eq(trial_count(peer_got(&t.peer, 0), "RCPT TO"), 2);
    ck_assert_uint_eq(trial_count(peer_got(&t.peer, 1), "RCPT TO"), 1);
    ck_assert(t.usable && trial_outcome(&t, 2) == STATUS_DELIVERED);
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
    { "all refused, BDAT refused", TRIAL_PIPELINING | TRIAL_CHUNKING,
        { { NULL, "250 a\r\n550 b\r\n450 c\r\n503 d\r\n", false }, { "RSET\r\n", "250 ok\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_DEFERRED }, true, false, "MAIL" },
    { "sender refused", TRIAL_PIPELINING | TRIAL_CHUNKING,
        { { NULL, "550 a\r\n503 b\r\n503 c\r\n503 d\r\n", false }, { "RSET\r\n", "250 ok\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "MAIL" },
    { "BDAT refused", TRIAL_PIPELINING | TRIAL_CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n554 d\r\n", false }, { "RSET\r\n", "250 ok\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "MAIL" },
    { "RSET refused", TRIAL_PIPELINING | TRIAL_CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n554 d\r\n", false }, { "RSET\r\n", "421 no\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_BOUNCED }, false, false, "MAIL" },
    { "all refused, DATA refused", TRIAL_PIPELINING,
        { { NULL, "250 a\r\n550 b\r\n550 c\r\n503 d\r\n", false }, { "RSET\r\n", "250 ok\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "hello" },
    { "all refused, but 354", TRIAL_PIPELINING,
        { { NULL, "250 a\r\n550 b\r\n550 c\r\n354 d\r\n", false }, { ".\r\n", "554 ok\r\n", false } }, 2,
        { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "hello" },
    { "sender refused, a recipient not, 354", TRIAL_PIPELINING,
        { { NULL, "550 a\r\n250 b\r\n550 c\r\n354 d\r\n", false } }, 1, { STATUS_BOUNCED, STATUS_BOUNCED },
        false, false, "." },
    { "DATA 4xx", TRIAL_PIPELINING,
        { { NULL, "250 a\r\n250 b\r\n550 c\r\n451 d\r\n", false }, { "RSET\r\n", "250 ok\r\n", false } }, 2,
        { STATUS_DEFERRED, STATUS_BOUNCED }, true, false, "hello" },
    { "DATA 250", TRIAL_PIPELINING, { { NULL, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n", false } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, false, "hello" },
    { "one reply too many before the text", TRIAL_PIPELINING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n250 e\r\n", false } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, false, "\r\n.\r\n" },
    { "a reply is missing", TRIAL_PIPELINING, { { NULL, "250 a\r\n250 b\r\n354 c\r\n", true } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, false, "hello" },
    { "421 to a recipient", TRIAL_PIPELINING | TRIAL_CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n421 c\r\n", false } }, 1, { STATUS_DEFERRED, STATUS_DEFERRED }, false,
        false, "MAIL" },
    { "421 to the text", TRIAL_PIPELINING | TRIAL_CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n421 d\r\n", false } }, 1, { STATUS_DEFERRED, STATUS_DEFERRED },
        false, false, "MAIL" },
    { "354 to the text", TRIAL_PIPELINING | TRIAL_CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n354 d\r\n", false } }, 1, { STATUS_DEFERRED, STATUS_DEFERRED },
        false, false, "MAIL" },
    { "no answer to the text", TRIAL_PIPELINING | TRIAL_CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n", true } }, 1, { STATUS_DEFERRED, STATUS_DEFERRED }, false,
        true, "MAIL" },
    { "garbage for an answer to the text", TRIAL_PIPELINING | TRIAL_CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n2x0 d\r\n", false } }, 1, { STATUS_DEFERRED, STATUS_DEFERRED },
        false, true, "MAIL" },
    { "two codes in one answer to the text", TRIAL_PIPELINING | TRIAL_CHUNKING,
        { { NULL, "250 a\r\n250 b\r\n250 c\r\n250-d\r\n550 e\r\n", false } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, true, "MAIL" },
    { "a bare LF behind the answer", TRIAL_PIPELINING | TRIAL_CHUNKING,
        { { NULL, "250 a\r\n250 b\n250 c\r\n250 d\r\n", false } }, 1, { STATUS_DEFERRED, STATUS_DEFERRED },
        false, true, "MAIL" },
    { "gone before an answer", TRIAL_PIPELINING | TRIAL_CHUNKING, { { NULL, NULL, true } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, true, "MAIL" },
    { "421 in place of all", TRIAL_PIPELINING, { { NULL, "421 bye\r\n", true } }, 1,
        { STATUS_DEFERRED, STATUS_DEFERRED }, false, false, "hello" },
    { "step by step, all refused", TRIAL_NONE,
        { { NULL, "250 a\r\n", false }, { NULL, "550 b\r\n", false }, { NULL, "550 c\r\n", false },
            { "RSET\r\n", "250 ok\r\n", false } },
        4, { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "DATA" },
    { "step by step, sender refused", TRIAL_NONE, { { NULL, "550 a\r\n", false } }, 1,
        { STATUS_BOUNCED, STATUS_BOUNCED }, true, false, "RCPT" },
};

START_TEST(whatever_is_replied_nobody_is_lost_and_nobody_refused_gets_it)
{
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct trial t;

        trial_prepare(&t, replies[i].offered, 2, TRIAL_SMALL);
        trial_run(&t, SOCK_SEQPACKET, replies[i].steps, replies[i].n);
        ck_assert_msg(t.peer.done == replies[i].n, "%s: step %zu", replies[i].what, t.peer.done);
        ck_assert_msg(t.usable == replies[i].usable, "%s: usable %d", replies[i].what, t.usable);
        for (size_t k = 0; k < 2; k++)
            ck_assert_msg(trial_outcome(&t, k) == replies[i].outcomes[k], "%s: %zu: %s", replies[i].what, k,
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

    trial_prepare(&t, TRIAL_PIPELINING | TRIAL_CHUNKING, 2, TRIAL_SMALL);
    t.s.caps.rcpt_max = 1;
    TRIAL_RUN(&t, SOCK_SEQPACKET, steps);
    ck_assert(t.rcpt[0].fact.maybe_sent && !t.rcpt[1].fact.maybe_sent);
    ck_assert_int_eq(trial_outcome(&t, 1), STATUS_DEFERRED);
    peer_clear(&t.peer);
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
    those_not_begun_when_the_connection_goes_are_surely_not_sent)
