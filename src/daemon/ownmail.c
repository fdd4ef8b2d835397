/* SPDX-License-Identifier: ISC */
/* ownmail: record and file; the words are the caller's. */
#include "daemon/ownmail.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/memfile.h"
#include "config/expand.h"
#include "config/road.h"
#include "daemon/intake.h"
#include "daemon/story.h"
#include "mail/stamp.h"

static const char *
host_of(const struct core *c)
{
    return config_text(&c->config, 0, CONFIG_HOSTNAME);
}

/* The account's own address, which its provider takes; MAILER-DAEMON where there is none or From is to be kept */
static char *
from_of(const struct core *c, size_t account)
{
    const char *policy = config_text(&c->config, account, CONFIG_FROM_POLICY);
    const char *from = config_text(&c->config, account, CONFIG_FROM);
    const char *domain = config_text(&c->config, 0, CONFIG_REWRITE_DOMAIN);

    if (from && !(policy && slice_is_nocase(slice_of(policy), "keep")))
        return mem_dup(from);
    return mem_format("MAILER-DAEMON@%s", domain ? domain : host_of(c));
}

static void
on_found(void *ctx, const char *address)
{
    (void)envelope_add(ctx, address, 0, NULL);
}

/* The recipient is one as any other: by aliases, and `root` */
static void
make_record(struct core *c, struct record *r, const char *to, size_t account, int64_t uid, const char *login)
{
    struct expand_hooks hooks = { .found = on_found, .ctx = &r->envelope };
    struct timespec now = clock_wall();
    struct error err;
    struct buf b;

    record_init(r);
    r->id = intake_make_id();
    r->time = now.tv_sec;
    r->zone_min = intake_zone_minutes(now.tv_sec);
    r->mode = mem_dup("queue");
    r->origin = mem_dup("report");
    r->uid = uid;
    r->login = mem_dup(login ? login : "");
    r->program = mem_dup("smtprelayd");
    buf_init(&b, 1000);
    stamp_date(&b, r->time, (int)r->zone_min);
    r->date = buf_steal(&b);
    stamp_message_id(&b, slice_of(r->id), r->time, slice_of(host_of(c)));
    r->message_id = buf_steal(&b);
    envelope_set_sender(&r->envelope, "");
    if (!expand_recipient(&c->config, account, to, &hooks, &err) || r->envelope.n == 0)
        (void)envelope_add(&r->envelope, to, 0, NULL);
    r->account = road_of(&c->config, account, &r->envelope);
}

void
ownmail_begin(
    struct ownmail *m, struct core *c, const char *to, const char *account, int64_t uid, const char *login)
{
    size_t found = config_account_find(&c->config, account), a = found < c->config.n ? found : 0;

    make_record(c, &m->record, to, a, uid, login);
    m->draft.fd = -1;
    m->stored = false;
    m->from = from_of(c, a);
    m->record.login_address = mem_dup(m->from);
}

static int
open_temp(struct error *err)
{
    const char *const dirs[] = { "/var/tmp", "/tmp", NULL };
    int fd = memfile_open("smtprelay");

    return fd >= 0 ? fd : file_temp(dirs, err);
}

bool
ownmail_store(struct ownmail *m, struct spool *spool, struct slice text, struct error *err)
{
    int fd = open_temp(err);

    if (fd >= 0 && !file_pwrite(fd, text.p, text.len, 0))
        error_sys(err, ERROR_IO, errno, "cannot write the report to a file");
    else if (fd >= 0)
        m->stored = spool_store(spool, &m->record, fd, 0, text.len, &m->draft, err);
    file_close(&fd);
    return m->stored;
}

/* What is about no message is news: it overtakes what waits */
static void
make_due(const struct ownmail *m, struct core *c, bool is_news)
{
    struct schedule_entry *e =
        schedule_add(c->schedule, m->record.id, m->record.account, 0, 0, SCHEDULE_NOW, clock_ms());

    if (is_news)
        schedule_alert(c->schedule, e, 0);
}

void
ownmail_end(struct ownmail *m, struct core *c, const char *about)
{
    if (m->stored) {
        story_submitted(c, &m->record, m->record.content_size, about);
        spool_drop(c->spool, &m->draft);
        if (c->schedule)
            make_due(m, c, !about);
    }
    file_close(&m->draft.fd);
    record_clear(&m->record);
    free(m->from);
}
