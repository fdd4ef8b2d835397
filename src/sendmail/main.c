/* SPDX-License-Identifier: ISC */
/*
 * sendmail: what every Unix program calls to send mail. Reads the message as the caller, hands it over and exits with the verdict;
 * reads no configuration and no secret, and speaks to nothing but smtprelayd.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/relay.h"
#include "base/rights.h"
#include "base/text.h"
#include "sendmail/compose.h"
#include "sendmail/options.h"
#include "sendmail/submit.h"

enum { GREETING_MS = 10000, GREETING_OWN_MS = 90000, STALL_MS = 10000, ANSWER_MS = 20000, FINISH_MS = 2000 };
enum {
    RESTART_MS = 3000,
    RESTART_STEP_MS = 50
};                            /* a daemon that is restarted is away for some 10 to 40 ms */
enum { REQUEST_MAX = 65536 }; /* of a line to the control socket */

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

/* Only where somebody may be written to or started: a message on its way to the daemon needs none of this */
static void
settle(void)
{
    if (!file_open_standard() || signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR ||
        signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        fatal(EX_OSERR, "cannot set up this process: %s", strerror(errno));
}

static int
complain(const struct error *err)
{
    struct error ignored;

    settle();
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
has_own_config(const struct options *o)
{
    char *path = o->config ? NULL : ask_own_config(rights_caller());
    bool there = o->config || path;

    free(path);
    return there;
}

/* Who may not read the configuration cannot do without the daemon */
static bool
needs_daemon(void)
{
    return access(path_config, R_OK) != 0 && (errno == EACCES || errno == EPERM);
}

/* The daemon, also one that is just being restarted, where there is no other way; else as ask_connect() */
static int
reach_daemon(const char *path, struct error *err)
{
    int64_t deadline = clock_deadline(RESTART_MS);
    int fd;

    while ((fd = ask_connect(path, "smtprelay", GREETING_MS, err)) == ASK_NOBODY && needs_daemon() &&
           clock_left(deadline) != 0)
        (void)poll(NULL, 0, RESTART_STEP_MS); /* a signal makes it shorter */
    return fd;
}

static char **
daemon_arguments(const struct options *o, const char *first, const char *second)
{
    char **argv = mem_array(8, sizeof(char *));
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
    return argv;
}

/* smtprelayd for this one call, at the other end of a socket pair */
static int
start_own(const struct options *o, const char *mode, bool apart, pid_t *pid, struct error *err)
{
    char **argv = daemon_arguments(o, mode, NULL);
    int fd = ask_start(argv, apart, pid, err);

    for (char **a = argv; *a; a++)
        free(*a);
    free(argv);
    return fd;
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

/* Where a standard descriptor is closed a socket may have got its number: what is printed must not go there */
static int
step_aside(int fd)
{
    int other;

    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    other = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (other < 0)
        fatal(EX_OSERR, "cannot copy a descriptor: %s", strerror(errno));
    file_close(&fd);
    return other;
}

static int
hand_over(const struct options *o, struct compose *c, char **note, struct error *err)
{
    pid_t pid = -1;
    bool own = has_own_config(o);
    int fd = own ? ASK_NOBODY : step_aside(reach_daemon(path_socket, err)), code;

    own = fd == ASK_NOBODY;
    if (own || o->verbose)
        settle();
    if (own) /* a server for this one call, apart: ^C is for us */
        fd = start_own(o, "--stdio", true, &pid, err);
    if (fd < 0)
        return complain(err);
    code = submit(fd, c, own ? GREETING_OWN_MS : GREETING_MS, STALL_MS, note, err);
    if (code != 0 || *note)
        settle();
    if (code != 0 && !quiet)
        fprintf(stderr, "sendmail: %s\n", err->text);
    else if (code == 0 && *note && (!quiet || o->verbose))
        fprintf(stderr, "sendmail: %s\n", *note);
    if (own) {
        file_close(&fd); /* else the end of this process does it */
        ask_finish(pid, FINISH_MS);
    }
    return code;
}

static int
send_message(const struct options *o)
{
    struct compose c;
    struct error err;
    char *note = NULL;
    int code;

    if (compose_begin(&c, o, STDIN_FILENO, &err))
        code = hand_over(o, &c, &note, &err);
    else
        code = complain(&err);
    free(note);
    compose_clear(&c);
    return code;
}

/* The words of a request of the control protocol (daemon/control), each encoded */
static void
add_word(struct buf *line, const char *word)
{
    buf_add_char(line, ' ');
    text_percent_encode(line, slice_of(word));
}

static void
add_request(struct buf *line, const struct options *o)
{
    if (o->action == OPTIONS_MAILQ) {
        buf_add_str(line, o->verbose ? "list -v" : "list");
    } else if (o->action == OPTIONS_QUEUE_RUN) {
        buf_add_str(line, "run");
        if (o->queue_by) {
            char *text = mem_format("%c%s", o->queue_by, o->queue_match);
            add_word(line, text);
            free(text);
        }
    } else {
        buf_add_str(line, "verify");
        for (size_t i = 0; i < o->nrecipients; i++)
            add_word(line, o->recipients[i]);
    }
}

/* What the daemon is asked: at its control socket, or a process for this one call */
static int
control(const struct options *o)
{
    bool own = has_own_config(o);
    char *path = mem_format("%s.ctl", path_socket);
    struct buf line;
    struct error err;
    pid_t pid = -1;
    int fd, code;

    fd = own ? ASK_NOBODY : reach_daemon(path, &err);
    free(path);
    own = fd == ASK_NOBODY;
    if (own)
        fd = start_own(o, "--ctl", false, &pid, &err);
    if (fd < 0)
        return complain(&err);
    buf_init(&line, REQUEST_MAX);
    add_request(&line, o);
    if (line.overflow)
        code = complain_of(ERROR_USAGE, "too many recipients");
    else
        code = ask(fd, buf_slice(&line), STDOUT_FILENO, own ? -1 : ANSWER_MS, &err);
    if (!line.overflow && code != 0 && *err.text)
        (void)complain(&err);
    else if (!line.overflow && *err.text)
        fprintf(stderr, "sendmail: %s\n", err.text);
    buf_clear(&line);
    file_close(&fd);
    ask_finish(pid, FINISH_MS);
    return code;
}

/* -bs: by the daemon, where there is one, else by smtprelayd in our place */
static int
serve_session(const struct options *o)
{
    struct error err;
    int fd = has_own_config(o) ? ASK_NOBODY : reach_daemon(path_socket, &err);
    bool ok;

    if (fd == ASK_NOBODY)
        return become(o, "--stdio", "--bs");
    if (fd < 0)
        return complain(&err);
    ok = relay_session(STDIN_FILENO, STDOUT_FILENO, fd);
    file_close(&fd);
    return ok ? 0 : complain_of(ERROR_TEMP, "smtprelayd: refused the session, or broke it off");
}

/* What of the command line was not taken for what it may have been meant for */
static void
note_oddities(const struct options *o)
{
    struct error err;

    if (!log_open(log_name, NULL, LOG_LEVEL_INFO, &err))
        return;
    if (o->unknown)
        log_line(LOG_LEVEL_WARNING, "uid=%ld: option %s is not understood and was passed over",
            (long)getuid(), o->unknown);
    if (o->late)
        log_line(LOG_LEVEL_WARNING, "uid=%ld: %s stands behind a recipient and was taken as one",
            (long)getuid(), o->late);
}

static int
act(const struct options *o)
{
    if (o->action != OPTIONS_SEND || o->unknown || o->late)
        settle();
    if (o->unknown || o->late)
        note_oddities(o);
    switch (o->action) {
    case OPTIONS_SEND:
        return send_message(o);
    case OPTIONS_BS:
        return serve_session(o);
    case OPTIONS_MAILQ:
    case OPTIONS_QUEUE_RUN:
    case OPTIONS_VERIFY:
        return control(o);
    case OPTIONS_ALIASES:
        return become(o, "--check-aliases", NULL);
    case OPTIONS_DAEMON:
        return become(o, "--background", NULL);
    case OPTIONS_FOREGROUND:
        return become(o, "--foreground", NULL);
    case OPTIONS_VERSION:
        printf("smtprelay sendmail %s\n", version);
        fatal_unless_printed();
        return 0;
    case OPTIONS_HELP:
        fputs(usage, stdout);
        fatal_unless_printed();
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
    int code;

    mem_program("sendmail");
    if (!rights_drop())
        return complain_of(ERROR_OS, "cannot give up the rights of a set-id bit");
    recipients = mem_array((size_t)argc + 1, sizeof(char *));
    if (!options_parse(argc, argv, &o, recipients, &err)) {
        free(recipients);
        return complain(&err);
    }
    quiet = o.quiet;
    set_log_name(o.tag);
    if ((o.unknown || o.late || o.action == OPTIONS_BS) && fcntl(STDIN_FILENO, F_GETFD) < 0)
        code = complain_of(ERROR_IO, "standard input: it is closed");
    else
        code = act(&o);
    free(recipients);
    return code;
}
