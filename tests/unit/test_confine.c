/* SPDX-License-Identifier: ISC */
/* confine: what a confined process can no longer do, and what it still can. Each test is a process of its own (libcheck). */
#include "unit/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/file.h"

#define OPEN_DIR "confine-open"
#define CLOSED_DIR "confine-closed"

/* What one child found out comes back as its exit code: 0 = as it should be, 99 = this kernel lacks the piece */
enum { RIGHT = 0, LACKING = 99 };

static void
make_files(void)
{
    static const char *const names[] = { OPEN_DIR "/file", CLOSED_DIR "/file" };

    (void)mkdir(OPEN_DIR, 0700);
    (void)mkdir(CLOSED_DIR, 0700);
    for (size_t i = 0; i < 2; i++) {
        int fd = open(names[i], O_WRONLY | O_CREAT, 0600);
        ck_assert_int_ge(fd, 0);
        file_close(&fd);
    }
}

static unsigned
enter(enum confine_profile profile)
{
    const struct confine_path paths[] = {
        { profile == CONFINE_DAEMON ? "/" : "/usr", CONFINE_READ },
        { "/no/such/file", CONFINE_READ },
        { OPEN_DIR, profile == CONFINE_DAEMON ? CONFINE_WRITE : CONFINE_READ },
    };

    return confine_enter(profile, paths, 3);
}

/* The wait status of a child that is confined and then does `act` */
static int
confined(enum confine_profile profile, unsigned needed, int (*act)(void))
{
    int status = 0;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit((enter(profile) & needed) == needed ? act() : LACKING);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void
expect_right(enum confine_profile profile, unsigned needed, int (*act)(void))
{
    int status = confined(profile, needed, act);

    ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == RIGHT || WEXITSTATUS(status) == LACKING),
        "wait status %x", (unsigned)status);
}

/* The number of the first step that came out wrong */
#define STEP(n, cond) \
    do {              \
        if (!(cond))  \
            return n; \
    } while (0)

static bool
refused(int result, int e)
{
    return result == -1 && errno == e;
}

static int
execute(void)
{
    char *argv[] = { strdup("true"), NULL };

    (void)execve("/bin/true", argv, argv + 1);
    return 1;
}

static void
expect_killed(enum confine_profile profile)
{
    int status = confined(profile, CONFINE_CALLS, execute);

    ck_assert_msg((WIFEXITED(status) && WEXITSTATUS(status) == LACKING) ||
                      (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS),
        "wait status %x", (unsigned)status);
}

START_TEST(executing_a_program_ends_a_confined_process)
{
    expect_killed(CONFINE_WORKER);
    expect_killed(CONFINE_DAEMON);
}
END_TEST

static int
worker_sockets(void)
{
    int four = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];

    STEP(1, four >= 0 && close(four) == 0);
    STEP(2, socket(AF_INET6, SOCK_DGRAM, 0) >= 0 || errno == EAFNOSUPPORT); /* a kernel without IPv6 */
    STEP(3, refused(socket(AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT));
    STEP(4, refused(socket(AF_NETLINK, SOCK_RAW, 0), EAFNOSUPPORT));
    STEP(5, refused(socket(AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT));
    STEP(6, refused(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ENOSYS));
    STEP(7, refused(listen(0, 1), ENOSYS));
    return RIGHT;
}

static int
daemon_sockets(void)
{
    int local = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    STEP(1, local >= 0 && close(local) == 0);
    STEP(2, refused(socket(AF_INET, SOCK_STREAM, 0), EAFNOSUPPORT));
    STEP(3, refused(socket(AF_INET6, SOCK_STREAM, 0), EAFNOSUPPORT));
    STEP(4, refused(socket(AF_NETLINK, SOCK_RAW, 0), EAFNOSUPPORT));
    return RIGHT;
}

START_TEST(a_worker_has_internet_sockets_and_a_daemon_local_ones)
{
    expect_right(CONFINE_WORKER, CONFINE_CALLS, worker_sockets);
    expect_right(CONFINE_DAEMON, CONFINE_CALLS, daemon_sockets);
}
END_TEST

static int
worker_writes(void)
{
    STEP(1, refused(open(OPEN_DIR "/file", O_WRONLY), EACCES));
    STEP(2, refused(open(OPEN_DIR "/file", O_RDWR), EACCES));
    STEP(3, refused(open(OPEN_DIR "/file", O_RDONLY | O_TRUNC), EACCES));
    STEP(4, refused(open(OPEN_DIR "/new", O_RDONLY | O_CREAT, 0600), EACCES));
    STEP(5, refused(open(OPEN_DIR, O_TMPFILE | O_RDWR, 0600), EACCES));
    STEP(6, refused(unlink(OPEN_DIR "/file"), ENOSYS));
    STEP(7, refused(rename(OPEN_DIR "/file", OPEN_DIR "/new"), ENOSYS));
    STEP(8, access(OPEN_DIR "/file", R_OK) == 0 && access(OPEN_DIR "/new", F_OK) != 0);
    return RIGHT;
}

START_TEST(a_worker_writes_no_file)
{
    make_files();
    expect_right(CONFINE_WORKER, CONFINE_CALLS, worker_writes);
}
END_TEST

static int
worker_reads(void)
{
    STEP(1, open(OPEN_DIR "/file", O_RDONLY) >= 0);
    STEP(2, refused(open(CLOSED_DIR "/file", O_RDONLY), EACCES));
    STEP(3, refused(open(CLOSED_DIR, O_RDONLY | O_DIRECTORY), EACCES));
    STEP(4, refused(open(OPEN_DIR "/../" CLOSED_DIR "/file", O_RDONLY), EACCES));
    return RIGHT;
}

START_TEST(a_worker_reads_only_where_it_was_told)
{
    make_files();
    expect_right(CONFINE_WORKER, CONFINE_FILES, worker_reads);
}
END_TEST

static int
daemon_files(void)
{
    char path[64];
    int fd;

    STEP(1, open(CLOSED_DIR "/file", O_RDONLY) >= 0);
    STEP(2, refused(open(CLOSED_DIR "/file", O_WRONLY), EACCES));
    STEP(3, refused(open(CLOSED_DIR "/new", O_WRONLY | O_CREAT, 0600), EACCES));
    STEP(4, refused(unlink(CLOSED_DIR "/file"), EACCES));
    /* how mail enters the queue */
    STEP(5, mkdir(OPEN_DIR "/tmp", 0700) == 0 && mkdir(OPEN_DIR "/queue", 0700) == 0);
    fd = open(OPEN_DIR "/tmp/a", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    STEP(6, fd >= 0 && write(fd, "mail", 4) == 4 && fdatasync(fd) == 0);
    STEP(7, rename(OPEN_DIR "/tmp/a", OPEN_DIR "/queue/a") == 0);
    STEP(8, link(OPEN_DIR "/queue/a", OPEN_DIR "/tmp/b") == 0 && unlink(OPEN_DIR "/tmp/b") == 0);
    STEP(9, close(fd) == 0);
    fd = open(OPEN_DIR, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        STEP(10, linkat(AT_FDCWD, path, AT_FDCWD, OPEN_DIR "/queue/c", AT_SYMLINK_FOLLOW) == 0);
        STEP(11, open(path, O_RDONLY | O_CLOEXEC) >= 0 && unlink(OPEN_DIR "/queue/c") == 0);
    }
    fd = memfd_create("mail", MFD_CLOEXEC);
    STEP(12, fd >= 0 && write(fd, "mail", 4) == 4);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    STEP(13, open(path, O_RDONLY | O_CLOEXEC) >= 0);
    STEP(
        14, unlink(OPEN_DIR "/queue/a") == 0 && rmdir(OPEN_DIR "/queue") == 0 && rmdir(OPEN_DIR "/tmp") == 0);
    return RIGHT;
}

START_TEST(a_daemon_writes_only_where_it_was_told_and_mail_enters_a_queue_there)
{
    make_files();
    expect_right(CONFINE_DAEMON, CONFINE_ALL, daemon_files);
}
END_TEST

static void *
count(void *arg)
{
    ++*(int *)arg;
    return arg;
}

static int
daemon_threads(void)
{
    pthread_t thread;
    int n = 0;

    STEP(1, pthread_create(&thread, NULL, count, &n) == 0 && pthread_join(thread, NULL) == 0 && n == 1);
    return RIGHT;
}

START_TEST(a_daemon_starts_threads)
{
    expect_right(CONFINE_DAEMON, CONFINE_CALLS, daemon_threads);
}
END_TEST

static int
no_process(void)
{
    pid_t parent = getppid();

    STEP(1, refused(fork(), ENOSYS));
    STEP(2, refused(kill(parent, 0), EPERM) && kill(getpid(), 0) == 0);
    STEP(3, refused((int)syscall(SYS_clone3, NULL, 0), ENOSYS));
    return RIGHT;
}

START_TEST(a_confined_process_starts_none_and_signals_no_other)
{
    expect_right(CONFINE_WORKER, CONFINE_CALLS, no_process);
    expect_right(CONFINE_DAEMON, CONFINE_CALLS, no_process);
}
END_TEST

static int
no_writable_code(void)
{
    void *p;

    STEP(1, mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                MAP_FAILED);
    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    STEP(2, p != MAP_FAILED);
    STEP(3, refused(mprotect(p, 4096, PROT_READ | PROT_EXEC), EPERM) && mprotect(p, 4096, PROT_READ) == 0);
    return RIGHT;
}

START_TEST(written_memory_never_becomes_code)
{
    expect_right(CONFINE_WORKER, CONFINE_CALLS, no_writable_code);
    expect_right(CONFINE_DAEMON, CONFINE_CALLS, no_writable_code);
}
END_TEST

static int
enter_again(void)
{
    unsigned bits = enter(CONFINE_WORKER);

    STEP(1, bits & CONFINE_NO_NEW_PRIVS || bits == 0); /* the filter has already taken prctl away */
    STEP(2, open(OPEN_DIR "/file", O_RDONLY) >= 0);
    return RIGHT;
}

START_TEST(to_be_confined_twice_does_no_harm)
{
    make_files();
    expect_right(CONFINE_WORKER, CONFINE_NO_NEW_PRIVS, enter_again);
}
END_TEST

START_TEST(what_holds_is_said_in_words)
{
    ck_assert_str_eq(confine_text(0), "nothing");
    ck_assert_str_eq(confine_text(CONFINE_ALL), "no-new-privileges, files, calls");
    ck_assert_str_eq(confine_text(CONFINE_CALLS | CONFINE_NO_NEW_PRIVS), "no-new-privileges, calls");
}
END_TEST

SUITE_MAIN("confine", executing_a_program_ends_a_confined_process,
    a_worker_has_internet_sockets_and_a_daemon_local_ones, a_worker_writes_no_file,
    a_worker_reads_only_where_it_was_told,
    a_daemon_writes_only_where_it_was_told_and_mail_enters_a_queue_there, a_daemon_starts_threads,
    a_confined_process_starts_none_and_signals_no_other, written_memory_never_becomes_code,
    to_be_confined_twice_does_no_harm, what_holds_is_said_in_words)
