/* park: copies records; when a message may be parked is the daemon's decision. */
#include "daemon/park.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

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

/* A record of its own for the account's deferred members. The strings are the submission's but for the envelope. */
static bool
park_account(struct spool *spool, struct submission *s, const char *account, char *id, struct error *err)
{
    struct record r = s->record;
    struct draft d;
    bool ok;

    r.id = id;
    r.account = mem_dup(account);
    r.attempts = 0;
    r.reason = NULL;
    envelope_init(&r.envelope);
    envelope_set_sender(&r.envelope, s->record.envelope.sender);
    r.envelope.ret = s->record.envelope.ret;
    r.envelope.envid = mem_dup(s->record.envelope.envid);
    for (size_t i = 0; i < s->record.envelope.n; i++) {
        const struct recipient *from = &s->record.envelope.rcpt[i];
        const struct submission_member *m = &s->member[i];
        if (!submission_is_deferred(m) || strcmp(m->account, account) != 0)
            continue;
        envelope_add(&r.envelope, from->address, from->notify, from->orcpt);
        if (m->tried && m->text && !r.reason) {
            r.attempts = 1;
            r.last_try = clock_wall().tv_sec;
            r.reason = m->text;
        }
    }
    ok = spool_store(spool, &r, s->fd, s->record.content_offset, s->size, &d, err);
    if (ok)
        spool_drop(spool, &d);
    free(r.account);
    envelope_clear(&r.envelope);
    return ok;
}

/* Deferred members of accounts from `from` on: the first one's index */
static size_t
next_deferred(const struct submission *s, size_t from)
{
    while (from < s->record.envelope.n && !submission_is_deferred(&s->member[from]))
        from++;
    return from;
}

static void
set_queued(struct submission *s, const char *account)
{
    for (size_t i = 0; i < s->record.envelope.n; i++)
        if (submission_is_deferred(&s->member[i]) && strcmp(s->member[i].account, account) == 0)
            s->member[i].queued = true;
}

bool
park_rest(struct spool *spool, struct submission *s, struct error *err)
{
    char *ids[SPOOL_ID_MAX];
    size_t n = 0;
    bool ok = true;

    for (size_t i = next_deferred(s, 0); ok && i < s->record.envelope.n; i = next_deferred(s, i)) {
        if (n == SPOOL_ID_MAX) {
            ok = error_set(err, ERROR_REFUSED, "message: for more than %d accounts", SPOOL_ID_MAX);
            break;
        }
        /* one message, several records: the ids tell them apart */
        ids[n] = n ? mem_format("%sX%zX", s->record.id, n) : mem_dup(s->record.id);
        ok = park_account(spool, s, s->member[i].account, ids[n], err);
        if (ok)
            set_queued(s, s->member[i].account);
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        struct error ignored;
        if (!ok && i + 1 < n)
            (void)spool_remove(spool, ids[i], &ignored); /* err says what was wrong already */
        free(ids[i]);
    }
    for (size_t i = 0; !ok && i < s->record.envelope.n; i++)
        s->member[i].queued = false;
    return ok;
}
