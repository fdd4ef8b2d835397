/* SPDX-License-Identifier: ISC */
/* queued: messages are stored as the daemon stores them. */
#include "unit/queued.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

struct queued queued;

static const char content[] = "Subject: x\r\n\r\nhel\tlo\x1b[2J\r\n";

void
queued_open(const struct spool_io *io)
{
    struct error err;

    (void)snprintf(queued.dir, sizeof queued.dir, "/tmp/test-control-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(queued.dir));
    queued.spool = spool_open(queued.dir, io, &err);
    ck_assert_msg(queued.spool != NULL, "%s", err.text);
}

void
queued_close(void)
{
    char *command = mem_format("rm -rf %s", queued.dir);

    spool_close(queued.spool);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

void
queued_add(const struct queued_message *m)
{
    static const char *const dirs[] = { "/tmp", NULL };
    struct record r;
    struct draft d;
    struct error err;
    int64_t now = (int64_t)clock_wall().tv_sec;
    int fd = file_temp(dirs, &err);

    record_init(&r);
    r.id = mem_dup(m->id);
    r.account = mem_dup(m->account ? m->account : "default");
    r.mode = mem_dup(m->mode ? m->mode : "interactive");
    r.uid = m->uid;
    r.time = now - m->age;
    envelope_set_sender(&r.envelope, m->sender);
    envelope_add(&r.envelope, "done@example.net", 0, NULL);
    r.envelope.rcpt[0].state = ENVELOPE_DONE;
    envelope_add(&r.envelope, m->recipient, 0, NULL);
    r.reason = mem_dup(m->reason ? m->reason : "");
    r.attempts = m->attempts;
    r.last_try = m->attempts ? now - m->last_try_ago : 0;
    ck_assert(file_write(fd, content, sizeof content - 1));
    ck_assert_msg(spool_store(queued.spool, &r, fd, 0, sizeof content - 1, &d, &err), "%s", err.text);
    spool_drop(queued.spool, &d);
    file_close(&fd);
    record_clear(&r);
}

void
queued_request(struct control_request *q, const char *line, int64_t uid, bool is_operator)
{
    struct error err;

    ck_assert_msg(control_parse(slice_of(line), q, &err), "%s", line);
    q->peer = (struct control_peer){ uid, is_operator };
    q->queue_dir = mem_dup(queued.dir);
}

char *
queued_answer(struct control_request *q)
{
    static const char *const dirs[] = { "/tmp", NULL };
    struct error err;
    struct buf b;
    int fd = file_temp(dirs, &err);

    ck_assert_int_ge(fd, 0);
    control_answer(q, fd);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    buf_init(&b, 1u << 20);
    ck_assert(file_read_all(fd, &b, "answer", &err));
    file_close(&fd);
    return buf_steal(&b);
}
