/* SPDX-License-Identifier: ISC */
/*
 * why: the questions, and following by asking again from where the last answer ended: so a daemon that is started again, or none at
 * all, is all the same, and nobody who follows keeps a thread of the daemon.
 */
#include "admin/why.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
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

static void
add_word(struct queue_request *q, const char *word)
{
    q->word[q->n++] = word;
}

int
why_ask(const struct config_request *req, const char *const words[], size_t nwords)
{
    struct queue_request q = { .n = 0 };
    const char *word[3] = { NULL }; /* which, how many, one too many */
    size_t n = 0;
    bool last;

    for (size_t i = 1; i < nwords; i++) {
        if (strcmp(words[i], "--json") == 0)
            q.json = true;
        else if (n < sizeof word / sizeof word[0])
            word[n++] = words[i];
    }
    last = n > 0 && strcmp(word[0], "--last") == 0;
    if (n == 0)
        fatal(EX_USAGE, "why: the id of a message, an address or --last is missing");
    if (!last && word[0][0] == '-')
        fatal(EX_USAGE, "why: unknown option %s; see smtprelay --help", word[0]);
    if (n > 2 || (n > 1 && !is_count(word[1])))
        fatal(EX_USAGE, "why: %s: how many messages? a number from 1 to 10000", word[n - 1]);
    if (!*word[0])
        fatal(EX_USAGE, "why: the id or address is empty");
    add_word(&q, "why");
    add_word(&q, last ? "-" : word[0]);
    if (n > 1 || last)
        add_word(&q, n > 1 ? word[1] : "1");
    if (q.json)
        add_word(&q, "--json");
    return queue_ask(req, &q);
}

/* ---------------------------------------------------------------- log */

/* The answer but for its last line, "@PLACE", goes out; false when nobody reads it. *shown: there was more than that */
static bool
show(struct slice answer, char place[PLACE_MAX], bool *shown)
{
    size_t at;

    if (answer.len && answer.p[answer.len - 1] == '\n')
        answer.len--;
    at = slice_find_last(answer, '\n');
    at = at < answer.len ? at + 1 : 0;
    if (at < answer.len && answer.p[at] == '@' && answer.len - at < PLACE_MAX)
        (void)snprintf(place, PLACE_MAX, "%.*s", (int)(answer.len - at - 1), answer.p + at + 1);
    *shown = at > 0;
    return file_write(STDOUT_FILENO, answer.p, at);
}

/* One question and its answer. The exit code; 74 when nobody reads */
static int
ask_once(const struct config_request *req, const struct queue_request *q, char place[PLACE_MAX], bool *shown)
{
    struct buf answer;
    int code;

    buf_init(&answer, ANSWER_MAX);
    code = queue_ask_into(req, q, &answer);
    if (!show(buf_slice(&answer), place, shown))
        code = EX_IOERR;
    buf_clear(&answer);
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
    struct queue_request q = { .n = 0 };
    char place[PLACE_MAX] = "-";
    const char *count = NULL;
    bool follow = false, shown = false;
    int code;

    for (size_t i = 1; i < n; i++) {
        if (strcmp(words[i], "-f") == 0)
            follow = true;
        else if (strcmp(words[i], "-n") == 0 && i + 1 < n && is_count(words[i + 1]))
            count = words[++i];
        else if (strcmp(words[i], "-n") == 0)
            fatal(EX_USAGE, "log: -n wants a number behind it");
        else
            fatal(EX_USAGE, "log: %s is not understood; see smtprelay --help", words[i]);
    }
    add_word(&q, "log");
    add_word(&q, place);
    if (count)
        add_word(&q, count);
    code = ask_once(req, &q, place, &shown);
    if (code == 0 && !shown && !follow)
        fputs("smtprelay: log: the history is empty: nothing came by the daemon or the queue\n", stderr);
    q.n = 2;
    while (follow && (code == 0 || code == EX_TEMPFAIL) && wait_for_more())
        code = ask_once(req, &q, place, &shown); /* a daemon that is started again is waited for */
    return code == EX_IOERR && follow ? 0 : code;
}
