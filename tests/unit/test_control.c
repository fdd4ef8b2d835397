/* SPDX-License-Identifier: ISC */
/* control: requests mean what they say, and nobody changes what is another's. */
#include "unit/suite.h"
#include "unit/queued.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/ctl.h"

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
    (void)snprintf(to->sun_path, sizeof to->sun_path, "%s/socket.ctl", queued.dir);
    ck_assert(fd >= 0 && bind(fd, (const struct sockaddr *)to, sizeof *to) == 0);
    ck_assert(chmod(queued.dir, 0711) == 0 && chmod(to->sun_path, 0666) == 0 && listen(fd, 10) == 0);
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
    queued_open(&spool_io_system);
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
    queued_close();
}
END_TEST

START_TEST(a_word_wakes_the_daemon_and_nobody_is_missed)
{
    struct sockaddr_un to;
    char line[16] = "", *path;
    int listener, fd;

    queued_open(&spool_io_system);
    listener = listen_at(&to);
    path = mem_format("%s/socket", queued.dir);
    ctl_wake(path, "root");
    fd = accept(listener, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(read(fd, line, sizeof line - 1), 5);
    ck_assert_str_eq(line, "wake\n");
    close(fd);
    close(listener);
    ctl_wake(path, "root"); /* nobody there */
    free(path);
    queued_close();
}
END_TEST

START_TEST(only_operators_wake_the_daemon)
{
    struct control_request q;
    struct error err;

    queued_request(&q, "wake", 1001, false);
    ck_assert(!control_is_permitted(&q, &err));
    ck_assert_int_eq(err.class, ERROR_ADMIN);
    q.peer.is_operator = true;
    ck_assert(control_is_permitted(&q, &err));
    control_clear(&q);
    queued_request(&q, "run", 1001, false);
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

    queued_open(&spool_io_system);
    queued_add(&(struct queued_message){ "A1", "alice@example.org", "bob@example.net", .uid = 1001 });
    queued_add(&(struct queued_message){ "B2", "dave@example.org", "carol@example.net", .uid = 1001 });
    queued_add(&(struct queued_message){ "C3", "dave@example.org", "carol@example.net", .uid = 1002 });
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        queued_request(&q, cases[i].line, cases[i].uid, cases[i].is_operator);
        ck_assert(control_select(&q, -1, &ids, &n, &err));
        ck_assert_msg(n == cases[i].n, "%s: %zu", cases[i].line, n);
        for (size_t k = 0; k < n; k++)
            ck_has(cases[i].ids, ids[k]);
        ck_assert(control_means_all(&q) == (i == 0));
        free(ids);
        control_clear(&q);
    }
    queued_close();
}
END_TEST

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
    static const struct queued_message m = { "1J000100000001", "a@example.org", "b@example.net",
        .uid = 1000 };
    struct spool_io io = spool_io_system;
    struct control_request hold, removal;
    struct error err;
    struct record r;

    io.lock = lock_late;
    queued_open(&io);
    queued_add(&m);
    queued_request(&hold, "hold 1J000100000001", 0, true);
    times_taken = 3;
    ck_assert_msg(control_change(&hold, queued.spool, m.id, "root", &err), "%s", err.text);
    ck_assert(spool_head(queued.spool, m.id, &r, &err));
    ck_assert(r.is_held);
    record_clear(&r);
    queued_request(&removal, "remove 1J000100000001", 0, true);
    times_taken = 3;
    ck_assert_msg(control_change(&removal, queued.spool, m.id, "root", &err), "%s", err.text);
    ck_assert(!control_change(&removal, queued.spool, m.id, "root", &err));
    ck_assert_str_eq(err.text, "1J000100000001: not in the queue");
    control_clear(&hold);
    control_clear(&removal);
    queued_close();
}
END_TEST

SUITE_MAIN("control", a_request_is_what_its_line_says, what_format_writes_parse_reads,
    the_daemons_own_user_is_an_operator, members_of_the_group_are_operators_and_nobody_else,
    a_word_wakes_the_daemon_and_nobody_is_missed, only_operators_wake_the_daemon,
    run_means_what_is_looked_for_and_only_ones_own,
    a_message_whose_attempt_is_just_over_is_held_and_removed_all_the_same)
