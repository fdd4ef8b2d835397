/* SPDX-License-Identifier: ISC */
/*
 * measure: run a command and count what it and all its children do, by ptrace: system calls, syncs, the largest resident set.
 * What the figures mean stands in README.md.
 *
 *   measure [-u UID] FILE COMMAND [ARGUMENT...]
 *
 * FILE gets a line for each thread, when it ends:
 *   PROCESS NAME SYSTEM-CALLS SYNCS PEAK-KB PRIVATE-KB
 * The exit code is that of the command.  SIGTERM goes to the command.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS_MAX 65536

struct thread {
    pid_t tid;
    uint64_t calls, syncs;
};

struct measure {
    bool begun; /* the command itself runs: what came before was ours */
    uid_t uid;  /* of the command */
    FILE *out;
    pid_t first; /* process of the command */
    int status;  /* of `first`, when it has ended */
    struct thread *threads;
    size_t n;
};

static pid_t command; /* for the signal handler */

static void
die(const char *what)
{
    fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
    exit(71);
}

/* The C library's ptrace() wants an enum that is not the kernel's */
static long
trace(int request, pid_t tid, size_t addr, const void *data)
{
    return syscall(SYS_ptrace, request, tid, addr, data);
}

/* ---------------------------------------------------------------- threads */

static struct thread *
thread_of(struct measure *m, pid_t tid)
{
    for (size_t i = m->n; i-- > 0;)
        if (m->threads[i].tid == tid)
            return &m->threads[i];
    if (m->n == THREADS_MAX) {
        errno = EAGAIN;
        die("threads");
    }
    m->threads[m->n] = (struct thread){ .tid = tid };
    return &m->threads[m->n++];
}

static void
forget(struct measure *m, pid_t tid)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->threads[i].tid == tid)
            m->threads[i] = m->threads[--m->n];
}

/* A thread is about to end, its memory still there */
static void
report(struct measure *m, const struct thread *t)
{
    char path[64], line[256], name[64] = "?";
    long process = t->tid, peak = 0, anonymous = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", t->tid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        (void)sscanf(line, "Name: %63s", name);
        (void)sscanf(line, "Tgid: %ld", &process);
        (void)sscanf(line, "VmHWM: %ld", &peak);
        (void)sscanf(line, "RssAnon: %ld", &anonymous);
    }
    if (f)
        (void)fclose(f); /* was only read */
    fprintf(m->out, "%ld %s %llu %llu %ld %ld\n", process, name, (unsigned long long)t->calls,
        (unsigned long long)t->syncs, peak, anonymous);
    (void)fflush(m->out); /* seen at the end */
}

/* ---------------------------------------------------------------- events */

static bool
is_sync(uint64_t nr)
{
    return nr == SYS_fsync || nr == SYS_fdatasync || nr == SYS_sync || nr == SYS_syncfs || nr == SYS_msync
#ifdef SYS_sync_file_range
           || nr == SYS_sync_file_range
#endif
        ;
}

static void
count_call(struct thread *t)
{
    struct ptrace_syscall_info info;

    if (trace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof info, &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return;
    t->calls++;
    t->syncs += is_sync(info.entry.nr);
}

/* What stopped a thread; the signal it has to get, 0 for none */
static int
take_stop(struct measure *m, struct thread *t, int status, bool *group_stop)
{
    int sig = WSTOPSIG(status), event = status >> 16;

    if (event == PTRACE_EVENT_EXEC && !m->begun) {
        m->begun = true;
        t->calls = 1; /* the execve itself */
    }
    if (event == PTRACE_EVENT_EXIT && m->begun)
        report(m, t);
    *group_stop = event == PTRACE_EVENT_STOP && sig != SIGTRAP;
    if (event)
        return 0;
    if (sig == (SIGTRAP | 0x80)) {
        if (m->begun)
            count_call(t);
        return 0;
    }
    return sig;
}

static void
resume(pid_t tid, int sig, bool group_stop)
{
    if (trace(group_stop ? PTRACE_LISTEN : PTRACE_SYSCALL, tid, 0, (const void *)(uintptr_t)sig) != 0 &&
        errno != ESRCH)
        die("resume");
}

static void
follow(struct measure *m)
{
    struct thread *t = NULL;
    bool group_stop;
    int status, sig;
    pid_t tid;

    while ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
        if (tid < 0)
            continue;
        if (WIFSTOPPED(status)) {
            if (!t || t->tid != tid)
                t = thread_of(m, tid);
            sig = take_stop(m, t, status, &group_stop);
            resume(tid, sig, group_stop);
            continue;
        }
        if (tid == m->first)
            m->status = status;
        forget(m, tid);
        t = NULL;
    }
}

/* ---------------------------------------------------------------- start */

static void
become(const struct measure *m)
{
    if (m->uid == 0)
        return;
    if (setgroups(0, NULL) != 0 || setgid((gid_t)m->uid) != 0 || setuid(m->uid) != 0)
        die("change of user");
}

/* The command begins to run when the tracer has it: it waits for the end of a pipe */
static void
start(struct measure *m, char **argv)
{
    static const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                                PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD;
    int gate[2];
    char c;

    if (pipe2(gate, O_CLOEXEC) != 0)
        die("pipe");
    m->first = fork();
    if (m->first < 0)
        die("fork");
    if (m->first == 0) {
        (void)close(gate[1]);
        while (read(gate[0], &c, 1) < 0 && errno == EINTR)
            ;
        become(m);
        execvp(argv[0], argv);
        fprintf(stderr, "measure: %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    if (trace(PTRACE_SEIZE, m->first, 0, (const void *)options) != 0)
        die("ptrace");
    (void)close(gate[0]);
    (void)close(gate[1]);
}

static void
pass_on(int sig)
{
    if (command > 0)
        (void)kill(command, sig);
}

int
main(int argc, char **argv)
{
    struct measure m = { 0 };
    int opt;

    while ((opt = getopt(argc, argv, "+u:")) != -1) {
        if (opt != 'u')
            return 64;
        m.uid = (uid_t)strtoul(optarg, NULL, 10);
    }
    if (argc - optind < 2) {
        fputs("usage: measure [-u UID] FILE COMMAND [ARGUMENT...]\n", stderr);
        return 64;
    }
    m.out = fopen(argv[optind], "we");
    m.threads = calloc(THREADS_MAX, sizeof *m.threads);
    if (!m.out || !m.threads)
        die(argv[optind]);
    start(&m, argv + optind + 1);
    command = m.first;
    (void)signal(SIGTERM, pass_on);
    (void)signal(SIGINT, pass_on);
    follow(&m);
    if (fclose(m.out) != 0)
        die(argv[optind]);
    return WIFEXITED(m.status) ? WEXITSTATUS(m.status) : 128 + WTERMSIG(m.status);
}
