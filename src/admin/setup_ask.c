/* SPDX-License-Identifier: ISC */
/*
 * setup_ask: the terminal's echo, off and always on again. Signals are blocked and read from a descriptor meanwhile, so that no
 * handler needs to know about the terminal.
 */
#include "admin/setup_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/signals.h"

enum { LINE_MAX_BYTES = 4096 };

struct terminal {
    int fd, signals;
    struct termios before;
    sigset_t watched, mask; /* what is read from `signals`; the mask as it was */
};

static void
show(const struct terminal *t, const char *text)
{
    (void)file_write(t->fd, text, strlen(text)); /* a terminal that is gone is seen when it is read */
}

static bool
echo_off(struct terminal *t)
{
    struct termios quiet;

    if (tcgetattr(t->fd, &t->before) != 0)
        return false;
    quiet = t->before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    quiet.c_lflag |= ECHONL;
    return tcsetattr(t->fd, TCSAFLUSH, &quiet) == 0;
}

static void
echo_on(struct terminal *t)
{
    while (tcsetattr(t->fd, TCSADRAIN, &t->before) != 0 && errno == EINTR)
        ;
}

static bool
terminal_open(struct terminal *t, struct error *err)
{
    static const int watched[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

    (void)sigemptyset(&t->watched);
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++)
        (void)sigaddset(&t->watched, watched[i]);
    t->signals = -1;
    t->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (t->fd >= 0)
        t->signals = signals_open(&t->watched, false);
    if (t->signals >= 0 && sigprocmask(SIG_BLOCK, &t->watched, &t->mask) == 0)
        return true;
    file_close(&t->fd);
    file_close(&t->signals);
    return error_set(err, ERROR_USAGE,
        "there is no terminal to ask for the password; --password-file, --password-command or standard input "
        "can give it");
}

static void
terminal_close(struct terminal *t)
{
    (void)sigprocmask(SIG_SETMASK, &t->mask, NULL);
    file_close(&t->signals);
    file_close(&t->fd);
}

/* The terminal as it was, then the signal; whoever comes back from it (Ctrl-Z) goes on */
static bool
obey_signal(struct terminal *t, const char *prompt)
{
    int number = signals_next(t->signals);

    if (number == 0)
        return false;
    echo_on(t);
    show(t, "\n");
    (void)raise(number);
    (void)sigprocmask(SIG_SETMASK, &t->mask, NULL); /* here it comes */
    (void)sigprocmask(SIG_BLOCK, &t->watched, NULL);
    if (!echo_off(t))
        return false;
    show(t, prompt);
    return true;
}

/* Up to the end of the line, or of the terminal; false when that is gone */
static bool
read_line(struct terminal *t, const char *prompt, struct buf *line)
{
    struct pollfd p[2] = { { .fd = t->fd, .events = POLLIN }, { .fd = t->signals, .events = POLLIN } };
    char piece[LINE_MAX_BYTES];

    while (!line->overflow) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return false;
        if (p[1].revents & POLLIN) {
            if (!obey_signal(t, prompt))
                return false;
            continue;
        }
        if (!p[0].revents)
            continue;
        ssize_t n = file_read_some(t->fd, piece, sizeof piece);
        bool end = n <= 0 || memchr(piece, '\n', (size_t)n);
        if (n > 0)
            buf_add(line, piece, (size_t)n);
        mem_wipe(piece, sizeof piece);
        if (end)
            return n > 0;
    }
    return false;
}

bool
setup_ask_secret(const char *prompt, struct buf *secret, struct error *err)
{
    struct terminal t;
    bool ok;

    if (!terminal_open(&t, err))
        return false;
    ok = echo_off(&t);
    if (ok) {
        show(&t, prompt);
        ok = read_line(&t, prompt, secret);
        echo_on(&t);
    }
    terminal_close(&t);
    while (secret->len && (secret->data[secret->len - 1] == '\n' || secret->data[secret->len - 1] == '\r'))
        buf_truncate(secret, secret->len - 1);
    if (ok && secret->len)
        return true;
    return error_set(err, ERROR_USAGE, "no password was given");
}

bool
setup_ask_yes(const char *question)
{
    char answer[16];
    ssize_t n;
    int fd = isatty(STDIN_FILENO) ? open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;

    if (fd < 0)
        return false;
    n = file_write(fd, question, strlen(question)) ? file_read_some(fd, answer, sizeof answer) : 0;
    file_close(&fd);
    return n > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}
