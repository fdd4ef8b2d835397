/* SPDX-License-Identifier: ISC */
/* ctl: finds out who answers: the daemon the caller's own file names, or this process with the caller's rights. */
#include "daemon/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "config/expand.h"
#include "config/explanations.h"
#include "daemon/control.h"
#include "daemon/control_test.h"
#include "daemon/park.h"

enum {
    REQUEST_MS = 60000, /* for the line; it comes at once */
    CONNECT_MS = 10000,
    ANSWER_MS = 20000, /* from one piece of a daemon's answer to the next */
    WAKE_MS = 500,
};

struct ctl {
    int in, out;
    struct control_request q;
    const struct config_request *request;
    struct config config;
    bool has_config;
    struct error config_err;
};

static int
finish(const struct ctl *c, enum error_class class, const char *text)
{
    struct buf b;
    bool ok;

    buf_init(&b, 2 * ERROR_TEXT_MAX);
    control_end(&b, class, text);
    ok = file_write(c->out, b.data, b.len);
    buf_clear(&b);
    return ok ? 0 : (int)ERROR_IO;
}

static bool
read_line(int fd, struct buf *line)
{
    int64_t deadline = clock_deadline(REQUEST_MS);
    char piece[4096];

    while (!line->overflow && !slice_has(buf_slice(line), '\n')) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int r = poll(&p, 1, clock_left(deadline));
        ssize_t n;
        if (r < 0 && errno == EINTR)
            continue;
        n = r > 0 ? file_read_some(fd, piece, sizeof piece) : -1;
        if (n <= 0)
            return false;
        buf_add(line, piece, (size_t)n);
    }
    return !line->overflow;
}

/* ---------------------------------------------------------------- a daemon of the caller's own file */

static int
copy_answer(const struct ctl *c, int fd, struct slice line)
{
    char piece[65536];

    if (!file_write(fd, line.p, line.len) || !file_write(fd, "\n", 1))
        return finish(c, ERROR_TEMP, "smtprelayd: takes no request");
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int r = poll(&p, 1, ANSWER_MS);
        ssize_t n;
        if (r == 0)
            return finish(c, ERROR_TEMP, "smtprelayd: no answer");
        n = r > 0 ? file_read_some(fd, piece, sizeof piece) : -1;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return 0; /* without a last line the client says so */
        if (!file_write(c->out, piece, (size_t)n))
            return (int)ERROR_IO;
    }
}

/* False: nobody is there, and this process answers; *code is this program's then */
static bool
pass_on(const struct ctl *c, struct slice line, int *code)
{
    const char *socket = config_own_socket(&c->config), *user = config_text(&c->config, 0, CONFIG_USER);
    struct error err;
    char *path;
    int fd;

    if (!socket)
        return false;
    path = mem_format("%s" CONTROL_SUFFIX, socket);
    fd = ask_connect(path, user ? user : "smtprelay", CONNECT_MS, &err);
    free(path);
    if (fd == ASK_NOBODY)
        return false;
    if (fd == ASK_TROUBLE) {
        *code = finish(c, err.class, err.text);
        return true;
    }
    *code = copy_answer(c, fd, line);
    file_close(&fd);
    return true;
}

/* ---------------------------------------------------------------- without a daemon */

/* Before anything is set up nothing waits: scripts ask for the queue on fresh machines, too */
static bool
is_set_up(const struct ctl *c)
{
    return c->has_config || c->request->file || access(path_config, F_OK) == 0;
}

/* A daemon that ends takes its socket away; systemd's socket always answers. Nobody was at this one, or we were not asked. */
static bool
has_died(const struct ctl *c)
{
    const char *own = c->has_config ? config_own_socket(&c->config) : NULL;

    if (!own && c->request->file)
        return false;
    return access(own ? own : path_socket, F_OK) == 0;
}

/* One of the system's that the configuration names was made by somebody; a user's own is made when mail has to wait */
static bool
wants_queue(const struct ctl *c)
{
    const struct config_value *v = c->has_config ? config_value(&c->config, 0, CONFIG_QUEUE_DIR) : NULL;

    return v && !c->config.own_file && v->origin && strcmp(v->origin, "default") != 0;
}

/* Root looks at the queue as its owner */
static bool
become_owner(const char *queue_dir, struct error *err)
{
    struct spool *s;
    struct stat st;

    if (geteuid() != 0 || stat(queue_dir, &st) != 0)
        return true;
    s = park_open(queue_dir, err);
    if (!s)
        return false;
    spool_close(s);
    return true;
}

/* "Permission denied" alone would not tell an ordinary user that the daemon is what is missing */
static bool
may_look(const char *queue_dir, struct error *err)
{
    if (access(queue_dir, R_OK | X_OK) == 0 || errno != EACCES)
        return true;
    return error_set(err, ERROR_TEMP,
        "smtprelayd: the daemon is not running, and queue %s may not be read by you; root starts it "
        "(systemctl start smtprelay, or smtprelayd)",
        queue_dir);
}

static bool
find_queue(struct ctl *c, struct error *err)
{
    if (!c->has_config && is_set_up(c)) {
        *err = c->config_err;
        return false;
    }
    c->q.queue_dir = mem_dup(c->has_config ? config_text(&c->config, 0, CONFIG_QUEUE_DIR) : path_queue);
    return become_owner(c->q.queue_dir, err) && may_look(c->q.queue_dir, err);
}

static int
answer_from_queue(struct ctl *c)
{
    struct error err;

    if (!find_queue(c, &err))
        return finish(c, err.class, err.text);
    c->q.snapshot.lacks_config = !is_set_up(c);
    c->q.snapshot.has_died = has_died(c);
    c->q.snapshot.wants_queue = wants_queue(c);
    if (c->has_config) {
        c->q.snapshot.min_free = config_size(&c->config, CONFIG_MIN_FREE);
        c->q.snapshot.max_size = config_size(&c->config, CONFIG_MAX_QUEUE_SIZE);
    }
    if (control_explains(&c->q))
        c->q.explain = explanations_load(c->request->uid, NULL);
    control_answer(&c->q, c->out);
    return 0;
}

static int
answer_verify(struct ctl *c)
{
    struct buf b;
    bool ok;

    if (!c->has_config)
        return finish(c, c->config_err.class, c->config_err.text);
    buf_init(&b, CONTROL_VERIFY_MAX);
    control_verify(&c->q, &c->config, &b);
    ok = file_write(c->out, b.data, b.len);
    buf_clear(&b);
    return ok ? 0 : (int)ERROR_IO;
}

enum { ARGV_FIRST = 7 }; /* what begin_argv takes at most */

/* `smtprelayd VERB`, with the configuration that this one has, up to "--"; how many words */
static size_t
begin_argv(const struct ctl *c, char *argv[], const char *verb)
{
    size_t n = 0;

    argv[n++] = mem_dup(path_smtprelayd);
    argv[n++] = mem_dup(verb);
    if (c->request->file) {
        argv[n++] = mem_dup("-C");
        argv[n++] = mem_dup(c->request->file);
    }
    if (c->request->name) {
        argv[n++] = mem_dup(c->request->own ? "--as-own" : "--as");
        argv[n++] = mem_dup(c->request->name);
    }
    argv[n++] = mem_dup("--");
    return n;
}

static void
execute_test(const struct ctl *c)
{
    char *argv[ARGV_FIRST + 5];
    size_t n = begin_argv(c, argv, "--test");

    if (c->config.path)
        argv[n++] = mem_format("--config=%s", c->config.path);
    if (c->q.text)
        argv[n++] = mem_format("--account=%s", c->q.text);
    if (c->q.naddress)
        argv[n++] = mem_dup(c->q.address[0]);
    argv[n] = NULL;
    if (dup2(c->out, STDOUT_FILENO) >= 0)
        execv(path_smtprelayd, argv);
}

/* `filter` NULL: as the request says */
static void
execute_run(const struct ctl *c, const char *filter)
{
    char *argv[ARGV_FIRST + 3];
    size_t n = begin_argv(c, argv, "--run");

    if (filter)
        argv[n++] = mem_dup(filter);
    else if (c->q.by)
        argv[n++] = mem_format("%c%s", c->q.by, c->q.text);
    argv[n] = NULL;
    execv(path_smtprelayd, argv);
}

/* The end of a program that was executed for this. False with err (its text may be ""): not a good one */
static bool
await_child(pid_t pid, struct error *err)
{
    int status;

    if (pid < 0)
        return error_set(err, ERROR_TEMP, "cannot start a process");
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_set(err, ERROR_OS, "cannot wait for smtprelayd");
    if (!WIFEXITED(status))
        return error_set(err, ERROR_INTERNAL, "smtprelayd: ended by a signal");
    return WEXITSTATUS(status) == 0 || error_set(err, (enum error_class)WEXITSTATUS(status), "%s", "");
}

/*
 * `smtprelayd --run`, executed, so that the process which works on the queue never held the secrets that were just read. What
 * it has to say it says on stderr.
 */
static bool
run(const struct ctl *c, const char *filter, struct error *err)
{
    pid_t pid = fork();

    if (pid == 0) {
        execute_run(c, filter);
        _exit(ERROR_OS);
    }
    return await_child(pid, err);
}

static int
answer_run(struct ctl *c)
{
    struct error err;

    error_init(&err);
    if (!is_set_up(c) && access(path_queue, F_OK) != 0)
        return finish(c, ERROR_NONE, "");
    return run(c, NULL, &err) ? finish(c, ERROR_NONE, "") : finish(c, err.class, err.text);
}

/* All that can be looked at here is looked at here; what speaks with the network is executed, as for `--run` */
static int
answer_test(struct ctl *c)
{
    struct error err = c->config_err;
    struct buf b;
    size_t aliases;
    pid_t pid;
    bool ok =
        c->has_config && config_check_files(&c->config, &err) && expand_check(&c->config, &aliases, &err);

    if (!ok) {
        buf_init(&b, 1u << 20);
        control_test_fail(&b, "configuration", "", err.class, err.text);
        ok = file_write(c->out, b.data, b.len);
        buf_clear(&b);
        return ok ? 0 : (int)ERROR_IO;
    }
    pid = fork();
    if (pid == 0) {
        execute_test(c);
        _exit(ERROR_OS);
    }
    return await_child(pid, &err) ? 0
                                  : finish(c, err.class, *err.text ? err.text : "smtprelayd: ended early");
}

/* ---------------------------------------------------------------- changes */

enum { FILTER_MAX = 100000, PROGRESS_EVERY = 100 };

/* Exactly these, as far as one argument takes them; a queue run sees to the others */
static char *
filter_of(char (*ids)[SPOOL_ID_MAX + 1], size_t n)
{
    struct buf b;

    buf_init(&b, FILTER_MAX);
    buf_add_char(&b, '=');
    for (size_t i = 0; i < n && b.len + 2 + SPOOL_ID_MAX < FILTER_MAX; i++)
        buf_add_format(&b, "%s%s", i ? "," : "", ids[i]);
    return buf_steal(&b);
}

/* Under the queue's lock, which a daemon would hold. The number of those that were not changed; the first one's reason in *err */
static size_t
change_all(struct ctl *c, char (*ids)[SPOOL_ID_MAX + 1], size_t n, struct error *err)
{
    struct spool *s = spool_open(c->q.queue_dir, &spool_io_system, err);
    char *who = control_peer_name(&c->q);
    size_t failed = 0;
    struct error one;

    if (!s || !spool_lock(s, err))
        failed = n;
    for (size_t i = 0; i < n && failed < n; i++) {
        if (!control_change(&c->q, s, ids[i], who, &one) && failed++ == 0)
            *err = one;
        if (i % PROGRESS_EVERY == PROGRESS_EVERY - 1 && c->q.filter.progress)
            (void)dprintf(c->out, "+%zu %zu\n", i + 1, n); /* only for show */
    }
    free(who);
    spool_close(s);
    return failed;
}

/* As the queue's owner: "FILTER\n" of what is to be tried now, then the answer, into `out` */
static void
change_as_owner(struct ctl *c, int out)
{
    bool is_run = c->q.verb == CONTROL_RELEASE || c->q.verb == CONTROL_RETRY;
    char(*ids)[SPOOL_ID_MAX + 1] = NULL, *filter = NULL;
    struct error err;
    size_t n = 0, failed = 0;
    struct buf b;

    error_init(&err);
    buf_init(&b, FILTER_MAX + 4 * ERROR_TEXT_MAX);
    if (!find_queue(c, &err) || !control_select(&c->q, -1, &ids, &n, &err)) {
        buf_add_char(&b, '\n');
        control_end(&b, err.class, err.text);
    } else {
        if (c->q.verb != CONTROL_RETRY || c->q.filter.failed)
            failed = change_all(c, ids, n, &err);
        if (is_run && n > failed)
            filter = filter_of(ids, n);
        buf_add_format(&b, "%s\n", filter ? filter : "");
        control_changed(&c->q, &b, n, failed, &err);
    }
    (void)file_write(out, b.data, b.len); /* else the parent misses it */
    buf_clear(&b);
    free(filter);
    free(ids);
}

/* What a child of this process that changed the queue says */
static bool
ask_owner(struct ctl *c, struct buf *said, struct error *err)
{
    int pair[2];
    pid_t pid;
    bool ok;

    if (pipe2(pair, O_CLOEXEC) != 0)
        return error_sys(err, ERROR_OS, errno, "cannot make a pipe");
    pid = fork();
    if (pid == 0) {
        change_as_owner(c, pair[1]);
        _exit(0);
    }
    file_close(&pair[1]);
    ok = pid > 0 ? file_read_all(pair[0], said, "the queue", err)
                 : error_set(err, ERROR_TEMP, "cannot start a process");
    file_close(&pair[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return ok &&
           (slice_has(buf_slice(said), '\n') || error_set(err, ERROR_INTERNAL, "smtprelayd: ended early"));
}

/* The queue is its owner's; what tries the messages has to be who may read the configuration */
static int
answer_change(struct ctl *c)
{
    struct slice rest, filter;
    struct error err, run_err;
    struct buf said;
    bool ok;

    buf_init(&said, FILTER_MAX + 4 * ERROR_TEXT_MAX);
    if (!ask_owner(c, &said, &err)) {
        buf_clear(&said);
        return finish(c, err.class, err.text);
    }
    rest = buf_slice(&said);
    (void)slice_cut(&rest, '\n', &filter); /* it is there */
    if (filter.len) {
        char *text = mem_dupn(filter.p, filter.len);
        (void)run(c, text, &run_err); /* it says by itself what is wrong; the messages wait */
        free(text);
    }
    ok = file_write(c->out, rest.p, rest.len);
    buf_clear(&said);
    return ok ? 0 : (int)ERROR_IO;
}

static int
answer(struct ctl *c)
{
    switch (c->q.verb) {
    case CONTROL_LIST:
    case CONTROL_QUEUE:
    case CONTROL_SHOW:
    case CONTROL_WHY:
    case CONTROL_LOG:
    case CONTROL_STATUS:
        return answer_from_queue(c);
    case CONTROL_RETRY:
    case CONTROL_HOLD:
    case CONTROL_RELEASE:
    case CONTROL_REMOVE:
        return control_is_answered(&c->q) ? answer_from_queue(c) : answer_change(c);
    case CONTROL_VERIFY:
    case CONTROL_TRACE:
        return answer_verify(c);
    case CONTROL_TEST:
        return answer_test(c);
    case CONTROL_RUN:
        return answer_run(c);
    case CONTROL_WAKE:
        return finish(c, ERROR_NONE, ""); /* nobody sleeps */
    }
    panic("a request nobody knows");
}

/* Descriptors 0 and 1 become free for what is started */
static bool
take_descriptors(struct ctl *c)
{
    c->in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
    c->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    if (c->in < 0 || c->out < 0)
        return false;
    (void)close(STDIN_FILENO);
    (void)close(STDOUT_FILENO);
    return file_open_standard();
}

int
ctl_serve(const struct config_request *request)
{
    struct ctl c = { .request = request };
    struct buf line;
    struct slice first;
    struct error err;
    int code;

    if (!take_descriptors(&c))
        return (int)ERROR_OS;
    buf_init(&line, CONTROL_LINE_MAX + 2);
    control_init(&c.q);
    if (!read_line(c.in, &line)) {
        buf_clear(&line);
        return (int)ERROR_IO;
    }
    first = slice_sub(buf_slice(&line), 0, slice_find(buf_slice(&line), '\n'));
    c.has_config = config_load(request, &c.config, &c.config_err);
    if (!control_parse(first, &c.q, &err)) {
        code = finish(&c, err.class, err.text);
    } else if (!c.has_config || c.q.verb == CONTROL_TEST || !pass_on(&c, first, &code)) {
        /* whoever can read the queue is its owner */
        c.q.peer = (struct control_peer){ getuid(), true };
        code = answer(&c);
    }
    control_clear(&c.q);
    buf_clear(&line);
    if (c.has_config)
        config_end(&c.config);
    file_close(&c.in);
    file_close(&c.out);
    return code;
}

void
ctl_wake(const char *socket, const char *user)
{
    char *path = mem_format("%s" CONTROL_SUFFIX, socket);
    struct error ignored;
    int fd = ask_connect(path, user, WAKE_MS, &ignored);

    free(path);
    if (fd >= 0)
        (void)send(fd, "wake\n", 5, MSG_NOSIGNAL); /* it looks by itself, later */
    file_close(&fd);
}
