/* SPDX-License-Identifier: ISC */
/*
 * smtprelayd: the daemon, and with `--stdio` the server for one call of sendmail, on descriptors 0 and 1. The process that was
 * started is the helper (configuration, secrets, workers); the daemon is its child, in the first case executed as `--serve`.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/descriptors.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/rights.h"
#include "config/expand.h"
#include "daemon/control_test.h"
#include "daemon/ctl.h"
#include "daemon/daemon.h"
#include "daemon/helper.h"
#include "daemon/run.h"
#include "daemon/serve.h"
#include "daemon/spawn.h"
#include "daemon/supervise.h"

extern char **environ;

enum { DESCRIPTORS = 16384, SERVE_SOCKET = 3, FINISH_MS = 1500 };
enum mode {
    MODE_DAEMON,
    MODE_FOREGROUND, /* sendmail -bD: the same, as a caller may ask for it */
    MODE_BACKGROUND, /* sendmail -bd */
    MODE_SERVE,
    MODE_STDIO,
    MODE_ALIASES,
    MODE_CTL,
    MODE_TEST, /* smtprelay test, by --ctl */
    MODE_RUN
};

struct arguments {
    enum mode mode;
    bool bs;
    struct run_filter filter;
    struct config_request request;
    char **rest;
};

static const char usage[] =
    "usage: smtprelayd [-C FILE]\n"
    "The daemon, in the foreground; SIGHUP reads the configuration again, SIGTERM ends it. "
    "See smtprelayd(8).\n";

/* Who calls says what is to be done: sendmail, smtprelay, or this program itself */
static bool
take_mode(const char *option, enum mode *mode)
{
    static const struct {
        const char *option;
        enum mode mode;
    } modes[] = { { "--stdio", MODE_STDIO }, { "--foreground", MODE_FOREGROUND },
        { "--background", MODE_BACKGROUND }, { "--serve", MODE_SERVE }, { "--check-aliases", MODE_ALIASES },
        { "--ctl", MODE_CTL }, { "--test", MODE_TEST }, { "--run", MODE_RUN } };

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(option, modes[i].option) != 0)
            continue;
        *mode = modes[i].mode;
        return true;
    }
    return false;
}

/* All that was asked for is printed */
static noreturn void
end_printed(void)
{
    mem_program("smtprelayd");
    fatal_unless_printed();
    exit(0);
}

static void
parse_arguments(int argc, char **argv, struct arguments *a)
{
    int i;

    memset(a, 0, sizeof *a);
    a->request.uid = getuid();
    a->request.environ_ = environ;
    a->request.by_caller = true;
    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (take_mode(argv[i], &a->mode))
            continue;
        if (strcmp(argv[i], "--bs") == 0) {
            a->bs = true;
        } else if (strcmp(argv[i], "-C") == 0 && i + 1 < argc) {
            a->request.file = argv[++i];
        } else if (strcmp(argv[i], "--as") == 0 && i + 1 < argc) {
            a->request.name = argv[++i];
        } else if (strcmp(argv[i], "--as-own") == 0 && i + 1 < argc) {
            a->request.name = argv[++i];
            a->request.own = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("smtprelayd %s\n", version);
            end_printed();
        } else if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            end_printed();
        } else if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        } else {
            mem_program("smtprelayd"); /* sendmail has none that is unknown */
            fatal(EX_USAGE, "unknown option %s; see smtprelayd --help", argv[i]);
        }
    }
    a->rest = argv + i;
    if (a->mode == MODE_RUN && a->rest[0])
        a->filter = (struct run_filter){ a->rest[0][0], a->rest[0] + 1 };
}

static int
serve_child(const struct arguments *a, int in, int out, int helper_sock)
{
    struct error err;
    int code;

    if (a->mode == MODE_RUN)
        return run_queue(helper_sock, &a->filter);
    if (a->mode == MODE_TEST)
        return control_test_serve(helper_sock, out, a->rest);
    code = daemon_serve_one(in, out, helper_sock, a->bs ? SERVER_BS : SERVER_LOCAL, &err);
    if (code != 0 && a->bs) /* else sendmail tells it */
        fprintf(stderr, "sendmail: %s\n", err.text);
    return code;
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
        exit(serve_child(a, in, out, pair[1]));
    }
    file_close(&pair[1]);
    /* the client's descriptors are the daemon's alone */
    file_close(&in);
    file_close(&out);
    if (!file_open_standard())
        fatal(EX_OSERR, "cannot open /dev/null");
    helper_run(pair[0], pid, &a->request, a->mode == MODE_RUN);
    file_close(&pair[0]);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return EX_OSERR;
    spawn_finish(FINISH_MS);
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

/* Packages call newaliases when they are installed: without any configuration it is the default's file that is looked at */
static bool
load_for_aliases(const struct config_request *req, struct config *c, struct error *err)
{
    struct error ignored;
    char *own;
    bool none;

    if (config_load(req, c, err))
        return true;
    own = ask_own_config(req->uid);
    none = !req->file && !own && access(path_config, F_OK) != 0 && errno == ENOENT;
    free(own);
    if (!none)
        return false;
    config_begin(c);
    return config_set(
        c, 0, CONFIG_ALIASES, slice_of(config_info(CONFIG_ALIASES)->standard), true, "default", &ignored);
}

static int
check_aliases(const struct arguments *a)
{
    struct config c;
    struct error err;
    size_t n;

    if (!load_for_aliases(&a->request, &c, &err) || !expand_check(&c, &n, &err))
        fatal((int)err.class, "%s", err.text);
    printf("%zu aliases\n", n);
    config_end(&c);
    return 0;
}

/* The file of -C is read again at SIGHUP, wherever this process is then. Fresh memory; NULL: there is none */
static char *
named_file(const struct arguments *a)
{
    return a->request.file ? file_absolute(a->request.file) : NULL;
}

static int
supervise(const struct arguments *a, int ready_fd)
{
    struct supervise_request req = { a->request, ready_fd };
    struct error err;
    char *file;
    int code;

    if (a->rest[0])
        fatal(EX_USAGE, "%s: no arguments are expected; see smtprelayd --help", a->rest[0]);
    req.config.by_caller = a->mode != MODE_DAEMON;
    req.config.file = file = named_file(a);
    code = supervise_run(&req, &err);
    free(file);
    if (code != 0)
        fatal(code, "%s", err.text);
    return 0;
}

/* Wait for the word that it serves, or for its end */
static int
wait_until_ready(pid_t pid, int fd)
{
    char octet;
    int status;

    if (file_read_some(fd, &octet, 1) == 1)
        return 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return EX_OSERR;
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        return WEXITSTATUS(status); /* it has said why */
    fatal(EX_SOFTWARE, "smtprelayd: it ended before it was ready");
}

static int
start_in_background(const struct arguments *a)
{
    struct arguments own = *a;
    int pipes[2], code;
    char *file;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        fatal(EX_OSERR, "cannot make a pipe: %s", strerror(errno));
    own.request.file = file = named_file(a);
    pid = fork();
    if (pid < 0)
        fatal(EX_TEMPFAIL, "cannot start a process: %s", strerror(errno));
    if (pid == 0) {
        file_close(&pipes[0]);
        if (setsid() < 0 || chdir("/") != 0)
            fatal(EX_OSERR, "cannot go to the background: %s", strerror(errno));
        code = supervise(&own, pipes[1]);
    } else {
        file_close(&pipes[1]);
        code = wait_until_ready(pid, pipes[0]);
    }
    free(file);
    return code;
}

/* Many may wait at once, each with a descriptor or two: what the system allows, up to what we serve */
static void
raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* fewer will do */
}

static int
serve(void)
{
    int type = 0;
    socklen_t len = sizeof type;

    if (getsockopt(SERVE_SOCKET, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_SEQPACKET)
        fatal(EX_USAGE, "--serve is only for smtprelayd itself");
    process_set_name("smtprelayd"); /* executed by descriptor, it may have a number for a name */
    descriptors_close_from(SERVE_SOCKET + 1);
    raise_descriptors();
    return serve_run(SERVE_SOCKET);
}

int
main(int argc, char **argv)
{
    struct rlimit none = { 0, 0 };
    struct arguments a;

    mem_program("sendmail");
    if (!file_open_standard() || !rights_drop())
        return EX_OSERR;
    (void)umask(077);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR ||
        signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_CORE, &none) != 0)
        fatal(EX_OSERR, "cannot set up this process: %s", strerror(errno));
    parse_arguments(argc, argv, &a);
    switch (a.mode) {
    case MODE_RUN:
    case MODE_TEST:
    case MODE_STDIO:
        return serve_stdio(&a);
    case MODE_ALIASES:
        return check_aliases(&a);
    case MODE_CTL:
        return ctl_serve(&a.request);
    case MODE_BACKGROUND:
        return start_in_background(&a);
    case MODE_FOREGROUND:
        return supervise(&a, -1);
    case MODE_SERVE:
        mem_program("smtprelayd");
        return serve();
    case MODE_DAEMON:
        mem_program("smtprelayd");
        return supervise(&a, -1);
    }
    panic("a mode nobody knows");
}
