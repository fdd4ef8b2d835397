/*
 * sendmail: what every Unix program calls to send mail. Reads the message as the caller, hands it over and exits with the verdict;
 * reads no configuration and no secret, and speaks to nothing but smtprelayd.
 */
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/paths.h"
#include "sendmail/compose.h"
#include "sendmail/options.h"
#include "sendmail/submit.h"

enum { GREETING_MS = 10000, GREETING_OWN_MS = 90000, STALL_MS = 10000 };

static const char usage[] =
    "usage: sendmail [options] [recipient ...] < message\n"
    "  -t        recipients from To, Cc and Bcc      -i   a lone dot does not end the message\n"
    "  -f ADDR   envelope sender                     -F   full name\n"
    "  -v        show the dialog                     -C   configuration file\n"
    "  -bs -bp -bi -bv   SMTP on stdin, list the queue, check aliases, verify recipients\n"
    "See sendmail(8).\n";

static bool quiet;
static const char *log_name = "sendmail";

/* -L: the tag of our lines in the log. A line break or a colon there would make lines look like those of others. */
static void
set_log_name(const char *tag)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    size_t len = tag ? strlen(tag) : 0;

    if (len > 0 && len <= 60 && strspn(tag, plain) == len)
        log_name = tag;
}

static int
complain(const struct error *err)
{
    struct error ignored;

    if (!quiet)
        fprintf(stderr, "sendmail: %s\n", err->text);
    if (log_open(log_name, NULL, LOG_LEVEL_INFO, &ignored))
        log_line(LOG_LEVEL_ERROR, "uid=%ld: %s", (long)getuid(), err->text);
    return (int)err->class;
}

static int
complain_of(enum error_class class, const char *text)
{
    struct error err;

    error_set(&err, class, "%s", text);
    return complain(&err);
}

/* An ordinary user's own configuration serves without the daemon */
static bool
has_own_config(void)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path;
    bool there;

    if (getuid() == 0)
        return false;
    if (base && *base == '/') {
        path = mem_format("%s/smtprelay/config", base);
    } else {
        if (!home || *home != '/') {
            struct passwd *pw = getpwuid(getuid());
            home = pw ? pw->pw_dir : "/nonexistent";
        }
        path = mem_format("%s/.config/smtprelay/config", home);
    }
    there = access(path, F_OK) == 0;
    free(path);
    return there;
}

/* Whoever else may have taken the socket's name, mail is only for root, for the daemon's own user and for the caller */
static bool
is_trusted(int fd, struct error *err)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    struct passwd *pw;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 || len != sizeof cred)
        return error_sys(err, ERROR_TEMP, errno, "%s: cannot tell who listens", path_socket);
    if (cred.uid == 0 || cred.uid == getuid())
        return true;
    pw = getpwnam("smtprelay");
    if (pw && pw->pw_uid == cred.uid)
        return true;
    return error_set(
        err, ERROR_TEMP, "%s: user %ld listens there, who is not smtprelay", path_socket, (long)cred.uid);
}

/* A daemon that accepts nobody has GREETING_MS, too: a blocking connect would wait for ever (unix(7): EAGAIN) */
static bool
connect_patiently(int fd, const struct sockaddr_un *to)
{
    int64_t deadline = clock_deadline(GREETING_MS);

    while (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0) {
        if (errno != EAGAIN && errno != EINTR)
            return false;
        if (clock_left(deadline) == 0) {
            errno = ETIMEDOUT;
            return false;
        }
        (void)poll(NULL, 0, 50);
    }
    return true;
}

/* The daemon's socket: a descriptor, -1 when nobody is there, -2 for any other trouble (err) */
static int
connect_daemon(struct error *err)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path_socket) >= sizeof to.sun_path)
        return -1;
    memcpy(to.sun_path, path_socket, strlen(path_socket));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect_patiently(fd, &to)) {
        if (is_trusted(fd, err))
            return fd;
        file_close(&fd);
        return -2;
    }
    int saved = errno;
    file_close(&fd);
    if (saved == ENOENT || saved == ECONNREFUSED || saved == ENOTDIR)
        return -1;
    error_sys(err, ERROR_TEMP, saved, "%s: cannot be reached", path_socket);
    return -2;
}

static char **
daemon_arguments(const struct options *o, const char *first, const char *second)
{
    char **argv = mem_array(o->nrecipients + 8, sizeof(char *));
    size_t n = 0;

    argv[n++] = mem_dup(path_smtprelayd);
    if (first)
        argv[n++] = mem_dup(first);
    if (second)
        argv[n++] = mem_dup(second);
    if (o->config) {
        argv[n++] = mem_dup("-C");
        argv[n++] = mem_dup(o->config);
    }
    if (o->action == OPTIONS_QUEUE_RUN && o->queue_by) {
        argv[n++] = mem_dup("--");
        argv[n++] = mem_format("%c%s", o->queue_by, o->queue_match);
    }
    if (o->action == OPTIONS_VERIFY) {
        argv[n++] = mem_dup("--");
        for (size_t i = 0; i < o->nrecipients; i++)
            argv[n++] = o->recipients[i];
    }
    return argv;
}

/* Become smtprelayd for what it does with our own descriptors */
static int
become(const struct options *o, const char *first, const char *second)
{
    struct error err;

    execv(path_smtprelayd, daemon_arguments(o, first, second));
    error_sys(&err, ERROR_OS, errno, "%s: cannot be run", path_smtprelayd);
    return complain(&err);
}

/* A server for this one call at the other end of a socket pair, in a process group of its own: ^C is for us */
static int
start_own_server(const struct options *o, struct error *err)
{
    int pair[2];
    pid_t pid;

    if (access(path_smtprelayd, X_OK) != 0) {
        error_sys(err, ERROR_OS, errno, "%s: cannot be run", path_smtprelayd);
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        error_sys(err, ERROR_OS, errno, "cannot make a socket pair");
        return -1;
    }
    pid = fork();
    if (pid == 0) {
        (void)setpgid(0, 0);
        if (dup2(pair[1], STDIN_FILENO) < 0 || dup2(pair[1], STDOUT_FILENO) < 0)
            _exit(EX_OSERR);
        execv(path_smtprelayd, daemon_arguments(o, "--stdio", NULL));
        _exit(EX_OSERR);
    }
    file_close(&pair[1]);
    if (pid > 0)
        return pair[0];
    error_sys(err, ERROR_TEMP, errno, "cannot start a process");
    file_close(&pair[0]);
    return -1;
}

static int
send_message(const struct options *o)
{
    struct compose c;
    struct error err;
    char *note = NULL;
    bool own = o->config || has_own_config();
    int fd, code;

    if (!compose_begin(&c, o, STDIN_FILENO, &err)) {
        compose_clear(&c);
        return complain(&err);
    }
    fd = own ? -1 : connect_daemon(&err);
    own = fd == -1;
    if (fd == -1)
        fd = start_own_server(o, &err);
    if (fd < 0) {
        compose_clear(&c);
        return complain(&err);
    }
    code = submit(fd, &c, own ? GREETING_OWN_MS : GREETING_MS, STALL_MS, &note, &err);
    if (code != 0 && !quiet)
        fprintf(stderr, "sendmail: %s\n", err.text);
    else if (code == 0 && note)
        fprintf(stderr, "sendmail: %s\n", note);
    free(note);
    compose_clear(&c);
    file_close(&fd);
    return code;
}

static int
act(const struct options *o)
{
    switch (o->action) {
    case OPTIONS_SEND:
        return send_message(o);
    case OPTIONS_BS:
        return become(o, "--stdio", "--bs");
    case OPTIONS_MAILQ:
        return become(o, "--list", NULL);
    case OPTIONS_QUEUE_RUN:
        return become(o, "--run", NULL);
    case OPTIONS_ALIASES:
        return become(o, "--check-aliases", NULL);
    case OPTIONS_VERIFY:
        return become(o, "--verify", NULL);
    case OPTIONS_DAEMON:
    case OPTIONS_FOREGROUND:
        return become(o, NULL, NULL);
    case OPTIONS_VERSION:
        printf("smtprelay sendmail %s\n", version);
        return 0;
    case OPTIONS_HELP:
        fputs(usage, stdout);
        return 0;
    }
    panic("an action nobody knows");
}

int
main(int argc, char **argv)
{
    char **recipients;
    struct options o;
    struct error err;
    struct stat st;
    bool had_stdin = fstat(STDIN_FILENO, &st) == 0;
    int code;

    mem_program("sendmail");
    if (!file_open_standard())
        return complain_of(ERROR_OS, "/dev/null: cannot be opened");
    (void)umask(077);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR ||
        signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return complain_of(ERROR_OS, "cannot set up signals");
    recipients = mem_array((size_t)argc + 1, sizeof(char *));
    if (!options_parse(argc, argv, &o, recipients, &err)) {
        free(recipients);
        return complain(&err);
    }
    quiet = o.quiet;
    set_log_name(o.tag);
    if (o.unknown && log_open(log_name, NULL, LOG_LEVEL_INFO, &err))
        log_line(LOG_LEVEL_WARNING, "uid=%ld: option %s is not understood and was passed over",
            (long)getuid(), o.unknown);
    if (o.late && log_open(log_name, NULL, LOG_LEVEL_INFO, &err))
        log_line(LOG_LEVEL_WARNING, "uid=%ld: %s stands behind a recipient and was taken as one",
            (long)getuid(), o.late);
    if (!had_stdin && (o.action == OPTIONS_SEND || o.action == OPTIONS_BS))
        code = complain_of(ERROR_IO, "standard input: it is closed");
    else
        code = act(&o);
    free(recipients);
    return code;
}
