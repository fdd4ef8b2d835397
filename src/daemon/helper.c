/* helper: configuration and secrets go out by sealed files, each to the one process that needs it. */
#include "daemon/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/paths.h"
#include "ipc/start.h"

#define FLAT_MAX (16u << 20)
enum { WORKER_SOCKET = 3, WORKER_SETTINGS = 4 };

/* Only what a resolver, a log line and a date need; SMTPRELAY_* may hold a secret */
static char **
worker_environment(void)
{
    static const char *const kept[] = { "TZ", "LANG", "LC_ALL", "SSL_CERT_DIR", "SSL_CERT_FILE",
        "ASAN_OPTIONS", "UBSAN_OPTIONS" };
    char **env = mem_array(sizeof kept / sizeof kept[0] + 2, sizeof(char *));
    size_t n = 0;

    env[n++] = mem_dup("PATH=/usr/bin:/bin");
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (getenv(kept[i]))
            env[n++] = mem_format("%s=%s", kept[i], getenv(kept[i]));
    return env;
}

/* Who a worker runs as: never root, who is not needed to speak with a smarthost */
struct identity {
    bool change;
    uid_t uid;
    gid_t gid;
};

static struct identity
worker_identity(const struct config *c)
{
    const char *const names[] = { config_text(c, 0, CONFIG_USER), "nobody" };
    struct identity id = { geteuid() == 0, 65534, 65534 };

    for (size_t i = 0; id.change && i < 2; i++) {
        struct passwd *pw = names[i] ? getpwnam(names[i]) : NULL;
        if (!pw || pw->pw_uid == 0)
            continue;
        id.uid = pw->pw_uid;
        id.gid = pw->pw_gid;
        break;
    }
    return id;
}

/* Without CAP_SETUID (a container that took it away) it stays what it is */
static bool
become(const struct identity *id)
{
    if (!id->change)
        return true;
    if (setgroups(1, &id->gid) != 0 || setresgid(id->gid, id->gid, id->gid) != 0)
        return errno == EPERM;
    return setresuid(id->uid, id->uid, id->uid) == 0;
}

/*
 * In the child: the two descriptors to where the worker looks for them, everything else closed. The program is opened before the
 * user changes, who may not be able to walk to it.
 */
static void
become_worker(int sock, int settings, const struct identity *id, char **env)
{
    char *argv[] = { mem_dup("smtprelay-worker"), NULL };
    int s = fcntl(sock, F_DUPFD, 10), f = fcntl(settings, F_DUPFD, 10), null = open("/dev/null", O_RDWR);
    int program = open(path_worker, O_PATH | O_CLOEXEC);

    program = program < 0 ? -1 : fcntl(program, F_DUPFD_CLOEXEC, 10);
    if (s < 0 || f < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(s, WORKER_SOCKET) < 0 ||
        dup2(f, WORKER_SETTINGS) < 0)
        _exit(127);
    (void)close_range(WORKER_SETTINGS + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)signal(SIGCHLD, SIG_DFL);
    if (!become(id))
        _exit(127);
    (void)fexecve(program, argv, env);
    execve(path_worker, argv, env); /* without /proc and execveat */
    _exit(127);
}

static bool
start_worker(struct config *c, size_t account, int *daemon_end, struct error *err)
{
    struct buf flat;
    struct identity id = worker_identity(c);
    char **env;
    int pair[2], settings;
    pid_t pid;

    if (access(path_worker, X_OK) != 0)
        return error_sys(err, ERROR_OS, errno, "%s", path_worker);
    if (!config_fetch(c, account, err))
        return false;
    buf_init(&flat, FLAT_MAX);
    config_encode(c, account, true, &flat);
    settings = file_sealed("smtprelay-settings", buf_slice(&flat), err);
    buf_wipe(&flat);
    if (settings < 0)
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        file_close(&settings);
        return error_sys(err, ERROR_TEMP, errno, "smtprelay-worker: cannot be started");
    }
    env = worker_environment();
    pid = fork();
    if (pid == 0)
        become_worker(pair[1], settings, &id, env);
    for (char **e = env; *e; e++)
        free(*e);
    free(env);
    file_close(&settings);
    file_close(&pair[1]);
    *daemon_end = pair[0];
    if (pid > 0)
        return true;
    file_close(&pair[0]);
    return error_sys(err, ERROR_TEMP, errno, "smtprelay-worker: cannot be started");
}

static bool
send_settings(int sock, struct config *c, struct error *err)
{
    struct buf flat;
    int fd;
    bool ok;

    buf_init(&flat, FLAT_MAX);
    config_encode_all(c, &flat);
    fd = file_sealed("smtprelay-settings", buf_slice(&flat), err);
    buf_clear(&flat);
    if (fd < 0)
        return false;
    ok = start_send(sock, START_SETTINGS, ERROR_NONE, "", fd);
    file_close(&fd);
    return ok;
}

static void
serve(int sock, struct config *c)
{
    struct start_packet p;
    struct error err;

    while (start_receive(sock, &p, &err) == 1) {
        size_t account = config_account_find(c, p.text);
        int fd = -1;
        bool ok = p.type == START_WORKER && account < c->n;
        file_close(&p.fd);
        if (!ok)
            error_set(&err, ERROR_INTERNAL, "no account %s", p.text);
        ok = ok && start_worker(c, account, &fd, &err);
        if (!start_send(
                sock, ok ? START_READY : START_FAILED, ok ? ERROR_NONE : err.class, ok ? "" : err.text, fd))
            return;
        file_close(&fd);
    }
}

void
helper_run(int sock, const struct config_request *req)
{
    struct config c;
    struct error err;

    /* workers are children: the kernel reaps them, their end shows on their sockets */
    if (signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        return;
    if (!config_load(req, &c, &err)) {
        (void)start_send(
            sock, START_FAILED, err.class, err.text, -1); /* a daemon that is gone needs no answer */
        return;
    }
    if (send_settings(sock, &c, &err))
        serve(sock, &c);
    else
        (void)start_send(sock, START_FAILED, err.class, err.text, -1); /* likewise */
    config_end(&c);
}
