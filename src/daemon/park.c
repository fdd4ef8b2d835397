/* SPDX-License-Identifier: ISC */
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
#include "config/road.h"

#define PARCELS_MAX 100
/* A message to many domains is not copied for each: those that come last wait together */
#define ROADS_MAX 50
#define ROADS_MIN 4
#define ROADS_BYTES (64u << 20)

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
has_account(const struct parcel *list, const char *account)
{
    for (; list; list = list->next)
        if (strcmp(list->record.account, account) == 0)
            return true;
    return false;
}

/* Of the road, or of the account and in none of `list` */
static bool
is_meant(const struct submission *s, size_t i, const char *account, const struct parcel *list)
{
    const char *road = s->member[i].account;
    size_t n = road_account_len(road);

    if (strcmp(road, account) == 0)
        return true;
    return list && strlen(account) == n && strncmp(road, account, n) == 0 && !has_account(list, road);
}

/* `list`: what is packed already, where all the rest of the account comes together; else NULL */
static struct parcel *
pack_account(const struct submission *s, const char *account, enum park_which which,
    const struct parcel *list, size_t serial)
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
        if (which != PARK_ALL && !(submission_is_deferred(m) && is_meant(s, i, account, list)))
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

/* So many records of their own */
static size_t
roads_max(const struct submission *s)
{
    uint64_t n = ROADS_BYTES / (s->size ? s->size : 1);

    return n > ROADS_MAX ? ROADS_MAX : n < ROADS_MIN ? ROADS_MIN : (size_t)n;
}

struct parcel *
park_pack(const struct submission *s, enum park_which which, const char *reason, bool *fits)
{
    struct parcel *list = NULL, **end = &list;
    size_t n = 0, roads = roads_max(s);

    for (size_t i = 0; i < s->record.envelope.n && n < PARCELS_MAX; i++) {
        const struct submission_member *m = &s->member[i];
        size_t len = road_account_len(m->account);
        bool rest = n >= roads && m->account[len];
        if ((which == PARK_DEFERRED && !submission_is_deferred(m)) || has_account(list, m->account) ||
            (which == PARK_ALL && list))
            continue;
        char *key = slice_dup(slice_make(m->account, rest ? len : strlen(m->account)));
        if (!has_account(list, key)) {
            *end = pack_account(s, key, which, rest ? list : NULL, n++);
            if (!(*end)->record.reason)
                (*end)->record.reason = mem_dup(reason);
            end = &(*end)->next;
        }
        free(key);
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
