/* SPDX-License-Identifier: ISC */
/* status: asks as admin/queue does. Of a terminal it needs a second screen, its size and keys that come at once. */
#include "admin/status.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/signals.h"
#include "base/text.h"

enum { EVERY_MS = 2000, ANSWER_MAX = 4 << 20, LINES = 24, COLUMNS = 80 };

struct screen {
    struct termios before;
    bool has_keys; /* standard input is a terminal, too */
    int signals;
};

static bool
screen_begin(struct screen *s)
{
    static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };
    struct termios raw;
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        (void)sigaddset(&set, ends[i]);
    s->signals = sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? signals_open(&set, false) : -1;
    if (s->signals < 0)
        return false;
    s->has_keys = tcgetattr(STDIN_FILENO, &s->before) == 0;
    if (s->has_keys) {
        raw = s->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* ^C stays a signal */
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    fputs("\033[?1049h\033[?25l", stdout); /* the second screen, no cursor */
    return true;
}

static void
screen_end(struct screen *s)
{
    fputs("\033[?25h\033[?1049l", stdout);
    (void)fflush(stdout); /* there is nobody to tell */
    if (s->has_keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
    file_close(&s->signals);
}

/* As many columns as there are: characters, counted as one each */
static struct slice
cut(struct slice line, size_t columns)
{
    size_t at = 0;

    for (size_t n = 0; at < line.len && n < columns; n++) {
        size_t len = text_utf8_length(slice_from(line, at));
        at += len ? len : 1;
    }
    return slice_sub(line, 0, at);
}

/* The next row of a line, which goes on with the next word; *line is what is left */
static struct slice
take_row(struct slice *line, size_t columns)
{
    struct slice row = cut(*line, columns);
    size_t at = row.len < line->len ? slice_find_last(row, ' ') : row.len;

    if (at < row.len && at > row.len / 2)
        row.len = at + 1;
    *line = slice_from(*line, row.len);
    return row;
}

/* With every line whole; a screen that is too small for that gets the beginning of each */
static bool
has_room(struct slice text, const struct winsize *size)
{
    struct slice line;
    size_t rows = 1; /* the last one is ours */

    while (slice_cut(&text, '\n', &line))
        do {
            (void)take_row(&line, size->ws_col);
            rows++;
        } while (line.len);
    return rows <= size->ws_row;
}

static void
draw(const struct buf *answer)
{
    struct slice rest = buf_slice(answer), line;
    struct winsize size = { .ws_row = 0 };
    time_t now = (time_t)clock_wall().tv_sec;
    char stamp[32] = "";
    struct tm tm;
    size_t row = 1;
    bool whole;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 2 || size.ws_col < 2)
        size = (struct winsize){ .ws_row = LINES, .ws_col = COLUMNS };
    if (localtime_r(&now, &tm))
        (void)strftime(stamp, sizeof stamp, "%H:%M:%S", &tm);
    whole = has_room(rest, &size);
    fputs("\033[H", stdout);
    while (row < size.ws_row && slice_cut(&rest, '\n', &line))
        do {
            struct slice part = take_row(&line, size.ws_col);
            (void)fwrite(part.p, 1, part.len, stdout);
            fputs("\033[K\r\n", stdout);
            row++;
        } while (whole && line.len);
    printf("%s  q ends\033[K\033[J", stamp);
    (void)fflush(stdout); /* a terminal that has gone is a signal */
}

/* True: somebody wants to see no more */
static bool
wait_for_end(struct screen *s)
{
    struct pollfd p[2] = { { .fd = s->signals, .events = POLLIN },
        { .fd = s->has_keys ? STDIN_FILENO : -1, .events = POLLIN } };
    char key = 0;
    int number;

    if (poll(p, 2, EVERY_MS) <= 0)
        return false;
    if ((p[0].revents & POLLIN) && (number = signals_next(s->signals)) > 0)
        return number != SIGWINCH;
    if (p[1].revents & POLLIN)
        return read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q' || key == 4;
    return (p[1].revents & (POLLHUP | POLLERR)) != 0;
}

static int
watch(const struct config_request *req, const struct queue_request *q)
{
    struct buf answer;
    struct screen s;
    int code;

    if (!isatty(STDOUT_FILENO))
        fatal(EX_USAGE, "status --watch: standard output is no terminal; without --watch it is printed once");
    if (!screen_begin(&s))
        fatal(EX_OSERR, "cannot set up the terminal: %s", strerror(errno));
    buf_init(&answer, ANSWER_MAX);
    do {
        buf_reset(&answer);
        code = queue_ask_into(req, q, &answer);
        draw(&answer);
    } while (!wait_for_end(&s));
    screen_end(&s);
    buf_clear(&answer);
    return code;
}

int
status_ask(const struct config_request *req, struct queue_request *q)
{
    bool watched = false;
    size_t n = 0;

    for (size_t i = 0; i < q->n; i++) {
        if (strcmp(q->word[i], "--watch") == 0)
            watched = true;
        else
            q->word[n++] = q->word[i];
    }
    q->n = n;
    if (watched && q->json)
        fatal(EX_USAGE, "status: --watch is for people, --json for programs");
    return watched ? watch(req, q) : queue_ask(req, q);
}
