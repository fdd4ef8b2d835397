/* SPDX-License-Identifier: ISC */
/* log: the lines of a program. Uses syslog(3) through its own datagram only when asked; escapes everything it writes. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define LINE_MAX_BYTES 4000

enum log_kind { TO_NOTHING, TO_SYSLOG, TO_FD };

static struct {
    enum log_kind kind;
    int fd;
    enum log_level level;
    const char *ident;
    bool copy;   /* to stderr */
    int offered; /* opened by somebody else, -1 = none */
} out = { TO_NOTHING, -1, LOG_LEVEL_INFO, "smtprelay", false, -1 };

void
log_offer(int fd)
{
    if (out.offered >= 0)
        (void)close(out.offered); /* nothing was written by it */
    out.offered = fd;
}

int
log_descriptor(void)
{
    return out.kind == TO_FD && out.fd != STDERR_FILENO ? out.fd : -1;
}

/* Root may write in a folder of somebody else's, who could have made any file known by this name, too */
static int
open_file(const char *target)
{
    struct stat st;
    int fd;

    if (out.offered >= 0)
        return fcntl(out.offered, F_DUPFD_CLOEXEC, 3);
    fd = open(target, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink <= 1)
        return fd;
    (void)close(fd); /* nothing was written */
    errno = EMLINK;
    return -1;
}

bool
log_open(const char *ident, const char *target, enum log_level level, struct error *err)
{
    int fd = -1;

    if (target && strcmp(target, "-") == 0) {
        fd = STDERR_FILENO;
    } else if (target && *target) {
        fd = open_file(target);
        if (fd < 0)
            return error_sys(err, ERROR_CONFIG, errno, "cannot open the log file %s", target);
    }
    if (out.kind == TO_FD && out.fd != STDERR_FILENO && out.fd >= 0)
        (void)close(out.fd); /* appended lines are out already */
    if (out.kind == TO_SYSLOG)
        closelog();
    out.ident = ident;
    out.level = level;
    out.fd = fd;
    out.kind = fd >= 0 ? TO_FD : TO_SYSLOG;
    if (out.kind == TO_SYSLOG)
        openlog(ident, LOG_PID, LOG_MAIL);
    return true;
}

void
log_copy(bool on)
{
    out.copy = on;
}

static void
write_stamped(int fd, const char *line)
{
    char all[LINE_MAX_BYTES + 100], stamp[40];
    struct timespec now = clock_wall();
    struct tm tm;
    int n;

    /* stderr is read by journals and containers, which stamp lines themselves */
    if (fd == STDERR_FILENO) {
        n = snprintf(all, sizeof all, "%s: %s\n", out.ident, line);
    } else {
        if (!localtime_r(&now.tv_sec, &tm) || strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S%z", &tm) == 0)
            stamp[0] = '\0';
        n = snprintf(all, sizeof all, "%s %s[%ld]: %s\n", stamp, out.ident, (long)getpid(), line);
    }
    if (n > 0 && write(fd, all, (size_t)n) < 0)
        return; /* a log that cannot be written must not stop mail */
}

void
log_line(enum log_level level, const char *format, ...)
{
    static const int priority[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
    char raw[LINE_MAX_BYTES], line[LINE_MAX_BYTES];
    va_list ap;

    if (out.kind == TO_NOTHING || level > out.level)
        return;
    va_start(ap, format);
    (void)vsnprintf(raw, sizeof raw, format, ap); /* cut is fine */
    va_end(ap);
    text_escape(line, sizeof line, slice_of(raw));
    if (out.kind == TO_SYSLOG)
        syslog(priority[level], "%s", line);
    else
        write_stamped(out.fd, line);
    if (out.copy && !(out.kind == TO_FD && out.fd == STDERR_FILENO))
        write_stamped(STDERR_FILENO, line);
}
