/*
 * why: the questions, and following by asking again from where the last answer ended: so a daemon that is started again, or none at
 * all, is all the same, and nobody who follows keeps a thread of the daemon.
 */
#include "admin/why.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/queue.h"
#include "base/file.h"
#include "base/mem.h"

enum { FOLLOW_MS = 1000, PLACE_MAX = 64, ANSWER_MAX = 64 << 20 };

static bool
is_count(const char *text)
{
    uint64_t n;

    return slice_number(slice_of(text), 10000, &n) && n > 0;
}

int
why_ask(const struct config_request *req, const char *const words[], size_t n)
{
    const char *ask[3] = { "why", "-", NULL };

    if (n < 2)
        fatal(EX_USAGE, "why: the id of a message, an address or --last is missing");
    if (strcmp(words[1], "--last") != 0)
        ask[1] = words[1];
    else if (n == 2)
        ask[2] = "1";
    if (n > 2)
        ask[2] = words[2];
    if (n > 3 || (ask[2] && !is_count(ask[2])))
        fatal(EX_USAGE, "why: %s: how many messages? a number from 1 to 10000", n > 3 ? words[3] : ask[2]);
    if (!*ask[1])
        fatal(EX_USAGE, "why: the id or address is empty");
    return queue_ask(req, ask, ask[2] ? 3 : 2);
}

/* ---------------------------------------------------------------- log */

/* The answer but for its last line, "@PLACE", goes out; false when nobody reads it */
static bool
show(struct slice answer, char place[PLACE_MAX])
{
    size_t at;

    if (answer.len && answer.p[answer.len - 1] == '\n')
        answer.len--;
    at = slice_find_last(answer, '\n');
    at = at < answer.len ? at + 1 : 0;
    if (at < answer.len && answer.p[at] == '@' && answer.len - at < PLACE_MAX)
        (void)snprintf(place, PLACE_MAX, "%.*s", (int)(answer.len - at - 1), answer.p + at + 1);
    return file_write(STDOUT_FILENO, answer.p, at);
}

/* One question and its answer. The exit code; 74 when nobody reads */
static int
ask_once(const struct config_request *req, const char *const words[], size_t n, char place[PLACE_MAX])
{
    int fd = memfd_create("smtprelay-log", MFD_CLOEXEC), code;
    struct buf answer;
    struct error err;

    if (fd < 0)
        fatal(EX_OSERR, "cannot make a memory file: %s", strerror(errno));
    code = queue_ask_to(req, words, n, fd);
    buf_init(&answer, ANSWER_MAX);
    if (lseek(fd, 0, SEEK_SET) != 0 || !file_read_all(fd, &answer, "the answer", &err) ||
        !show(buf_slice(&answer), place))
        code = EX_IOERR;
    buf_clear(&answer);
    file_close(&fd);
    return code;
}

/* Whoever reads has gone */
static bool
wait_for_more(void)
{
    struct pollfd p = { .fd = STDOUT_FILENO, .events = 0 };

    return poll(&p, 1, FOLLOW_MS) <= 0 || !(p.revents & (POLLERR | POLLHUP | POLLNVAL));
}

int
why_log(const struct config_request *req, const char *const words[], size_t n)
{
    const char *ask[3] = { "log", "-", NULL };
    char place[PLACE_MAX] = "-";
    bool follow = false;
    int code;

    for (size_t i = 1; i < n; i++) {
        if (strcmp(words[i], "-f") == 0)
            follow = true;
        else if (strcmp(words[i], "-n") == 0 && i + 1 < n && is_count(words[i + 1]))
            ask[2] = words[++i];
        else
            fatal(EX_USAGE, "log: %s is not understood; see smtprelay --help", words[i]);
    }
    code = ask_once(req, ask, ask[2] ? 3 : 2, place);
    ask[1] = place;
    while (follow && (code == 0 || code == EX_TEMPFAIL) && wait_for_more())
        code = ask_once(req, ask, 2, place); /* a daemon that is started again is waited for */
    return code == EX_IOERR && follow ? 0 : code;
}
