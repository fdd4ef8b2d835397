/* park: makes records; when a message may be parked is dispatch's decision. */
#include "daemon/park.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#define PARCELS_MAX 100

struct spool *
park_open(const char *path, struct error *err)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        error_sys(err, ERROR_TEMP, errno, "queue %s", path);
        return NULL;
    }
    if (geteuid() == 0 && st.st_uid != 0 &&
        (setgroups(1, &st.st_gid) != 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) != 0 ||
            setresuid(st.st_uid, st.st_uid, st.st_uid) != 0)) {
        error_sys(err, ERROR_OS, errno, "queue %s: cannot become its owner", path);
        return NULL;
    }
    return spool_open(path, &spool_io_system, err);
}

static bool
is_meant(const struct submission *s, size_t i, const char *account, enum park_which which)
{
    return which == PARK_ALL ||
           (submission_is_deferred(&s->member[i]) && strcmp(s->member[i].account, account) == 0);
}

static struct parcel *
pack_account(const struct submission *s, const char *account, enum park_which which, size_t serial)
{
    struct parcel *p = mem_alloc(sizeof *p);
    struct record *r = &p->record;

    *r = s->record;
    /* one message, several records: the ids tell them apart */
    if (serial)
        (void)snprintf(p->id, sizeof p->id, "%.30sX%zX", s->record.id, serial);
    else
        (void)snprintf(p->id, sizeof p->id, "%.30s", s->record.id);
    r->id = p->id;
    r->account = mem_dup(account);
    r->attempts = 0;
    r->reason = NULL;
    envelope_init(&r->envelope);
    envelope_set_sender(&r->envelope, s->record.envelope.sender);
    r->envelope.ret = s->record.envelope.ret;
    r->envelope.envid = mem_dup(s->record.envelope.envid);
    for (size_t i = 0; i < s->record.envelope.n; i++) {
        const struct recipient *from = &s->record.envelope.rcpt[i];
        const struct submission_member *m = &s->member[i];
        if (!is_meant(s, i, account, which))
            continue;
        size_t k = envelope_add(&r->envelope, from->address, from->notify, from->orcpt);
        r->envelope.rcpt[k].state = (char)submission_state(m);
        if (m->tried && m->text && !r->reason) {
            r->attempts = 1;
            r->last_try = clock_wall().tv_sec;
            r->reason = mem_dup(m->text);
        }
    }
    p->draft.fd = -1;
    return p;
}

static bool
has_account(const struct parcel *list, const char *account)
{
    for (; list; list = list->next)
        if (strcmp(list->record.account, account) == 0)
            return true;
    return false;
}

struct parcel *
park_pack(const struct submission *s, enum park_which which, const char *reason, bool *fits)
{
    struct parcel *list = NULL, **end = &list;
    size_t n = 0;

    *fits = true;
    for (size_t i = 0; i < s->record.envelope.n && n < PARCELS_MAX; i++) {
        const struct submission_member *m = &s->member[i];
        if ((which == PARK_DEFERRED && !submission_is_deferred(m)) || has_account(list, m->account) ||
            (which == PARK_ALL && list))
            continue;
        *end = pack_account(s, m->account, which, n++);
        if (!(*end)->record.reason)
            (*end)->record.reason = mem_dup(reason);
        end = &(*end)->next;
    }
    *fits = n < PARCELS_MAX;
    return list;
}

bool
park_store(struct spool *spool, struct parcel *list, const struct park_limits *limits, int fd,
    uint64_t offset, uint64_t size, struct error *err)
{
    struct error ignored;

    if (!spool_has_room(spool, limits->min_free, limits->max_size, err))
        return false;
    for (struct parcel *p = list; p; p = p->next) {
        if (spool_store(spool, &p->record, fd, offset, size, &p->draft, err))
            continue;
        for (struct parcel *done = list; done != p; done = done->next)
            (void)spool_remove(spool, done->id, &ignored); /* err says what was wrong already */
        return false;
    }
    return true;
}

void
park_free(struct spool *spool, struct parcel *list)
{
    while (list) {
        struct parcel *p = list;
        list = p->next;
        if (p->draft.fd >= 0)
            spool_drop(spool, &p->draft);
        free(p->record.account);
        free(p->record.reason);
        envelope_clear(&p->record.envelope);
        free(p);
    }
}
