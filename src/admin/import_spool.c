/* SPDX-License-Identifier: ISC */
/*
 * import_spool: the two formats, and sendmail run for each message.
 *
 * dma locks a message's Q file (flock) while it works on it. nullmailer locks nothing, but its sender reads the trigger as long as it
 * runs, so then we do not begin. The lock is taken for nullmailer, too, so that two of us never send the same.
 */
#include "admin/import_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"
#include "base/within.h"

enum { ENVELOPE_MAX = 1 << 20, RECIPIENTS_MAX = 10000 };

struct letter {
    int lock;    /* open and locked */
    int content; /* open where the message begins; it may be the same */
    char *sender;
    char **rcpt;
    size_t rcpts;
};

static bool
is_dma(const struct import_spool *s)
{
    return strcmp(s->program, "dma") == 0;
}

static void
say(const struct import_spool *s, const char *name, const char *why)
{
    char shown[300];

    (void)text_escape(shown, sizeof shown, slice_of(name));
    fprintf(stderr, "smtprelay: %s%s/%s: %s\n", s->folder, is_dma(s) ? "" : "/queue", shown, why);
}

static void
letter_clear(struct letter *m)
{
    if (m->content != m->lock)
        file_close(&m->content);
    file_close(&m->lock);
    for (size_t i = 0; i < m->rcpts; i++)
        free(m->rcpt[i]);
    free(m->rcpt);
    free(m->sender);
}

static void
add_recipient(struct letter *m, struct slice address)
{
    m->rcpt = mem_resize(m->rcpt, m->rcpts + 1, sizeof(char *));
    m->rcpt[m->rcpts++] = slice_dup(address);
}

/* ---------------------------------------------------------------- opening */

/* Regular, locked by nobody else, and still there: whoever had the lock may have removed it */
static const char *
open_locked(int dir, const char *name, int *fd)
{
    struct stat st;

    *fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT ? "" : "it may not be read";
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode))
        return "not a regular file";
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
        return "somebody is sending it at this moment";
    if (fstat(*fd, &st) != 0 || st.st_nlink == 0)
        return "";
    return NULL;
}

static bool
read_head(int fd, struct buf *head)
{
    char piece[4096];
    ssize_t n = 1;

    while (head->len < ENVELOPE_MAX && n > 0) {
        n = file_read_some(fd, piece, sizeof piece);
        if (n > 0)
            buf_add(head, piece, (size_t)n);
    }
    return n >= 0;
}

/* How many names a file has in this folder */
static nlink_t
count_names(int dir, const struct stat *file)
{
    int again =
        openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the walk has its own place in the folder */
    DIR *d = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *entry;
    struct stat st;
    nlink_t n = 0;

    if (!d) {
        file_close(&again);
        return 0;
    }
    while ((entry = readdir(d)) != NULL)
        n += fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == file->st_ino &&
             st.st_dev == file->st_dev;
    (void)closedir(d);
    return n;
}

/* Who may write in the folder may link any file there as his message: it has to be its owner's, without a name elsewhere. dma gives
   the content of a message with several recipients a name for each. */
static bool
is_of_letter(int dir, int content, int lock)
{
    struct stat c, l;

    return fstat(content, &c) == 0 && fstat(lock, &l) == 0 && S_ISREG(c.st_mode) && c.st_uid == l.st_uid &&
           (c.st_nlink == 1 || c.st_nlink == count_names(dir, &c));
}

/* Sender, recipients, an empty line, the message */
static const char *
parse_nullmailer(struct letter *m, struct buf *head)
{
    struct slice rest = buf_slice(head), line;
    bool first = true;

    while (slice_cut(&rest, '\n', &line)) {
        if (line.len == 0 && !first) {
            if (m->rcpts == 0)
                return "it has no recipient";
            return lseek(m->lock, (off_t)(rest.p - head->data), SEEK_SET) < 0 ? "it cannot be read" : NULL;
        }
        if (slice_has(line, '\0') || (!first && m->rcpts == RECIPIENTS_MAX))
            break;
        if (first)
            m->sender = slice_dup(line);
        else
            add_recipient(m, line);
        first = false;
    }
    return "its envelope is not understood";
}

/* "Sender: a" and "Recipient: b" */
static const char *
parse_dma(struct letter *m, struct buf *head)
{
    struct slice rest = buf_slice(head), line, name;

    while (slice_cut(&rest, '\n', &line)) {
        if (slice_has(line, '\0') || !slice_has(line, ':'))
            return "its envelope is not understood";
        (void)slice_cut(&line, ':', &name);
        line = slice_trim(line);
        if (slice_is(name, "Sender")) {
            free(m->sender);
            m->sender = slice_dup(line);
        } else if (slice_is(name, "Recipient") && line.len && m->rcpts < RECIPIENTS_MAX) {
            add_recipient(m, line);
        }
    }
    return m->sender && m->rcpts ? NULL : "its envelope is not complete";
}

static const char *
open_letter(int dir, const char *name, bool dma, struct letter *m)
{
    const char *why = open_locked(dir, name, &m->lock);
    struct buf head;

    if (why)
        return why;
    buf_init(&head, ENVELOPE_MAX + 4096);
    if (!read_head(m->lock, &head))
        why = "it cannot be read";
    else
        why = dma ? parse_dma(m, &head) : parse_nullmailer(m, &head);
    buf_clear(&head);
    m->content = m->lock;
    if (why || !dma)
        return why;
    char *content = mem_format("M%s", name + 1);
    m->content = openat(dir, content, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    free(content);
    if (m->content < 0)
        return "its content is not there";
    return is_of_letter(dir, m->content, m->lock) ? NULL : "its content is not a file of its own";
}

/* ---------------------------------------------------------------- sending */

static void
run_sendmail(const struct import_spool *s, struct letter *m)
{
    char **argv = mem_array(m->rcpts + 10, sizeof(char *));
    size_t n = 0;

    argv[n++] = mem_dup(path_sendmail);
    if (s->config) {
        argv[n++] = mem_dup("-C");
        argv[n++] = mem_dup(s->config);
    }
    argv[n++] = mem_dup("-i");
    argv[n++] = mem_dup("-f");
    argv[n++] = mem_dup(*m->sender ? m->sender : "<>");
    argv[n++] = mem_dup("--");
    for (size_t i = 0; i < m->rcpts; i++)
        argv[n++] = m->rcpt[i];
    if (dup2(m->content, STDIN_FILENO) >= 0)
        (void)execv(argv[0], argv);
    _exit(ERROR_OS);
}

/* The exit code of sendmail */
static int
send_letter(const struct import_spool *s, struct letter *m)
{
    pid_t pid;
    int status = 0;

    (void)fflush(NULL); /* what it says comes behind what we said */
    pid = fork();
    if (pid < 0)
        return ERROR_OS;
    if (pid == 0)
        run_sendmail(s, m);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : ERROR_OS;
}

static void
remove_letter(int dir, const char *name, bool dma)
{
    char *content = mem_format("M%s", name + 1);

    if (dma)
        (void)unlinkat(dir, content, 0); /* an M file without its Q file is never sent */
    (void)unlinkat(dir, name, 0);
    free(content);
}

static void
take_one(struct import_spool *s, int dir, const char *name, bool dma)
{
    struct letter m = { .lock = -1, .content = -1 };
    const char *why = open_letter(dir, name, dma, &m);
    char text[80];
    int code;

    s->found += !why || *why;
    if (why && *why) {
        say(s, name, why);
        s->kept++;
    } else if (!why && !s->dry_run) {
        code = send_letter(s, &m);
        if (code == 0) {
            remove_letter(dir, name, dma);
            s->taken++;
        } else {
            (void)snprintf(text, sizeof text, "it stays: sendmail ended with exit code %d", code);
            say(s, name, text);
            s->kept++;
        }
    }
    letter_clear(&m);
}

/* ---------------------------------------------------------------- the folder */

/* Its sender holds the trigger open for reading as long as it runs */
static bool
is_nullmailer_running(const struct import_spool *s)
{
    char *trigger = mem_format("%s/trigger", s->path), *name;
    int dir = within_folder(s->root, trigger, false, &name), fd = -1;
    struct stat st;

    if (dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISFIFO(st.st_mode))
        fd = openat(dir, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    file_close(&dir);
    free(trigger);
    free(name);
    if (fd < 0)
        return false;
    file_close(&fd);
    return true;
}

/* `name`: "" or "/" and a folder's name */
static DIR *
open_folder(const struct import_spool *s, const char *name)
{
    char *path = mem_format("%s%s", s->path, name);
    int fd = within_open(s->root, path, O_RDONLY | O_DIRECTORY);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    int why;

    why = errno;
    free(path);
    if (!d && fd >= 0)
        file_close(&fd);
    errno = why;
    return d;
}

/* The names first: what is removed on the way must not disturb the reading */
static char **
list_names(DIR *d, bool dma, size_t *n)
{
    char **names = NULL;
    struct dirent *e;

    *n = 0;
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.' || (dma && e->d_name[0] != 'Q'))
            continue;
        names = mem_resize(names, *n + 1, sizeof(char *));
        names[(*n)++] = mem_dup(e->d_name);
    }
    return names;
}

/* What nullmailer had given up is no longer on its way to anybody */
static void
tell_given_up(const struct import_spool *s)
{
    DIR *d = open_folder(s, "/failed");
    size_t n = 0;
    char **names = d ? list_names(d, false, &n) : NULL;

    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    if (n)
        fprintf(stderr, "smtprelay: %s/failed: %zu message%s that nullmailer had given up stay%s there\n",
            s->folder, n, n == 1 ? "" : "s", n == 1 ? "s" : "");
    if (d)
        (void)closedir(d); /* only read */
}

static void
take_all(struct import_spool *s, DIR *d, bool dma)
{
    size_t n;
    char **names = list_names(d, dma, &n);

    for (size_t i = 0; i < n; i++) {
        take_one(s, dirfd(d), names[i], dma);
        free(names[i]);
    }
    free(names);
}

bool
import_spool_take(struct import_spool *s, struct error *err)
{
    bool dma = is_dma(s);
    const char *name = dma ? "" : "/queue";
    char *folder;
    DIR *d;

    if (!dma && !s->dry_run && is_nullmailer_running(s))
        return error_set(
            err, ERROR_TEMP, "%s: nullmailer runs and would send the same; stop it first", s->folder);
    folder = mem_format("%s%s", s->folder, name);
    d = open_folder(s, name);
    if (!d)
        error_sys(err, errno == EACCES ? ERROR_TEMP : ERROR_CONFIG, errno, "%s", folder);
    free(folder);
    if (!d)
        return false;
    take_all(s, d, dma);
    (void)closedir(d); /* only read */
    if (!dma)
        tell_given_up(s);
    return true;
}
