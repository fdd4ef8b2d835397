/* SPDX-License-Identifier: ISC */
/* spawn, settings: a worker that cannot be had says why by itself, and what the daemon makes of a helper that is gone. */
#include "unit/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/slice.h"
#include "config/config.h"
#include "daemon/settings.h"
#include "daemon/spawn.h"
#include "ipc/job.h"

#define PATIENCE_MS 30000

/* One account whose secret is what `command` prints; "" = it has none */
static void
configure(struct config *c, const char *command)
{
    struct error err;

    config_begin(c);
    ck_assert(config_set(c, 0, CONFIG_MAILHUB, slice_of("localhost"), true, "test", &err));
    if (*command)
        ck_assert(config_set(c, 0, CONFIG_AUTH_USER, slice_of("u"), true, "test", &err) &&
                  config_set(c, 0, CONFIG_AUTH_PASS_COMMAND, slice_of(command), true, "test", &err));
    ck_assert_msg(config_complete(c, "client.example.org", NULL, &err), "%s", err.text);
}

static bool
is_readable(int fd, int within_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, within_ms) == 1;
}

/* What the worker says of itself; false: it hangs up */
static bool
hear(int fd, struct job_packet *p, char buffer[JOB_PACKET_MAX])
{
    struct error err;

    ck_assert(is_readable(fd, PATIENCE_MS));
    return job_receive(fd, buffer, p, &err) == 1;
}

START_TEST(a_secret_that_cannot_be_had_is_told_by_the_worker_to_be)
{
    char buffer[JOB_PACKET_MAX];
    struct job_packet p;
    struct config c;
    struct error err;
    int fd;

    configure(&c, "sh -c 'exit 3'");
    ck_assert(spawn_worker(&c, 0, NULL, &fd, &err));
    /* a job in it does not swallow the reason */
    (void)job_send_start(fd, 0, 1, (const unsigned char *)"\1", STDIN_FILENO);
    ck_assert(hear(fd, &p, buffer));
    ck_assert_int_eq(p.type, JOB_FAILED);
    ck_assert_int_eq(p.level, ERROR_ADMIN);
    ck_assert_slice(p.text, "AuthPassCommand: the command failed with exit code 3");
    ck_assert(!hear(fd, &p, buffer));
    file_close(&fd);
    config_end(&c);
}
END_TEST

/*
 * The command waits for the other end of a FIFO. Meanwhile descriptors of the helper are free to end: a peer of one sees that.
 */
START_TEST(a_password_command_that_hangs_holds_up_nobody_and_nothing)
{
    char buffer[JOB_PACKET_MAX];
    struct job_packet p;
    struct config slow, quick;
    struct error err;
    int pair[2], fd, other, fifo;

    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    configure(&slow, "cat fifo");
    configure(&quick, "sh -c 'exit 4'");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert(spawn_worker(&slow, 0, NULL, &fd, &err));
    ck_assert(spawn_worker(&quick, 0, NULL, &other, &err));
    ck_assert(hear(other, &p, buffer));
    ck_assert_int_eq(p.type, JOB_FAILED);
    ck_assert(!is_readable(fd, 0)); /* it still waits */
    file_close(&pair[0]);
    ck_assert(is_readable(pair[1], PATIENCE_MS)); /* nobody else has the other end */
    fifo = open("fifo", O_WRONLY | O_CLOEXEC);    /* the command has it open, or will have */
    ck_assert(file_write(fifo, "\n", 1));
    file_close(&fifo);
    ck_assert(hear(fd, &p, buffer));
    ck_assert_int_eq(p.type, JOB_FAILED);
    ck_assert_slice(p.text, "AuthPassCommand: what the command printed: its first line is empty");
    file_close(&fd);
    file_close(&other);
    file_close(&pair[1]);
    config_end(&slow);
    config_end(&quick);
}
END_TEST

/* Its end is seen when it was reaped, behind what is said of it; the command it waits for has the FIFO */
START_TEST(a_worker_that_was_killed_from_outside_is_told_from_one_that_ended_by_a_fault)
{
    static const int signals[] = { SIGKILL, SIGSEGV };

    for (size_t i = 0; i < 2; i++) {
        struct spawn_kept kept = { .n = 0 };
        char buffer[JOB_PACKET_MAX];
        struct job_packet p;
        struct config c;
        struct error err;
        int fd, fifo, status;
        pid_t pid;

        ck_assert_int_eq(mkfifo("held", 0600), 0);
        configure(&c, "cat held");
        ck_assert(spawn_worker(&c, 0, &kept, &fd, &err));
        ck_assert_uint_eq(kept.n, 1);
        pid = kept.one[0].pid;
        fifo = open("held", O_WRONLY | O_CLOEXEC); /* it has let go of what is ours */
        ck_assert_int_eq(kill(pid, signals[i]), 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(!is_readable(fd, 0));
        ck_assert(!spawn_ended(&kept, pid + 1, status));
        ck_assert(spawn_ended(&kept, pid, status));
        ck_assert(!spawn_ended(&kept, pid, status));
        if (signals[i] == SIGKILL) {
            ck_assert(hear(fd, &p, buffer));
            ck_assert_int_eq(p.type, JOB_STARVED);
        }
        ck_assert(!hear(fd, &p, buffer));
        spawn_let_go(&kept);
        file_close(&fifo);
        file_close(&fd);
        ck_assert_int_eq(unlink("held"), 0);
        config_end(&c);
    }
}
END_TEST

START_TEST(workers_that_ended_are_reaped_and_others_are_left_to_who_waits_for_them)
{
    struct config c;
    struct error err;
    siginfo_t info;
    int fd, status;
    pid_t kept;

    configure(&c, "sh -c 'exit 3'");
    ck_assert(spawn_worker(&c, 0, NULL, &fd, &err));
    ck_assert_int_eq(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0); /* it is a zombie now */
    spawn_reap(-1);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    file_close(&fd);
    kept = fork();
    if (kept == 0)
        _exit(42);
    ck_assert_int_eq(waitid(P_PID, (id_t)kept, &info, WEXITED | WNOWAIT), 0);
    spawn_reap(kept);
    ck_assert_int_eq(waitpid(kept, &status, 0), kept);
    ck_assert_int_eq(WEXITSTATUS(status), 42);
    spawn_reap(-1); /* without any children */
    config_end(&c);
}
END_TEST

START_TEST(a_helper_that_was_killed_is_temporary_trouble)
{
    struct config c;
    struct error err;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    file_close(&pair[0]);
    ck_assert(!settings_receive(&c, NULL, pair[1], &err));
    ck_assert_int_eq(err.class, ERROR_TEMP);
    file_close(&pair[1]);
    config_end(&c);
}
END_TEST

SUITE_MAIN("spawn", a_secret_that_cannot_be_had_is_told_by_the_worker_to_be,
    a_password_command_that_hangs_holds_up_nobody_and_nothing,
    a_worker_that_was_killed_from_outside_is_told_from_one_that_ended_by_a_fault,
    workers_that_ended_are_reaped_and_others_are_left_to_who_waits_for_them,
    a_helper_that_was_killed_is_temporary_trouble)
