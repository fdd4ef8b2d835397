/* SPDX-License-Identifier: ISC */
/* control_list: nobody sees what is another's, and no byte of a message reaches a terminal as it is. */
#include "unit/suite.h"
#include "unit/queued.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

/* ---------------------------------------------------------------- mailq */

START_TEST(mailq_is_postfixs_form)
{
    struct control_request q;
    char *text;

    queued_open(&spool_io_system);
    queued_request(&q, "list", 0, true);
    text = queued_answer(&q);
    ck_assert_str_eq(text, " Mail queue is empty\n=0 \n");
    free(text);
    setenv("TZ", "UTC", 1);
    queued_add(&(struct queued_message){ "0AB", "", "bob@example.net", .reason = "hub:25: later",
        .attempts = 1, .age = (int64_t)clock_wall().tv_sec - 1000000000 });
    text = queued_answer(&q);
    ck_assert_str_eq(text, " -Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
                           " 0AB              26 Sun Sep  9 01:46:40  MAILER-DAEMON\n"
                           "                                                                (hub:25: later)\n"
                           "                                          bob@example.net\n"
                           " \n"
                           " -- 0 Kbytes in 1 Request.\n"
                           "=0 \n");
    free(text);
    control_add_active(&q, "0AB");
    text = queued_answer(&q);
    ck_has(text, "\n 0AB*             26 Sun");
    free(text);
    control_clear(&q);
    queued_close();
}
END_TEST

START_TEST(others_see_their_own_and_the_last_line_counts_all)
{
    struct control_request q;
    char *text;

    queued_open(&spool_io_system);
    queued_add(&(struct queued_message){ "A1", "a@example.org", "mine@example.net", .uid = 1001 });
    queued_add(&(struct queued_message){ "B2", "b@example.org", "theirs@example.net", .uid = 1002 });
    queued_add(&(struct queued_message){ "C3", "c@example.org", "nobodys@example.net", .uid = -1 });
    queued_request(&q, "list", 1001, false);
    text = queued_answer(&q);
    ck_has(text, "mine@example.net");
    ck_lacks(text, "theirs");
    ck_lacks(text, "nobodys");
    ck_has(text, "in 3 Requests.\n");
    free(text);
    q.verb = CONTROL_QUEUE;
    text = queued_answer(&q);
    ck_has(text, "mine@example.net");
    ck_lacks(text, "theirs");
    ck_has(text, "and 2 of others");
    free(text);
    control_clear(&q);
    queued_request(&q, "show B2", 1001, false);
    text = queued_answer(&q);
    ck_assert_str_eq(text, "=69 B2: no such message\n");
    free(text);
    control_clear(&q);
    queued_request(&q, "list", -1, false); /* a peer nobody knows owns nothing */
    text = queued_answer(&q);
    ck_assert_str_eq(text, " -- 0 Kbytes in 3 Requests.\n=0 \n");
    free(text);
    control_clear(&q);
    queued_close();
}
END_TEST

START_TEST(mailq_escape_no_byte_of_a_message_reaches_the_terminal)
{
    static const char *const lines[] = { "list", "queue", "status", "show A1" };
    struct control_request q;
    char *text;

    queued_open(&spool_io_system);
    queued_add(&(struct queued_message){ "A1", "\x1b]0;x\x07@example.org",
        "a\x1b[2J\nb\xc2\x9b"
        "1m\xe2\x80\xae@\xff.example",
        .reason = "550 \x1b[31m\r\nred\x7f", .attempts = 1, .account = "de\x1b[1mfault" });
    for (size_t i = 0; i < 4; i++) {
        queued_request(&q, lines[i], 0, true);
        text = queued_answer(&q);
        for (const char *p = text; *p; p++)
            ck_assert_msg(!ascii_is_control(*p) || *p == '\n' || *p == '\t', "%s: %d", lines[i], *p);
        ck_lacks(text, "\xe2\x80\xae");
        ck_lacks(text, "\xc2\x9b");
        ck_lacks(text, "\xff");
        for (const char *p = text; (p = strchr(p, '\n')) && *++p;)
            ck_assert_msg(*p == ' ' || *p == '=', "%s: a line of its own: %s", lines[i], p);
        ck_has(text, i == 2 ? "red" : "a\\x1B[2J");
        free(text);
        control_clear(&q);
    }
    queued_close();
}
END_TEST

/* ---------------------------------------------------------------- why and when */

START_TEST(a_frozen_account_says_why_at_each_of_its_messages)
{
    struct control_request q;
    char *text;

    queued_open(&spool_io_system);
    queued_add(&(struct queued_message){
        "A1", "a@example.org", "b@example.net", .reason = "451 later", .attempts = 2 });
    queued_add(&(struct queued_message){
        "B2", "a@example.org", "b@example.net", .account = "other", .reason = "452 full", .attempts = 1 });
    queued_request(&q, "list", 0, true);
    q.snapshot.is_daemon = true;
    control_add_account(&q, "default", CONTROL_FROZEN, "hub: AUTH: 535 no", 300, 600);
    control_add_account(&q, "other", CONTROL_DOWN, "hub2: connect: refused", 5, 60);
    text = queued_answer(&q);
    ck_has(text, "(hub: AUTH: 535 no)");
    ck_lacks(text, "451 later");
    ck_has(text, "(452 full)");
    free(text);
    q.verb = CONTROL_STATUS;
    text = queued_answer(&q);
    ck_has(text, "account default: frozen, 1 message, the oldest ");
    ck_has(text, " old, next try in 10m, frozen for 5m\n");
    ck_has(text, "account default: why: hub: AUTH: 535 no\n");
    ck_has(text, "account default: do: mend that");
    ck_has(text, "account other: down, 1 message, the oldest ");
    ck_has(text, " old, next try in 1m, down for 5s\n");
    ck_has(text, "account other: do: it is tried again by itself");
    free(text);
    control_clear(&q);
    queued_close();
}
END_TEST

START_TEST(a_message_whose_verdict_is_awaited_says_so)
{
    struct control_request q;
    char *text;

    queued_open(&spool_io_system);
    queued_add(
        &(struct queued_message){ .id = "A1", .sender = "a@example.org", .recipient = "b@example.net" });
    queued_request(&q, "list", 0, true);
    q.snapshot.is_daemon = true;
    control_add_active(&q, "A1");
    text = queued_answer(&q);
    ck_has(text, " A1* ");
    ck_has(text, "(waiting for the verdict)");
    free(text);
    control_clear(&q);
    queued_close();
}
END_TEST

/* The column NEXT of a message's line */
static void
next_of(const char *text, const char *id, char out[16])
{
    const char *line = strstr(text, id);
    char age[16], size[16], tries[16];

    ck_assert_ptr_nonnull(line);
    ck_assert_int_eq(sscanf(line + strlen(id), "%15s %15s %15s %15s", age, size, tries, out), 4);
}

START_TEST(queue_tells_when_a_message_is_tried_again)
{
    static const struct {
        const char *id, *next;
    } cases[] = { { "A1", "19m" }, { "B2", "now" }, { "C3", "30m" }, { "D4", "10m" }, { "E5", "now" },
        { "F6", "now" } };
    struct control_request q;
    char *text, next[16];

    queued_open(&spool_io_system);
    queued_add(
        &(struct queued_message){ "A1", "a@b", "c@d", .age = 1805, .attempts = 3, .last_try_ago = 630 });
    queued_add(&(struct queued_message){ "B2", "a@b", "c@d", .age = 50, .attempts = 1, .last_try_ago = 50 });
    queued_add(&(struct queued_message){ "C3", "a@b", "c@d", .age = 50, .mode = "queue" });
    queued_add(&(struct queued_message){ "D4", "a@b", "c@d", .account = "other", .age = 50, .attempts = 1 });
    queued_add(&(struct queued_message){ "E5", "a@b", "c@d", .age = 1 });
    queued_add(
        &(struct queued_message){ "F6", "a@b", "c@d", .age = 90000, .attempts = 9, .last_try_ago = 100 });
    queued_request(&q, "queue", 0, true);
    q.snapshot.is_daemon = true;
    q.snapshot.retry_min_s = 30;
    q.snapshot.retry_max_s = 3600;
    q.snapshot.next_run_s = 1800;
    control_add_account(&q, "default", CONTROL_UP, NULL, 0, -1);
    control_add_account(&q, "other", CONTROL_DOWN, "x", 5, 600);
    control_add_active(&q, "F6");
    text = queued_answer(&q);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        next_of(text, cases[i].id, next);
        ck_assert_msg(strcmp(next, cases[i].next) == 0, "%s: %s", cases[i].id, text);
    }
    free(text);
    q.snapshot.is_daemon = false; /* nobody tries anything by himself */
    text = queued_answer(&q);
    next_of(text, "A1", next);
    ck_assert_str_eq(next, "-");
    free(text);
    control_clear(&q);
    queued_close();
}
END_TEST

START_TEST(show_has_the_whole_message)
{
    struct control_request q;
    char *text;

    queued_open(&spool_io_system);
    queued_add(&(struct queued_message){ "A1", "a@example.org", "b@example.net", .uid = 1001,
        .reason = "451 later", .attempts = 2, .last_try_ago = 120 });
    queued_request(&q, "show A1", 1001, false);
    text = queued_answer(&q);
    ck_has(text, " recipient: <done@example.net> delivered\n recipient: <b@example.net> waits\n");
    ck_has(text, " attempts: 2, the last one 2m ago\n");
    ck_has(text, " why: 451 later\n");
    ck_has(text, " \n Subject: x\n \n hel\tlo\\x1B[2J\n=0 \n");
    free(text);
    control_clear(&q);
    queued_close();
}
END_TEST

START_TEST(no_queue_is_an_empty_one_and_one_that_cannot_be_read_is_75)
{
    struct control_request q;
    char *text;

    queued_open(&spool_io_system);
    queued_request(&q, "list", 0, true);
    free(q.queue_dir);
    q.queue_dir = mem_format("%s/none", queued.dir);
    text = queued_answer(&q);
    ck_assert_str_eq(text, " Mail queue is empty\n=0 \n");
    free(text);
    free(q.queue_dir);
    q.queue_dir = mem_format("%s/version", queued.dir);
    text = queued_answer(&q);
    ck_assert_msg(strncmp(text, "=75 queue ", 10) == 0, "%s", text);
    free(text);
    control_clear(&q);
    queued_close();
}
END_TEST

START_TEST(a_client_that_does_not_read_ends_the_answer)
{
    struct control_request q;
    int pair[2];

    queued_open(&spool_io_system);
    queued_add(
        &(struct queued_message){ .id = "A1", .sender = "a@example.org", .recipient = "b@example.net" });
    queued_request(&q, "list", 0, true);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    control_answer(&q, pair[0]); /* returns, and raises no signal */
    close(pair[0]);
    control_clear(&q);
    queued_close();
}
END_TEST

SUITE_MAIN("control_list", mailq_is_postfixs_form, others_see_their_own_and_the_last_line_counts_all,
    mailq_escape_no_byte_of_a_message_reaches_the_terminal, a_frozen_account_says_why_at_each_of_its_messages,
    a_message_whose_verdict_is_awaited_says_so, queue_tells_when_a_message_is_tried_again,
    show_has_the_whole_message, no_queue_is_an_empty_one_and_one_that_cannot_be_read_is_75,
    a_client_that_does_not_read_ends_the_answer)
