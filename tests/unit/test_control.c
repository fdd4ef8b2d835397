/* SPDX-License-Identifier: ISC */
/* control: requests mean what they say, nobody sees what is another's, and no byte of a message reaches a terminal as it is. */
#include "unit/suite.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "daemon/control.h"
#include "daemon/ctl.h"

/* ---------------------------------------------------------------- a queue with messages */

static char dir[64];
static struct spool *spool;
static const char content[] = "Subject: x\r\n\r\nhel\tlo\x1b[2J\r\n";

static void
open_queue_with(const struct spool_io *io)
{
    struct error err;

    (void)snprintf(dir, sizeof dir, "/tmp/test-control-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    spool = spool_open(dir, io, &err);
    ck_assert_msg(spool != NULL, "%s", err.text);
}

static void
open_queue(void)
{
    open_queue_with(&spool_io_system);
}

static void
close_queue(void)
{
    char *command = mem_format("rm -rf %s", dir);

    spool_close(spool);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

struct message {
    const char *id, *sender, *recipient, *account, *reason, *mode;
    int64_t uid, age, attempts, last_try_ago;
};

static void
add(const struct message *m)
{
    static const char *const dirs[] = { "/tmp", NULL };
    struct record r;
    struct draft d;
    struct error err;
    int64_t now = (int64_t)clock_wall().tv_sec;
    int fd = file_temp(dirs, &err);

    record_init(&r);
    r.id = mem_dup(m->id);
    r.account = mem_dup(m->account ? m->account : "default");
    r.mode = mem_dup(m->mode ? m->mode : "interactive");
    r.uid = m->uid;
    r.time = now - m->age;
    envelope_set_sender(&r.envelope, m->sender);
    envelope_add(&r.envelope, "done@example.net", 0, NULL);
    r.envelope.rcpt[0].state = ENVELOPE_DONE;
    envelope_add(&r.envelope, m->recipient, 0, NULL);
    r.reason = mem_dup(m->reason ? m->reason : "");
    r.attempts = m->attempts;
    r.last_try = m->attempts ? now - m->last_try_ago : 0;
    ck_assert(file_write(fd, content, sizeof content - 1));
    ck_assert_msg(spool_store(spool, &r, fd, 0, sizeof content - 1, &d, &err), "%s", err.text);
    spool_drop(spool, &d);
    file_close(&fd);
    record_clear(&r);
}

static void
request(struct control_request *q, const char *line, int64_t uid, bool is_operator)
{
    struct error err;

    ck_assert_msg(control_parse(slice_of(line), q, &err), "%s", line);
    q->peer = (struct control_peer){ uid, is_operator };
    q->queue_dir = mem_dup(dir);
}

/* The whole answer, in fresh memory */
static char *
answer_to(struct control_request *q)
{
    static const char *const dirs[] = { "/tmp", NULL };
    struct error err;
    struct buf b;
    int fd = file_temp(dirs, &err);

    ck_assert_int_ge(fd, 0);
    control_answer(q, fd);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    buf_init(&b, 1u << 20);
    ck_assert(file_read_all(fd, &b, "answer", &err));
    file_close(&fd);
    return buf_steal(&b);
}

#define ck_has(text, what) ck_assert_msg(strstr((text), (what)) != NULL, "no '%s' in:\n%s", (what), (text))
#define ck_lacks(text, what) ck_assert_msg(strstr((text), (what)) == NULL, "'%s' in:\n%s", (what), (text))

/* ---------------------------------------------------------------- requests */

START_TEST(a_request_is_what_its_line_says)
{
    static const struct {
        const char *line;
        enum control_verb verb;
        char by;
        const char *text; /* or the last address */
        size_t naddress;
    } good[] = {
        { "list", CONTROL_LIST, 0, NULL, 0 },
        { "queue", CONTROL_QUEUE, 0, NULL, 0 },
        { "status", CONTROL_STATUS, 0, NULL, 0 },
        { "wake", CONTROL_WAKE, 0, NULL, 0 },
        { "run", CONTROL_RUN, 0, NULL, 0 },
        { "run Rbob%25x", CONTROL_RUN, 'R', "bob%x", 0 },
        { "run I", CONTROL_RUN, 'I', "", 0 },
        { "show 0ABC", CONTROL_SHOW, 0, NULL, 0 },
        { "verify a b%20c", CONTROL_VERIFY, 0, "b c", 2 },
        { "verify ", CONTROL_LIST, 0, NULL, 0 },
        { "", CONTROL_LIST, 0, NULL, 0 },
        { " list", CONTROL_LIST, 0, NULL, 0 },
        { "LIST", CONTROL_LIST, 0, NULL, 0 },
        { "list x", CONTROL_LIST, 0, NULL, 0 },
        { "run Xa", CONTROL_LIST, 0, NULL, 0 },
        { "run Ra Rb", CONTROL_LIST, 0, NULL, 0 },
        { "run %00", CONTROL_LIST, 0, NULL, 0 },
        { "show", CONTROL_LIST, 0, NULL, 0 },
        { "verify a%0", CONTROL_LIST, 0, NULL, 0 },
        { "verify a%00b", CONTROL_LIST, 0, NULL, 0 },
        { "remove", CONTROL_LIST, 0, NULL, 0 },
        { "hold --dry-run", CONTROL_LIST, 0, NULL, 0 },
        { "hold --failed --all", CONTROL_LIST, 0, NULL, 0 },
        { "queue --nonsense", CONTROL_LIST, 0, NULL, 0 },
        { "queue --sender", CONTROL_LIST, 0, NULL, 0 },
        { "queue --all%3D1", CONTROL_LIST, 0, NULL, 0 },
        { "queue --older-than%3D2x", CONTROL_LIST, 0, NULL, 0 },
        { "queue --uid%3D-1", CONTROL_LIST, 0, NULL, 0 },
        { "queue --larger-than%3D9223372036854775807G", CONTROL_LIST, 0, NULL, 0 },
        { "status 0ABC x", CONTROL_LIST, 0, NULL, 0 },
    };
    struct control_request q;
    struct error err;

    for (size_t i = 0; i < 9; i++) {
        const char *line = good[i].line;
        ck_assert_msg(control_parse(slice_of(line), &q, &err), "%s", line);
        ck_assert_msg(
            q.verb == good[i].verb && q.by == good[i].by && q.naddress == good[i].naddress, "%s", line);
        if (good[i].text)
            ck_assert_str_eq(q.naddress ? q.address[q.naddress - 1] : q.text, good[i].text);
        control_clear(&q);
    }
    for (size_t i = 9; i < sizeof good / sizeof good[0]; i++) {
        error_init(&err);
        ck_assert_msg(!control_parse(slice_of(good[i].line), &q, &err), "%s", good[i].line);
        ck_assert_int_eq(err.class, ERROR_USAGE);
        control_clear(&q);
    }
}
END_TEST

START_TEST(what_format_writes_parse_reads)
{
    const char *const words[] = { "verify", "a b@c", "%\n=", "" };
    struct control_request q;
    struct error err;
    struct buf line;

    buf_init(&line, 1000);
    control_format(&line, words, 3);
    ck_assert(!slice_has(buf_slice(&line), '\n'));
    ck_assert(control_parse(buf_slice(&line), &q, &err));
    ck_assert_uint_eq(q.naddress, 2);
    ck_assert_str_eq(q.address[0], words[1]);
    ck_assert_str_eq(q.address[1], words[2]);
    control_clear(&q);
    buf_clear(&line);
}
END_TEST

/* ---------------------------------------------------------------- rights */

START_TEST(the_daemons_own_user_is_an_operator)
{
    struct control_peer peer;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert(control_identify(pair[0], -1, &peer));
    ck_assert(peer.uid == (int64_t)geteuid() && peer.is_operator);
    close(pair[0]);
    close(pair[1]);
    ck_assert(!control_identify(-1, 0, &peer));
    ck_assert(peer.uid == -1 && !peer.is_operator);
}
END_TEST

/* A listening socket of ours, its address in *to */
static int
listen_at(struct sockaddr_un *to)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    *to = (struct sockaddr_un){ .sun_family = AF_UNIX };
    (void)snprintf(to->sun_path, sizeof to->sun_path, "%s/socket.ctl", dir);
    ck_assert(fd >= 0 && bind(fd, (const struct sockaddr *)to, sizeof *to) == 0);
    ck_assert(chmod(dir, 0711) == 0 && chmod(to->sun_path, 0666) == 0 && listen(fd, 10) == 0);
    return fd;
}

/* In a child: connect as a user with these groups, and stay until the parent has looked */
static pid_t
caller(const struct sockaddr_un *to, gid_t own, const gid_t *groups, size_t n)
{
    pid_t pid = fork();
    char c;

    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (setgroups(n, groups) != 0 || setgid(own) != 0 || setuid(64213) != 0 ||
        connect(fd, (const struct sockaddr *)to, sizeof *to) != 0)
        _exit(1);
    _exit(read(fd, &c, 1) == 0 ? 0 : 1);
}

/* Where another kernel is emulated they may be missing, or it knows of one only (qemu-user) */
static bool
has_peer_groups(void)
{
    static const gid_t three[] = { 64001, 64002, 64003 };
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int pair[2];
        gid_t groups[16];
        socklen_t len = sizeof groups;
        _exit(!(setgroups(3, three) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 &&
                getsockopt(pair[0], SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0 && len == sizeof three));
    }
    ck_assert(waitpid(pid, &status, 0) == pid);
    return status == 0;
}

START_TEST(members_of_the_group_are_operators_and_nobody_else)
{
    static const gid_t with[] = { 64001, 64002, 64003 }, without[] = { 64001, 64003 };
    static const struct {
        const gid_t *groups;
        size_t n;
        gid_t own;
        bool is_operator;
    } cases[] = { { with, 3, 64213, true }, { without, 2, 64213, false }, { without, 0, 64213, false },
        { without, 0, 64002, true } };
    struct control_peer peer;
    struct sockaddr_un to;
    int listener, status;

    if (geteuid() != 0 || !has_peer_groups())
        return; /* needs to become somebody else */
    open_queue();
    listener = listen_at(&to);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pid_t pid = caller(&to, cases[i].own, cases[i].groups, cases[i].n);
        int fd = accept(listener, NULL, NULL);
        ck_assert_int_ge(fd, 0);
        ck_assert(control_identify(fd, 64002, &peer));
        ck_assert_msg(peer.uid == 64213 && peer.is_operator == cases[i].is_operator, "case %zu", i);
        ck_assert(control_identify(fd, -1, &peer) && !peer.is_operator); /* no such group on this machine */
        close(fd);
        ck_assert(waitpid(pid, &status, 0) == pid && status == 0);
    }
    close(listener);
    close_queue();
}
END_TEST

START_TEST(a_word_wakes_the_daemon_and_nobody_is_missed)
{
    struct sockaddr_un to;
    char line[16] = "", *path;
    int listener, fd;

    open_queue();
    listener = listen_at(&to);
    path = mem_format("%s/socket", dir);
    ctl_wake(path, "root");
    fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(read(fd, line, sizeof line - 1), 5);
    ck_assert_str_eq(line, "wake\n");
    close(fd);
    close(listener);
    ctl_wake(path, "root"); /* nobody there */
    free(path);
    close_queue();
}
END_TEST

START_TEST(only_operators_wake_the_daemon)
{
    struct control_request q;
    struct error err;

    request(&q, "wake", 1001, false);
    ck_assert(!control_is_permitted(&q, &err));
    ck_assert_int_eq(err.class, ERROR_ADMIN);
    q.peer.is_operator = true;
    ck_assert(control_is_permitted(&q, &err));
    control_clear(&q);
    request(&q, "run", 1001, false);
    ck_assert(control_is_permitted(&q, &err));
    control_clear(&q);
}
END_TEST

START_TEST(run_means_what_is_looked_for_and_only_ones_own)
{
    static const struct {
        const char *line;
        int64_t uid;
        bool is_operator;
        const char *ids; /* each in it */
        size_t n;
    } cases[] = { { "run", 0, true, "A1 B2 C3", 3 }, { "run", 1001, false, "A1 B2", 2 },
        { "run", -1, false, "", 0 }, { "run RBOB", 0, true, "A1", 1 }, { "run Rbob", 1002, false, "", 0 },
        { "run Sdave", 0, true, "B2 C3", 2 }, { "run Sdave", 1002, false, "C3", 1 },
        { "run Ic3", 0, true, "C3", 1 }, { "run Inone", 0, true, "", 0 } };
    struct control_request q;
    struct error err;
    char(*ids)[SPOOL_ID_MAX + 1];
    size_t n;

    open_queue();
    add(&(struct message){ "A1", "alice@example.org", "bob@example.net", .uid = 1001 });
    add(&(struct message){ "B2", "dave@example.org", "carol@example.net", .uid = 1001 });
    add(&(struct message){ "C3", "dave@example.org", "carol@example.net", .uid = 1002 });
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        request(&q, cases[i].line, cases[i].uid, cases[i].is_operator);
        ck_assert(control_select(&q, -1, &ids, &n, &err));
        ck_assert_msg(n == cases[i].n, "%s: %zu", cases[i].line, n);
        for (size_t k = 0; k < n; k++)
            ck_has(cases[i].ids, ids[k]);
        ck_assert(control_means_all(&q) == (i == 0));
        free(ids);
        control_clear(&q);
    }
    close_queue();
}
END_TEST

/* ---------------------------------------------------------------- mailq */

START_TEST(mailq_is_postfixs_form)
{
    struct control_request q;
    char *text;

    open_queue();
    request(&q, "list", 0, true);
    text = answer_to(&q);
    ck_assert_str_eq(text, " Mail queue is empty\n=0 \n");
    free(text);
    setenv("TZ", "UTC", 1);
    add(&(struct message){ "0AB", "", "bob@example.net", .reason = "hub:25: later", .attempts = 1,
        .age = (int64_t)clock_wall().tv_sec - 1000000000 });
    text = answer_to(&q);
    ck_assert_str_eq(text, " -Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
                           " 0AB              26 Sun Sep  9 01:46:40  MAILER-DAEMON\n"
                           "                                                                (hub:25: later)\n"
                           "                                          bob@example.net\n"
                           " \n"
                           " -- 0 Kbytes in 1 Request.\n"
                           "=0 \n");
    free(text);
    control_add_active(&q, "0AB");
    text = answer_to(&q);
    ck_has(text, "\n 0AB*             26 Sun");
    free(text);
    control_clear(&q);
    close_queue();
}
END_TEST

START_TEST(others_see_their_own_and_the_last_line_counts_all)
{
    struct control_request q;
    char *text;

    open_queue();
    add(&(struct message){ "A1", "a@example.org", "mine@example.net", .uid = 1001 });
    add(&(struct message){ "B2", "b@example.org", "theirs@example.net", .uid = 1002 });
    add(&(struct message){ "C3", "c@example.org", "nobodys@example.net", .uid = -1 });
    request(&q, "list", 1001, false);
    text = answer_to(&q);
    ck_has(text, "mine@example.net");
    ck_lacks(text, "theirs");
    ck_lacks(text, "nobodys");
    ck_has(text, "in 3 Requests.\n");
    free(text);
    q.verb = CONTROL_QUEUE;
    text = answer_to(&q);
    ck_has(text, "mine@example.net");
    ck_lacks(text, "theirs");
    ck_has(text, "and 2 of others");
    free(text);
    control_clear(&q);
    request(&q, "show B2", 1001, false);
    text = answer_to(&q);
    ck_assert_str_eq(text, "=69 B2: no such message\n");
    free(text);
    control_clear(&q);
    request(&q, "list", -1, false); /* a peer nobody knows owns nothing */
    text = answer_to(&q);
    ck_assert_str_eq(text, " -- 0 Kbytes in 3 Requests.\n=0 \n");
    free(text);
    control_clear(&q);
    close_queue();
}
END_TEST

START_TEST(mailq_escape_no_byte_of_a_message_reaches_the_terminal)
{
    static const char *const lines[] = { "list", "queue", "status", "show A1" };
    struct control_request q;
    char *text;

    open_queue();
    add(&(struct message){ "A1", "\x1b]0;x\x07@example.org",
        "a\x1b[2J\nb\xc2\x9b"
        "1m\xe2\x80\xae@\xff.example",
        .reason = "550 \x1b[31m\r\nred\x7f", .attempts = 1, .account = "de\x1b[1mfault" });
    for (size_t i = 0; i < 4; i++) {
        request(&q, lines[i], 0, true);
        text = answer_to(&q);
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
    close_queue();
}
END_TEST

/* ---------------------------------------------------------------- why and when */

START_TEST(a_frozen_account_says_why_at_each_of_its_messages)
{
    struct control_request q;
    char *text;

    open_queue();
    add(&(struct message){ "A1", "a@example.org", "b@example.net", .reason = "451 later", .attempts = 2 });
    add(&(struct message){
        "B2", "a@example.org", "b@example.net", .account = "other", .reason = "452 full", .attempts = 1 });
    request(&q, "list", 0, true);
    q.snapshot.is_daemon = true;
    control_add_account(&q, "default", CONTROL_FROZEN, "hub: AUTH: 535 no", 300, 600);
    control_add_account(&q, "other", CONTROL_DOWN, "hub2: connect: refused", 5, 60);
    text = answer_to(&q);
    ck_has(text, "(hub: AUTH: 535 no)");
    ck_lacks(text, "451 later");
    ck_has(text, "(452 full)");
    free(text);
    q.verb = CONTROL_STATUS;
    text = answer_to(&q);
    ck_has(text, "account default: frozen, 1 message, the oldest ");
    ck_has(text, " old, next try in 10m, frozen for 5m\n");
    ck_has(text, "account default: why: hub: AUTH: 535 no\n");
    ck_has(text, "account default: do: mend that");
    ck_has(text, "account other: down, 1 message, the oldest ");
    ck_has(text, " old, next try in 1m, down for 5s\n");
    ck_has(text, "account other: do: nothing has to be done");
    free(text);
    control_clear(&q);
    close_queue();
}
END_TEST

START_TEST(a_message_whose_verdict_is_awaited_says_so)
{
    struct control_request q;
    char *text;

    open_queue();
    add(&(struct message){ .id = "A1", .sender = "a@example.org", .recipient = "b@example.net" });
    request(&q, "list", 0, true);
    q.snapshot.is_daemon = true;
    control_add_active(&q, "A1");
    text = answer_to(&q);
    ck_has(text, " A1* ");
    ck_has(text, "(waiting for the verdict)");
    free(text);
    control_clear(&q);
    close_queue();
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

    open_queue();
    add(&(struct message){ "A1", "a@b", "c@d", .age = 1805, .attempts = 3, .last_try_ago = 630 });
    add(&(struct message){ "B2", "a@b", "c@d", .age = 50, .attempts = 1, .last_try_ago = 50 });
    add(&(struct message){ "C3", "a@b", "c@d", .age = 50, .mode = "queue" });
    add(&(struct message){ "D4", "a@b", "c@d", .account = "other", .age = 50, .attempts = 1 });
    add(&(struct message){ "E5", "a@b", "c@d", .age = 1 });
    add(&(struct message){ "F6", "a@b", "c@d", .age = 90000, .attempts = 9, .last_try_ago = 100 });
    request(&q, "queue", 0, true);
    q.snapshot.is_daemon = true;
    q.snapshot.retry_min_s = 30;
    q.snapshot.retry_max_s = 3600;
    q.snapshot.next_run_s = 1800;
    control_add_account(&q, "default", CONTROL_UP, NULL, 0, -1);
    control_add_account(&q, "other", CONTROL_DOWN, "x", 5, 600);
    control_add_active(&q, "F6");
    text = answer_to(&q);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        next_of(text, cases[i].id, next);
        ck_assert_msg(strcmp(next, cases[i].next) == 0, "%s: %s", cases[i].id, text);
    }
    free(text);
    q.snapshot.is_daemon = false; /* nobody tries anything by himself */
    text = answer_to(&q);
    next_of(text, "A1", next);
    ck_assert_str_eq(next, "-");
    free(text);
    control_clear(&q);
    close_queue();
}
END_TEST

START_TEST(show_has_the_whole_message)
{
    struct control_request q;
    char *text;

    open_queue();
    add(&(struct message){ "A1", "a@example.org", "b@example.net", .uid = 1001, .reason = "451 later",
        .attempts = 2, .last_try_ago = 120 });
    request(&q, "show A1", 1001, false);
    text = answer_to(&q);
    ck_has(text, " recipient: <done@example.net> delivered\n recipient: <b@example.net> waits\n");
    ck_has(text, " attempts: 2, the last one 2m ago\n");
    ck_has(text, " why: 451 later\n");
    ck_has(text, " \n Subject: x\n \n hel\tlo\\x1B[2J\n=0 \n");
    free(text);
    control_clear(&q);
    close_queue();
}
END_TEST

START_TEST(no_queue_is_an_empty_one_and_one_that_cannot_be_read_is_75)
{
    struct control_request q;
    char *text;

    open_queue();
    request(&q, "list", 0, true);
    free(q.queue_dir);
    q.queue_dir = mem_format("%s/none", dir);
    text = answer_to(&q);
    ck_assert_str_eq(text, " Mail queue is empty\n=0 \n");
    free(text);
    free(q.queue_dir);
    q.queue_dir = mem_format("%s/version", dir);
    text = answer_to(&q);
    ck_assert_msg(strncmp(text, "=75 queue ", 10) == 0, "%s", text);
    free(text);
    control_clear(&q);
    close_queue();
}
END_TEST

/* ---------------------------------------------------------------- the client's side */

/* What `ask` makes of an answer: "CODE|output|text" */
static char *
asked(const char *answer)
{
    static const char *const dirs[] = { "/tmp", NULL };
    struct error err;
    struct buf out;
    int pair[2], file = file_temp(dirs, &err), code;
    char *all;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert(file_write(pair[1], answer, strlen(answer)));
    ck_assert_int_eq(shutdown(pair[1], SHUT_WR), 0);
    code = ask(pair[0], slice_of("list"), file, 5000, &err);
    close(pair[0]);
    close(pair[1]);
    buf_init(&out, 1u << 20);
    ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
    struct error read_err;
    ck_assert(file_read_all(file, &out, "output", &read_err));
    file_close(&file);
    all = mem_format("%d|%s|%s", code, buf_str(&out), err.text);
    buf_clear(&out);
    return all;
}

/* ---------------------------------------------------------------- changes */

static int times_taken; /* by another one, before it lets go */

static int
lock_late(int fd)
{
    errno = EWOULDBLOCK;
    return times_taken-- > 0 ? -1 : spool_io_system.lock(fd);
}

/* An attempt that has just ended has its file for a moment longer */
START_TEST(a_message_whose_attempt_is_just_over_is_held_and_removed_all_the_same)
{
    static const struct message m = { "1J000100000001", "a@example.org", "b@example.net", .uid = 1000 };
    struct spool_io io = spool_io_system;
    struct control_request hold, removal;
    struct error err;
    struct record r;

    io.lock = lock_late;
    open_queue_with(&io);
    add(&m);
    request(&hold, "hold 1J000100000001", 0, true);
    times_taken = 3;
    ck_assert_msg(control_change(&hold, spool, m.id, "root", &err), "%s", err.text);
    ck_assert(spool_head(spool, m.id, &r, &err));
    ck_assert(r.is_held);
    record_clear(&r);
    request(&removal, "remove 1J000100000001", 0, true);
    times_taken = 3;
    ck_assert_msg(control_change(&removal, spool, m.id, "root", &err), "%s", err.text);
    ck_assert(!control_change(&removal, spool, m.id, "root", &err));
    ck_assert_str_eq(err.text, "1J000100000001: not in the queue");
    control_clear(&hold);
    control_clear(&removal);
    close_queue();
}
END_TEST

START_TEST(an_answer_is_copied_and_ends_as_it_says)
{
    static const struct {
        const char *answer, *result;
    } cases[] = {
        { " one\n two\n=0 \n", "0|one\ntwo\n|" },
        { " \n\n\n  x\n=67 nobody there\n", "67|\n x\n|nobody there" },
        { "=0 a note\n", "0||a note" },
        { " one\n=75 later\n more after the end\n", "75|one\n|later" },
        { "", "75||smtprelayd: ended without an answer" },
        { " one\n tw", "75|one\ntw|smtprelayd: ended without an answer" },
        { " one\n=0 ", "75|one\n|smtprelayd: ended without an answer" },
        { "220 hello\n", "75||smtprelayd: an answer that is not understood" },
        { "=\n", "75||smtprelayd: an answer that is not understood" },
        { "=3 x\n", "75||smtprelayd: an answer that is not understood" },
        { "=99 x\n", "75||smtprelayd: an answer that is not understood" },
        { "=75 \x1b[2J\n", "75||\\x1B[2J" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *got = asked(cases[i].answer);
        ck_assert_str_eq(got, cases[i].result);
        free(got);
    }
}
END_TEST

START_TEST(a_client_that_does_not_read_ends_the_answer)
{
    struct control_request q;
    int pair[2];

    open_queue();
    add(&(struct message){ .id = "A1", .sender = "a@example.org", .recipient = "b@example.net" });
    request(&q, "list", 0, true);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    control_answer(&q, pair[0]); /* returns, and raises no signal */
    close(pair[0]);
    control_clear(&q);
    close_queue();
}
END_TEST

SUITE_MAIN("control", a_request_is_what_its_line_says, what_format_writes_parse_reads,
    the_daemons_own_user_is_an_operator, members_of_the_group_are_operators_and_nobody_else,
    a_word_wakes_the_daemon_and_nobody_is_missed, only_operators_wake_the_daemon,
    run_means_what_is_looked_for_and_only_ones_own, mailq_is_postfixs_form,
    others_see_their_own_and_the_last_line_counts_all, mailq_escape_no_byte_of_a_message_reaches_the_terminal,
    a_frozen_account_says_why_at_each_of_its_messages, a_message_whose_verdict_is_awaited_says_so,
    queue_tells_when_a_message_is_tried_again, show_has_the_whole_message,
    a_message_whose_attempt_is_just_over_is_held_and_removed_all_the_same,
    no_queue_is_an_empty_one_and_one_that_cannot_be_read_is_75, an_answer_is_copied_and_ends_as_it_says,
    a_client_that_does_not_read_ends_the_answer)
