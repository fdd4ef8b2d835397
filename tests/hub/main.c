/* SPDX-License-Identifier: ISC */
/* main: listens on loopback, a process for each connection, and ends in time whatever happens. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "hub/hub.h"

#define BLACKHOLE_FILL 8
#define PATIENCE 1000 /* times 20 ms */

/* Ports that no system hands out by itself */
enum { FREE_FIRST = 12000, FREE_LAST = 28000, FREE_TRIES = 200 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t
loopback(const struct options *opt, union address *a)
{
    *a = (union address){ 0 };
    if (opt->ipv6) {
        a->v6.sin6_family = AF_INET6;
        a->v6.sin6_addr = in6addr_loopback;
        a->v6.sin6_port = htons((uint16_t)opt->port);
        return sizeof a->v6;
    }
    a->v4.sin_family = AF_INET;
    a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a->v4.sin_port = htons((uint16_t)opt->port);
    return sizeof a->v4;
}

static socklen_t
own_address(const struct options *opt, union address *a)
{
    if (inet_pton(opt->ipv6 ? AF_INET6 : AF_INET, opt->address,
            opt->ipv6 ? (void *)&a->v6.sin6_addr : (void *)&a->v4.sin_addr) != 1)
        fatal(ERROR_USAGE, "--address: %s is none", opt->address);
    return opt->ipv6 ? sizeof a->v6 : sizeof a->v4;
}

/* A listener whose queue is full: who connects now waits for ever. */
static void
fill_queue(int fd)
{
    union address a;
    socklen_t len = sizeof a;

    (void)getsockname(fd, &a.any, &len); /* it was bound a moment ago */
    for (int i = 0; i < BLACKHOLE_FILL; i++) {
        int one = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(one, &a.any, len); /* in progress, and stays so */
    }
}

/* A port that was asked for may still be held by a hub that is on its way out. */
static bool
bind_patiently(int fd, const union address *a, socklen_t len, bool asked_for)
{
    const struct timespec pause = { 0, 20000000 };

    for (int tries = 0; bind(fd, &a->any, len) < 0; tries++) {
        if (errno != EADDRINUSE || !asked_for || tries == PATIENCE)
            return false;
        (void)nanosleep(&pause, NULL); /* a shorter one is no harm */
    }
    return true;
}

static int
listen_open(struct options *opt)
{
    union address a;
    socklen_t len = loopback(opt, &a);
    if (opt->address)
        len = own_address(opt, &a);
    int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, octets = (int)opt->buffer;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        fatal(ERROR_OS, "socket: %s", strerror(errno));
    if (octets && (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets) < 0 ||
                      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets) < 0))
        fatal(ERROR_OS, "socket buffers: %s", strerror(errno));
    if (!bind_patiently(fd, &a, len, opt->port != 0) || getsockname(fd, &a.any, &len) < 0)
        fatal(ERROR_OS, "bind: %s", strerror(errno));
    opt->port = ntohs(opt->ipv6 ? a.v6.sin6_port : a.v4.sin_port);
    if (strcmp(opt->listen, "no") == 0)
        return fd; /* the port is taken, and refuses */
    if (listen(fd, strcmp(opt->listen, "blackhole") == 0 ? 0 : 128) < 0)
        fatal(ERROR_OS, "listen: %s", strerror(errno));
    if (strcmp(opt->listen, "blackhole") == 0)
        fill_queue(fd);
    return fd;
}

/* For who needs the same port again later: nobody gets it by chance while it is not in use, as nobody asked the system for one. */
static int
free_port(void)
{
    union address a = { .v4 = { .sin_family = AF_INET } };
    uint16_t dice;

    a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < FREE_TRIES; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port;
        if (getrandom(&dice, sizeof dice, 0) != sizeof dice)
            fatal(ERROR_OS, "getrandom: %s", strerror(errno));
        port = FREE_FIRST + dice % (FREE_LAST - FREE_FIRST);
        a.v4.sin_port = htons((uint16_t)port);
        if (fd >= 0 && bind(fd, &a.any, sizeof a.v4) == 0) {
            close(fd);
            return port;
        }
        close(fd);
    }
    fatal(ERROR_OS, "no free port between %d and %d", FREE_FIRST, FREE_LAST);
}

/* ---- sessions */

static FILE *
log_open_session(const struct options *opt, unsigned number)
{
    char *path = mem_format("%s/session-%u.log", opt->out, number);
    FILE *f = fopen(path, "we");

    if (!f)
        fatal(ERROR_IO, "%s: %s", path, strerror(errno));
    setvbuf(f, NULL, _IOLBF, 0);
    free(path);
    return f;
}

static noreturn void
serve(struct options *opt, const struct script *script, int fd, unsigned number, unsigned *messages)
{
    struct session s = { .opt = opt, .script = script, .number = number, .messages = messages, .fd = fd };
    union address a;
    socklen_t len = sizeof a;
    int on = 1;

    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* Linux only; the alarm ends it elsewhere */
    alarm((unsigned)(opt->max_time_ms / 1000 + 1));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* slower without, no more */
    s.log = log_open_session(opt, number);
    if (getpeername(fd, &a.any, &len) == 0)
        snprintf(s.client_name, sizeof s.client_name, "port %d",
            ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port));
    session_run(&s);
}

static void
on_end(int sig)
{
    (void)sig;
    _exit(0); /* the sessions end with it */
}

/* In the listener `end` is on_end() and children need no waiting for; in a session all is as usual. */
static void
set_signals(void (*end)(int), void (*child)(int))
{
    static const int ends[] = { SIGTERM, SIGINT, SIGALRM };
    struct sigaction action = { .sa_handler = end };

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        (void)sigaction(ends[i], &action, NULL); /* fails only for signals that cannot be caught */
    action.sa_handler = child;
    (void)sigaction(SIGCHLD, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
}

static void
start_session(struct options *opt, const struct script *script, int listener, int fd, unsigned number,
    unsigned *messages)
{
    pid_t pid = fork();

    if (pid == 0) {
        close(listener);
        set_signals(SIG_DFL, SIG_DFL);
        serve(opt, script, fd, number, messages);
    }
    if (pid < 0)
        fatal(ERROR_OS, "fork: %s", strerror(errno));
    close(fd);
}

static void
accept_loop(struct options *opt, const struct script *script, int listener)
{
    unsigned *messages =
        mmap(NULL, sizeof *messages, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned number = 0;

    if (messages == MAP_FAILED)
        fatal(ERROR_OS, "mmap: %s", strerror(errno));
    while (opt->once ? number < 1 : !opt->accept || number < opt->accept) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            start_session(opt, script, listener, fd, ++number, messages);
    }
    munmap(messages, sizeof *messages);
}

static void
run(struct options *opt, const struct script *script)
{
    int listener;

    set_signals(on_end, SIG_IGN);
    alarm((unsigned)(opt->max_time_ms / 1000 + 1));
    listener = listen_open(opt);
    printf("%d\n", (int)opt->port);
    if (fflush(stdout) != 0)
        fatal(ERROR_IO, "stdout: %s", strerror(errno));
    if (strcmp(opt->listen, "yes") == 0) {
        accept_loop(opt, script, listener);
        close(listener); /* from now on it refuses */
    }
    if (opt->once)
        (void)wait(NULL); /* returns with ECHILD when the session has ended */
    while (!opt->once)
        pause(); /* until SIGTERM or the alarm */
}

/* ---- start */

static void
prepare_folders(struct options *opt, struct error *err)
{
    char *ca;

    if (!opt->out)
        opt->out = mem_dup(".");
    if (mkdir(opt->out, 0755) < 0 && errno != EEXIST)
        fatal(ERROR_IO, "%s: %s", opt->out, strerror(errno));
    if (strcmp(opt->tls, "none") == 0)
        return;
    if (!opt->certs)
        opt->certs = mem_format("%s/certs", opt->out);
    ca = mem_format("%s/ca.pem", opt->certs);
    if (access(ca, R_OK) < 0 && !certs_make(opt->certs, err))
        fatal((int)err->class, "%s", err->text);
    free(ca);
}

static void
usage(void)
{
    puts("hub [-s SCRIPT] [-d OUTDIR] [-p PORT] [-6] [--tls starttls|implicit|none] [--auth \"PLAIN ...\"] "
         "...\n"
         "hub --make-certs DIR\nhub --free-port\nhub --talk PORT|SOCKET [--in-turn] <commands\nSee "
         "tests/hub/README.md.");
}

int
main(int argc, char **argv)
{
    struct script script = { NULL, NULL };
    struct options opt;
    struct error err;
    int rc = 0;

    mem_program("hub");
    error_init(&err);
    options_init(&opt);
    if (!options_parse(&opt, &script, argc, argv, &err))
        fatal((int)err.class, "%s", err.text);
    if (opt.help)
        usage();
    else if (opt.free_port)
        printf("%d\n", free_port());
    else if (opt.talk)
        rc = talk_run(opt.talk, opt.in_turn, opt.max_time_ms);
    else if (opt.make_certs) {
        if (!certs_make(opt.make_certs, &err))
            fatal((int)err.class, "%s", err.text);
    } else {
        prepare_folders(&opt, &err);
        run(&opt, &script);
    }
    script_clear(&script);
    options_clear(&opt);
    return rc;
}
