/* SPDX-License-Identifier: ISC */
/* trial: the session is made by hand, as it stands when the greeting is over. */
#include "unit/trial.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static bool
produce(void *ctx, transaction_sink *sink, void *sink_ctx, struct error *err)
{
    struct trial *t = ctx;
    struct slice rest = slice_of(t->content);
    size_t piece = t->piece ? t->piece : rest.len;

    for (; rest.len; rest = slice_from(rest, piece))
        if (!sink(sink_ctx, slice_sub(rest, 0, piece)))
            return error_set(err, ERROR_TEMP, "stopped");
    return true;
}

void
trial_prepare(struct trial *t, unsigned offered, size_t rcpts, const char *content)
{
    memset(t, 0, sizeof *t);
    t->options = (struct session_options){ .ehlo_name = "me", .timeout_ms = 20000, .end_ms = 20000 };
    t->s.options = &t->options;
    t->s.caps.esmtp = t->s.introduced = true;
    t->s.caps.pipelining = offered & TRIAL_PIPELINING;
    t->s.caps.chunking = offered & TRIAL_CHUNKING;
    if (offered & TRIAL_LOGIN)
        memcpy(t->s.mechanism, "PLAIN", 6);
    t->content = content;
    for (size_t i = 0; i < rcpts; i++) {
        (void)snprintf(t->paths[i], sizeof t->paths[i], "r%zu@b.example", i);
        t->rcpt[i].path = t->paths[i];
    }
    t->t = (struct transaction){ .sender = "a@b.example",
        .size = strlen(content),
        .rcpt = t->rcpt,
        .n = rcpts,
        .write = produce,
        .ctx = t };
}

void
trial_run(struct trial *t, int type, const struct peer_step *steps, size_t n)
{
    stream_init(&t->s.stream, peer_start(&t->peer, type, steps, n), NULL, NULL);
    t->usable = transaction_run(&t->s, &t->t);
    session_close(&t->s);
    peer_join(&t->peer);
    for (size_t i = 0; i < t->t.n; i++)
        ck_assert(t->rcpt[i].done);
}

enum status_outcome
trial_outcome(const struct trial *t, size_t i)
{
    const struct status_fact *f = &t->rcpt[i].fact;

    return status_judge(f->stage, f->cause, f->code).outcome;
}

size_t
trial_count(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what))
        n++;
    return n;
}

char *
trial_long_text(size_t n)
{
    char *text = mem_alloc(n * 70 + 1);

    for (size_t i = 0; i < n; i++)
        (void)snprintf(text + i * 70, 71, "%068zu\r\n", i);
    return text;
}

char *
trial_repeat(const char *what, size_t n)
{
    char *text = mem_alloc(strlen(what) * n + 1);

    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * strlen(what), what, strlen(what) + 1);
    return text;
}
