/* SPDX-License-Identifier: ISC */
/* notice: a few header fields and a text; made durable in a thread. */
#include "daemon/notice.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/route.h"
#include "daemon/feed.h"
#include "daemon/ownmail.h"

enum { NOTICE_MAX = 16384 };

struct notice {
    struct core *core;
    struct ownmail own;
    struct buf text;
    struct error err;
};

static void
write_lines(struct buf *b, struct slice text)
{
    struct slice line;

    while (text.len) {
        line = slice_sub(text, 0, slice_find(text, '\n'));
        buf_add_slice(b, line);
        buf_add_str(b, "\r\n");
        text = slice_from(text, line.len < text.len ? line.len + 1 : text.len);
    }
}

/* What a worker adds to any message (Date, Message-ID, To) it adds to this one */
static void
write_all(struct notice *n, struct slice text)
{
    size_t subject = slice_find(text, '\n');

    buf_init(&n->text, NOTICE_MAX);
    buf_add_format(&n->text, "From: smtprelay <%s>\r\nTo: <%s>\r\nSubject: ", n->own.from,
        n->own.record.envelope.rcpt[0].address);
    buf_add_slice(&n->text, slice_sub(text, 0, subject));
    buf_add_str(&n->text, "\r\nAuto-Submitted: auto-generated\r\n");
    write_lines(&n->text, slice_from(text, subject < text.len ? subject + 1 : text.len));
}

static void
notice_run(void *arg)
{
    struct notice *n = arg;

    (void)ownmail_store(&n->own, n->core->spool, buf_slice(&n->text), &n->err); /* notice_done sees */
}

static void
notice_done(void *arg)
{
    struct notice *n = arg;

    if (n->own.stored)
        log_line(
            LOG_LEVEL_INFO, "id=%s notice to=<%s>", n->own.record.id, n->own.record.envelope.rcpt[0].address);
    else
        log_line(LOG_LEVEL_ERROR, "the administrator is not told: %s", n->err.text);
    ownmail_end(&n->own, n->core, NULL);
    feed_pump(n->core);
    buf_clear(&n->text);
    free(n);
}

void
notice_send(struct core *c, const char *text)
{
    struct notice *n;
    size_t account = route_account(&c->config, "", 0, "root");

    if (!c->spool)
        return;
    n = mem_alloc(sizeof *n);
    n->core = c;
    ownmail_begin(&n->own, c, "root", config_account_name(&c->config, account), 0, "root");
    write_all(n, slice_of(text));
    work_start(c->work, notice_run, notice_done, n);
}
