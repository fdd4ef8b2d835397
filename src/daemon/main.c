/*
 * smtprelayd: so far `--stdio`: the server for one call of sendmail, on descriptors 0 and 1. The process that was started is the
 * helper (configuration, secrets, workers); the daemon is its child.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/paths.h"
#include "config/route.h"
#include "daemon/ctl.h"
#include "daemon/daemon.h"
#include "daemon/helper.h"
#include "daemon/run.h"

extern char **environ;

enum mode { MODE_DAEMON, MODE_STDIO, MODE_ALIASES, MODE_CTL, MODE_RUN };

struct arguments {
    enum mode mode;
    bool bs;
    struct run_filter filter;
    struct config_request request;
    char **rest;
};

static const char usage[] =
    "usage: smtprelayd [-C FILE] [--stdio [--bs] | --ctl | --check-aliases | --run [I|R|STEXT]]\n";

static void
parse_arguments(int argc, char **argv, struct arguments *a)
{
    int i;

    memset(a, 0, sizeof *a);
    a->request.uid = getuid();
    a->request.environ_ = environ;
    a->request.by_caller = true;
    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--stdio") == 0) {
            a->mode = MODE_STDIO;
        } else if (strcmp(argv[i], "--bs") == 0) {
            a->bs = true;
        } else if (strcmp(argv[i], "--check-aliases") == 0) {
            a->mode = MODE_ALIASES;
        } else if (strcmp(argv[i], "--ctl") == 0) {
            a->mode = MODE_CTL;
        } else if (strcmp(argv[i], "--run") == 0) {
            a->mode = MODE_RUN;
        } else if (strcmp(argv[i], "-C") == 0 && i + 1 < argc) {
            a->request.file = argv[++i];
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("smtprelayd %s\n", version);
            exit(0);
        } else if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        } else if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        } else {
            fatal(EX_USAGE, "unknown option %s; see smtprelayd --help", argv[i]);
        }
    }
    a->rest = argv + i;
    if (a->mode == MODE_RUN && a->rest[0])
        a->filter = (struct run_filter){ a->rest[0][0], a->rest[0] + 1 };
}

static int
serve_stdio(const struct arguments *a)
{
    int pair[2], status, in = STDIN_FILENO, out = STDOUT_FILENO;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        fatal(EX_OSERR, "cannot make a socket pair: %s", strerror(errno));
    pid = fork(); /* before anything secret is in memory */
    if (pid < 0)
        fatal(EX_TEMPFAIL, "cannot start a process: %s", strerror(errno));
    if (pid == 0) {
        file_close(&pair[0]);
        exit(a->mode == MODE_RUN ? run_queue(pair[1], &a->filter)
                                 : daemon_serve_one(in, out, pair[1], a->bs ? SERVER_BS : SERVER_LOCAL));
    }
    file_close(&pair[1]);
    /* the client's descriptors are the daemon's alone */
    file_close(&in);
    file_close(&out);
    if (!file_open_standard())
        fatal(EX_OSERR, "cannot open /dev/null");
    helper_run(pair[0], pid, &a->request);
    file_close(&pair[0]);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return EX_OSERR;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

static int
check_aliases(const struct arguments *a)
{
    struct config c;
    struct error err;
    size_t n;

    if (!config_load(&a->request, &c, &err) || !route_check_aliases(&c, &n, &err))
        fatal((int)err.class, "%s", err.text);
    printf("%zu aliases\n", n);
    config_end(&c);
    return 0;
}

int
main(int argc, char **argv)
{
    struct rlimit none = { 0, 0 };
    struct arguments a;

    mem_program("sendmail");
    if (!file_open_standard())
        return EX_OSERR;
    (void)umask(077);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR ||
        signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_CORE, &none) != 0)
        fatal(EX_OSERR, "cannot set up this process: %s", strerror(errno));
    parse_arguments(argc, argv, &a);
    switch (a.mode) {
    case MODE_RUN:
    case MODE_STDIO:
        return serve_stdio(&a);
    case MODE_ALIASES:
        return check_aliases(&a);
    case MODE_CTL:
        return ctl_serve(&a.request);
    case MODE_DAEMON:
        break;
    }
    mem_program("smtprelayd");
    fatal(EX_CONFIG, "the daemon is not built yet: sendmail works without it");
}
