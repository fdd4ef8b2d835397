/* SPDX-License-Identifier: ISC */
/* control: requests, rights and what becomes of them; the lines about messages are control_list's, those about accounts
 * control_status's. */
#include "daemon/control.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/peercred.h"
#include "base/text.h"
#include "daemon/control_filter.h"
#include "daemon/control_list.h"
#include "daemon/control_rate.h"
#include "daemon/control_why.h"

/* What each request takes, by enum control_verb */
static const struct {
    const char *name;
    size_t min, max; /* arguments */
} verbs[] = {
    [CONTROL_LIST] = { "list", 0, 1 },
    [CONTROL_QUEUE] = { "queue", 0, CONTROL_LINE_MAX },
    [CONTROL_SHOW] = { "show", 0, CONTROL_LINE_MAX },
    [CONTROL_WHY] = { "why", 1, 3 },
    [CONTROL_LOG] = { "log", 0, 2 },
    [CONTROL_STATUS] = { "status", 0, 1 },
    [CONTROL_RETRY] = { "retry", 0, CONTROL_LINE_MAX },
    [CONTROL_HOLD] = { "hold", 0, CONTROL_LINE_MAX },
    [CONTROL_RELEASE] = { "release", 0, CONTROL_LINE_MAX },
    [CONTROL_REMOVE] = { "remove", 0, CONTROL_LINE_MAX },
    [CONTROL_RUN] = { "run", 0, 1 },
    [CONTROL_VERIFY] = { "verify", 1, CONTROL_LINE_MAX },
    [CONTROL_TRACE] = { "trace", 3, CONTROL_LINE_MAX },
    [CONTROL_TEST] = { "test", 0, 4 },
    [CONTROL_WAKE] = { "wake", 0, 0 },
};

/* ---------------------------------------------------------------- requests */

void
control_init(struct control_request *q)
{
    memset(q, 0, sizeof *q);
    q->peer.uid = -1;
    q->filter.uid = q->filter.older_s = q->filter.larger = -1;
    q->snapshot.next_run_s = -1;
}

void
control_clear(struct control_request *q)
{
    for (size_t i = 0; i < q->naddress; i++)
        free(q->address[i]);
    for (size_t i = 0; i < q->snapshot.naccounts; i++) {
        free(q->snapshot.account[i].name);
        free(q->snapshot.account[i].reason);
        control_rate_clear(&q->snapshot.account[i].rate);
    }
    for (size_t i = 0; i < q->snapshot.nhubs; i++) {
        free(q->snapshot.hub[i].account);
        free(q->snapshot.hub[i].relay);
    }
    free(q->address);
    free(q->snapshot.account);
    free(q->snapshot.hub);
    free(q->snapshot.broken);
    free(q->snapshot.unprotected);
    free(q->snapshot.active);
    control_filter_clear(&q->filter);
    free(q->text);
    free(q->file);
    free(q->queue_dir);
    explain_free(q->explain);
    control_init(q);
}

static bool
find_verb(struct slice name, enum control_verb *verb)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (slice_is(name, verbs[i].name)) {
            *verb = (enum control_verb)i;
            return true;
        }
    return false;
}

static bool
take_argument(struct control_request *q, struct slice word)
{
    struct buf b;
    bool ok;

    buf_init(&b, CONTROL_LINE_MAX);
    ok = text_percent_decode(&b, word) && !slice_has(buf_slice(&b), '\0');
    if (ok) {
        q->address = mem_resize(q->address, q->naddress + 1, sizeof *q->address);
        q->address[q->naddress++] = buf_steal(&b);
    }
    buf_clear(&b);
    return ok;
}

/* why and log: a text, and how many; of why the last word may be for whom */
static bool
place_number(struct control_request *q, struct error *err)
{
    uint64_t n = 0;
    bool ok = true;

    q->filter.json = q->verb == CONTROL_WHY && strcmp(q->address[q->naddress - 1], "--json") == 0;
    if (q->filter.json)
        free(q->address[--q->naddress]);
    if (q->naddress == 0 || q->naddress > 2)
        return error_set(err, ERROR_USAGE, "smtprelayd: a request that is not understood");
    if (q->naddress == 2) {
        char *word = q->address[--q->naddress];
        ok = slice_number(slice_of(word), CONTROL_NUMBER_MAX, &n) && n > 0;
        free(word);
    }
    q->number = (size_t)n;
    q->text = q->address[--q->naddress];
    return ok || error_set(err, ERROR_USAGE, "%s: how many? a number from 1 to %d", verbs[q->verb].name,
                     CONTROL_NUMBER_MAX);
}

/* All of them are words of a filter, and those that change or show something need one that means something */
static bool
place_filter(struct control_request *q, struct error *err)
{
    struct control_filter *f = &q->filter;
    bool ok = true;

    for (size_t i = 0; i < q->naddress; i++) {
        ok = ok && control_filter_take(f, q->address[i], err);
        free(q->address[i]);
    }
    q->naddress = 0;
    if (!ok)
        return false;
    if (q->verb >= CONTROL_SHOW && q->verb != CONTROL_STATUS && !control_filter_is_given(f))
        return error_set(err, ERROR_USAGE, "%s: which messages? ids, options such as --sender, or --all",
            verbs[q->verb].name);
    if (f->failed && (q->verb == CONTROL_HOLD || q->verb == CONTROL_RELEASE))
        return error_set(
            err, ERROR_USAGE, "%s: what has failed is not tried; see retry --failed", verbs[q->verb].name);
    return true;
}

/* trace: on behalf of whom */
static bool
place_sender(struct control_request *q, struct error *err)
{
    uint64_t uid;
    bool named = strcmp(q->address[1], "-") != 0;

    if (named && !slice_number(slice_of(q->address[1]), UINT32_MAX, &uid))
        return error_set(err, ERROR_USAGE, "trace: %s is no uid", q->address[1]);
    q->filter.uid = named ? (int64_t)uid : -1;
    q->text = q->address[0];
    free(q->address[1]);
    q->naddress -= 2;
    memmove(q->address, q->address + 2, q->naddress * sizeof *q->address);
    return true;
}

/* list: nothing but -v */
static bool
place_verbose(struct control_request *q, struct error *err)
{
    bool ok = true;

    while (q->naddress) {
        char *word = q->address[--q->naddress];
        q->verbose = strcmp(word, "-v") == 0;
        ok = ok && q->verbose;
        free(word);
    }
    return ok || error_set(err, ERROR_USAGE, "smtprelayd: a request that is not understood");
}

/* test: options, and one address */
static bool
place_test(struct control_request *q, struct error *err)
{
    size_t n = 0;
    bool ok = true;

    for (size_t i = 0; i < q->naddress; i++) {
        char *word = q->address[i];
        bool account = strncmp(word, "--account=", 10) == 0, file = strncmp(word, "--config=", 9) == 0;
        char **option = account ? &q->text : &q->file;
        if (!account && !file) {
            ok = ok &&
                 (strncmp(word, "--", 2) != 0 || error_set(err, ERROR_USAGE, "test: %s is not known", word));
            q->address[n++] = word;
            continue;
        }
        free(*option);
        *option = mem_dup(strchr(word, '=') + 1);
        free(word);
    }
    q->naddress = n;
    if (ok && n > 1)
        ok = error_set(err, ERROR_USAGE, "test: one address at a time");
    return ok;
}

/* Where the arguments belong */
static bool
place_arguments(struct control_request *q, struct error *err)
{
    char *text;

    if (q->verb == CONTROL_VERIFY || ((q->verb == CONTROL_RUN || q->verb == CONTROL_LOG) && q->naddress == 0))
        return true;
    if (q->verb == CONTROL_TRACE)
        return place_sender(q, err);
    if (q->verb == CONTROL_WHY || q->verb == CONTROL_LOG)
        return place_number(q, err);
    if (q->verb == CONTROL_TEST)
        return place_test(q, err);
    if (q->verb != CONTROL_RUN)
        return q->verb == CONTROL_LIST ? place_verbose(q, err)
                                       : q->verb == CONTROL_WAKE || place_filter(q, err);
    text = q->address[--q->naddress];
    q->by = *text;
    q->text = mem_dup(*text ? text + 1 : "");
    free(text);
    return (q->by && strchr("IRS", q->by) != NULL) || error_set(err, ERROR_USAGE, "run: not I, R or S");
}

bool
control_parse(struct slice line, struct control_request *q, struct error *err)
{
    struct slice rest = line, word = slice_of("");
    bool ok;

    control_init(q);
    (void)slice_cut(&rest, ' ', &word); /* an empty line has an empty name */
    ok = line.len <= CONTROL_LINE_MAX && find_verb(word, &q->verb);
    while (ok && slice_cut(&rest, ' ', &word))
        ok = word.len == 0 || take_argument(q, word);
    ok = ok && q->naddress >= verbs[q->verb].min && q->naddress <= verbs[q->verb].max;
    if (!ok)
        error_set(err, ERROR_USAGE, "smtprelayd: a request that is not understood");
    if (ok && place_arguments(q, err))
        return true;
    control_clear(q);
    return false;
}

void
control_format(struct buf *line, const char *const words[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_add_char(line, ' ');
        text_percent_encode(line, slice_of(words[i]));
    }
}

/* ---------------------------------------------------------------- rights */

int64_t
control_group(void)
{
    struct group *g = getgrnam(CONTROL_GROUP);

    return g ? (int64_t)g->gr_gid : -1;
}

bool
control_identify(int sock, int64_t group, struct control_peer *peer)
{
    struct peercred cred;

    *peer = (struct control_peer){ .uid = -1 };
    if (!peercred_get(sock, &cred))
        return false;
    peer->uid = cred.uid;
    peer->is_operator =
        cred.uid == 0 || cred.uid == geteuid() ||
        (group >= 0 && ((int64_t)cred.gid == group || peercred_has_group(sock, (gid_t)group)));
    return true;
}

/* wake, and asking on behalf of somebody else */
static bool
is_for_operators(const struct control_request *q)
{
    return q->verb == CONTROL_WAKE ||
           (q->verb == CONTROL_TRACE && q->filter.uid >= 0 && q->filter.uid != q->peer.uid);
}

bool
control_is_permitted(const struct control_request *q, struct error *err)
{
    if (!is_for_operators(q) || q->peer.is_operator)
        return true;
    return error_set(err, ERROR_ADMIN, "smtprelayd: %s is for operators: root and the members of %s",
        q->verb == CONTROL_TRACE ? "the way of another user's mail" : verbs[q->verb].name, CONTROL_GROUP);
}

bool
control_may_see(const struct control_request *q, const struct record *r)
{
    return q->peer.is_operator || (q->peer.uid >= 0 && r->uid == q->peer.uid);
}

/* ---------------------------------------------------------------- the snapshot */

void
control_add_account(struct control_request *q, const char *name, enum control_state state, const char *reason,
    int64_t since_s, int64_t next_s)
{
    struct control_snapshot *s = &q->snapshot;

    s->account = mem_resize(s->account, s->naccounts + 1, sizeof *s->account);
    s->account[s->naccounts++] = (struct control_account){ .name = mem_dup(name),
        .reason = mem_dup(reason ? reason : ""),
        .state = state,
        .since_s = since_s,
        .next_s = next_s };
}

void
control_add_hub(
    struct control_request *q, const char *account, const char *relay, int64_t expires_s, int64_t alone_s)
{
    struct control_snapshot *s = &q->snapshot;

    s->hub = mem_resize(s->hub, s->nhubs + 1, sizeof *s->hub);
    s->hub[s->nhubs++] = (struct control_hub){ mem_dup(account), mem_dup(relay), expires_s, alone_s };
}

void
control_add_active(struct control_request *q, const char *id)
{
    struct control_snapshot *s = &q->snapshot;
    size_t len = strlen(id);

    ensure(len <= SPOOL_ID_MAX);
    s->active = mem_resize(s->active, s->nactive + 1, sizeof *s->active);
    memcpy(s->active[s->nactive++], id, len + 1);
}

/* ---------------------------------------------------------------- answers in a thread */

/* The queue of the request; NULL and *none where there is no queue, NULL with err where it cannot be read */
static struct spool *
open_queue(const struct control_request *q, bool *none, struct error *err)
{
    struct stat st;

    *none = stat(q->queue_dir, &st) != 0 && errno == ENOENT;
    return *none ? NULL : spool_open(q->queue_dir, &spool_io_system, err);
}

bool
control_explains(const struct control_request *q)
{
    return q->verb == CONTROL_STATUS || q->verb == CONTROL_WHY || q->verbose;
}

bool
control_is_answered(const struct control_request *q)
{
    return q->verb <= CONTROL_STATUS || q->filter.dry_run || q->filter.count;
}

void
control_answer(struct control_request *q, int fd)
{
    struct control_out o;
    struct error err;
    struct spool *s;
    bool none, ok = true;
    int level = 0;

    ensure(control_is_answered(q));
    control_out_begin(&o, fd);
    error_init(&err);
    s = open_queue(q, &none, &err);
    control_filter_find(q, s);
    if (!s && !none)
        ok = false;
    else if (q->verb == CONTROL_LIST)
        control_list(q, &o, s);
    else if (q->verb == CONTROL_STATUS)
        level = control_status(q, &o, s);
    else if (q->verb == CONTROL_WHY)
        ok = control_why(q, &o, s, &err);
    else if (q->verb == CONTROL_LOG)
        ok = control_log(q, &o, &err);
    else if (q->verb == CONTROL_SHOW && !q->filter.count && !q->filter.json)
        ok = control_show(q, &o, s, &err);
    else
        ok = control_queue(q, &o, s, &err);
    spool_close(s);
    control_out_end(&o, ok ? (enum error_class)level : err.class, ok ? "" : err.text);
}

void
control_end(struct buf *answer, enum error_class class, const char *text)
{
    char shown[ERROR_TEXT_MAX];

    text_escape(shown, sizeof shown, slice_of(text));
    buf_add_format(answer, "=%d %s\n", (int)class, shown);
}

/* ---------------------------------------------------------------- run */

bool
control_means_all(const struct control_request *q)
{
    return q->by == 0 && q->peer.is_operator;
}

/* run and what changes messages: is this message meant, by its owner and what is looked for? */
static bool
is_meant(const struct control_request *q, const struct record *r)
{
    const struct envelope *e = &r->envelope;

    if (!control_may_see(q, r) || !control_filter_matches(q, r))
        return false;
    if (q->by == 'I')
        return r->id && strcasestr(r->id, q->text);
    if (q->by == 'S')
        return e->sender && strcasestr(e->sender, q->text);
    for (size_t i = 0; q->by == 'R' && i < e->n; i++)
        if (strcasestr(e->rcpt[i].address, q->text))
            return true;
    return q->by == 0;
}

bool
control_select(
    struct control_request *q, int client, char (**ids)[SPOOL_ID_MAX + 1], size_t *n, struct error *err)
{
    struct control_out o;
    struct control_walk w;
    struct record r;
    bool none, all;
    struct spool *s = open_queue(q, &none, err);
    size_t room = 0;
    int fd;

    *ids = NULL;
    *n = 0;
    if (!s && !none)
        return false;
    control_filter_find(q, s);
    control_out_begin(&o, client);
    control_walk_begin(&w, q, s, client >= 0 ? &o : NULL);
    while (control_walk_next(&w, &r, &fd)) {
        if (is_meant(q, &r)) {
            if (*n == room)
                *ids = mem_resize(*ids, room = room ? 2 * room : 16, sizeof **ids);
            memcpy((*ids)[(*n)++], r.id, strlen(r.id) + 1);
        } else {
            control_walk_miss(&w);
        }
        record_clear(&r);
        file_close(&fd);
    }
    spool_close(s);
    buf_clear(&o.b);
    all = control_walk_end(&w, err);
    if (o.is_broken) /* what was found is a part of it */
        return error_set(err, ERROR_TEMP, "nobody waits for the answer any more");
    return all;
}
