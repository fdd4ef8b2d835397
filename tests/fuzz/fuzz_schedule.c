/* SPDX-License-Identifier: ISC */
/*
 * Operations on a schedule, as bytes, against a simple model of it. Nothing is tried before it is due, twice at once or while its
 * account rests; an account that is down has one probe at most; no entry is lost; schedule_wait tells the truth; nothing
 * expires young or frozen.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "queue/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IDS 32
#define ACCOUNTS 3
#define RETRY_MIN 1000
#define RETRY_MAX 16000
#define LIFETIME 100000

struct message {
    struct schedule_entry *e; /* NULL: not there */
    int account;
    bool active, probe, at_run;
    int64_t earliest; /* not due before */
    int64_t added, age_ms, frozen_ms;
};

struct account {
    enum schedule_state state;
    int64_t down_since; /* its last step, while it is not up */
    bool hurried;       /* since then */
};

struct model {
    struct schedule *s;
    int64_t now;
    struct message message[IDS];
    struct account account[ACCOUNTS];
    int busy; /* the account whose workers are busy, or none */
};

static const char *const account_name[ACCOUNTS] = { "a", "b", "c" };
static const char *const id_name[IDS] = { "00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10",
    "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27",
    "28", "29", "30", "31" };

static size_t
message_of(const struct schedule_entry *e)
{
    const char *id = schedule_id(e);

    return (size_t)(id[0] - '0') * 10 + (size_t)(id[1] - '0');
}

static int64_t
least(int64_t ms)
{
    return ms - ms / 10;
}

static int64_t
back_off(int64_t age)
{
    return least(age < RETRY_MIN ? RETRY_MIN : age > RETRY_MAX ? RETRY_MAX : age);
}

static int64_t
age_of(const struct model *m, const struct message *msg)
{
    return msg->age_ms + m->now - msg->added - msg->frozen_ms;
}

static int
probes(const struct model *m, int account)
{
    int n = 0;

    for (size_t i = 0; i < IDS; i++)
        n += m->message[i].e && m->message[i].account == account && m->message[i].probe;
    return n;
}

/* ---------------------------------------------------------------- the operations */

static void
pass(struct model *m, int64_t ms)
{
    m->now += ms;
    for (size_t i = 0; i < IDS; i++)
        if (m->message[i].e && m->account[m->message[i].account].state == SCHEDULE_FROZEN)
            m->message[i].frozen_ms += ms;
}

static void
add(struct model *m, size_t i, unsigned how)
{
    static const int64_t ages[] = { 0, 5000, LIFETIME, INT64_MAX / 2 };
    struct message *msg = &m->message[i];
    int account = (int)(how % ACCOUNTS);
    int64_t age = ages[how / 4 % 4];
    enum schedule_due due = (enum schedule_due)(how / 16 % 3);
    struct schedule_entry *e =
        schedule_add(m->s, id_name[i], account_name[account], age, how / 64 % 2, due, m->now);

    if (how & 128)
        schedule_alert(m->s, e, (int64_t)i);
    if (msg->e) {
        ensure(e == msg->e);
        return;
    }
    *msg = (struct message){ .e = e, .account = account, .added = m->now, .age_ms = age };
    msg->at_run = due == SCHEDULE_AT_RUN;
    msg->earliest = m->now + (due == SCHEDULE_BY_AGE ? back_off(age) : 0);
    /* a hundred years are enough for everybody */
    msg->age_ms = schedule_age(m->s, e, m->now);
    ensure(msg->age_ms == age || msg->age_ms > INT64_C(3000000000000));
}

static bool
may_start(void *ctx, const char *account, bool reserve)
{
    const struct model *m = ctx;

    (void)reserve;
    return m->busy < 0 || strcmp(account, account_name[m->busy]) != 0;
}

static void
take(struct model *m)
{
    int64_t wait = schedule_wait(m->s, m->now);
    struct schedule_entry *e = schedule_take(m->s, m->now, may_start, m);
    struct message *msg;
    struct account *a;

    if (!e) {
        ensure(wait != 0 || m->busy >= 0);
        ensure(schedule_wait(m->s, m->now) != 0);
        return;
    }
    msg = &m->message[message_of(e)];
    a = &m->account[msg->account];
    ensure(msg->e == e && !msg->active && schedule_is_active(e) && msg->account != m->busy);
    ensure(!msg->at_run && m->now >= msg->earliest);
    msg->active = true;
    if (a->state == SCHEDULE_UP)
        return;
    ensure(probes(m, msg->account) == 0);
    ensure(
        a->hurried || m->now >= a->down_since + least(a->state == SCHEDULE_FROZEN ? RETRY_MAX : RETRY_MIN));
    msg->probe = true;
}

static void
end(struct model *m, struct message *msg, bool begun)
{
    enum schedule_state state = m->account[msg->account].state;
    bool failed = msg->probe && schedule_account_next(m->s, account_name[msg->account], m->now) > 0;

    msg->active = msg->probe = msg->at_run = false;
    if (!begun) {
        schedule_untried(m->s, msg->e, m->now);
        msg->earliest = m->now + least(RETRY_MIN);
        return;
    }
    schedule_tried(m->s, msg->e, m->now);
    if (state == SCHEDULE_FROZEN || failed)
        msg->earliest = m->now;
    else
        msg->earliest = m->now + back_off(age_of(m, msg));
}

static void
drop(struct model *m, struct message *msg)
{
    schedule_remove(m->s, msg->e);
    *msg = (struct message){ 0 };
}

static void
report(struct model *m, int account, enum schedule_state state)
{
    struct account *a = &m->account[account];
    bool early = schedule_account_next(m->s, account_name[account], m->now) > 0;

    schedule_account(m->s, account_name[account], state, "why", m->now);
    ensure(state != SCHEDULE_UP || schedule_account_last(m->s, account_name[account], NULL) == SCHEDULE_UP);
    if (state != SCHEDULE_UP && early && (a->state == SCHEDULE_FROZEN || state == SCHEDULE_DOWN))
        return;
    *a = (struct account){ .state = state, .down_since = m->now };
    for (size_t i = 0; i < IDS && state == SCHEDULE_UP; i++)
        if (m->message[i].account == account)
            m->message[i].probe = false;
}

static bool
has_even_id(void *ctx, const struct schedule_entry *e)
{
    (void)ctx;
    return message_of(e) % 2 == 0;
}

static void
run(struct model *m, bool all)
{
    schedule_run(m->s, all ? NULL : has_even_id, NULL, m->now);
    for (size_t i = 0; i < IDS; i += all ? 1 : 2) {
        struct message *msg = &m->message[i];
        if (!msg->e)
            continue;
        m->account[msg->account].hurried = true;
        if (msg->active)
            continue;
        msg->at_run = false;
        msg->earliest = msg->earliest < m->now ? msg->earliest : m->now;
    }
}

static void
release(struct model *m)
{
    schedule_release(m->s, m->now);
    for (size_t i = 0; i < IDS; i++)
        if (m->message[i].e && !m->message[i].active && m->message[i].at_run) {
            m->message[i].at_run = false;
            m->message[i].earliest = m->now;
        }
}

static void
with_message(struct model *m, unsigned op, struct message *msg)
{
    if (!msg->e)
        return;
    if (op == 0)
        drop(m, msg);
    else if (op == 1 && msg->active)
        end(m, msg, true);
    else if (op == 2 && msg->active)
        end(m, msg, false);
    else if (op == 3) {
        schedule_activate(m->s, msg->e);
        msg->active = true;
    }
}

/* Two bytes an operation */
static void
step(struct model *m, unsigned op, unsigned arg)
{
    switch (op % 16) {
    case 0:
    case 1:
        add(m, arg % IDS, op / 16 * 16 + arg / IDS + (op & 1U) * 4);
        break;
    case 2:
    case 3:
    case 4:
        take(m);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        with_message(m, op % 16 - 5, &m->message[arg % IDS]);
        break;
    case 9:
        report(m, (int)(arg % ACCOUNTS), (enum schedule_state)(arg / ACCOUNTS % 3));
        break;
    case 10:
        pass(m, (int64_t)arg * 10);
        break;
    case 11:
        pass(m, (int64_t)arg * 1000);
        break;
    case 12:
        pass(m, schedule_wait(m->s, m->now) > 0 ? schedule_wait(m->s, m->now) : 0);
        break;
    case 13:
        schedule_probe(m->s, account_name[arg % ACCOUNTS], m->now);
        break;
    case 14:
        m->busy = (int)(arg % (ACCOUNTS + 1)) - 1;
        break;
    default:
        if (arg % 3 == 2)
            release(m);
        else
            run(m, arg % 3 == 1);
    }
}

/* ---------------------------------------------------------------- what holds always */

static void
check_message(const struct model *m, const struct message *msg)
{
    const struct account *a = &m->account[msg->account];
    int64_t age = schedule_age(m->s, msg->e, m->now), next = schedule_next(msg->e, m->now);

    ensure(age == age_of(m, msg));
    ensure(schedule_is_active(msg->e) == msg->active);
    ensure(strcmp(schedule_account_of(msg->e), account_name[msg->account]) == 0);
    ensure((next == -1) == (msg->at_run && !msg->active));
    ensure(msg->active || msg->at_run || m->now + next >= msg->earliest);
    ensure(next <= RETRY_MAX * 11 / 10);
    if (!schedule_is_expired(m->s, msg->e, m->now))
        return;
    ensure(a->state != SCHEDULE_FROZEN && age >= LIFETIME);
    ensure(m->now - msg->added - msg->frozen_ms >= 4 * RETRY_MAX);
    ensure(a->state == SCHEDULE_DOWN || msg->active || next != 0);
}

static void
check(const struct model *m)
{
    const struct schedule_entry *e = schedule_first(m->s);
    size_t n = 0, walked = 0;

    for (size_t i = 0; i < IDS; i++) {
        ensure(schedule_find(m->s, id_name[i]) == m->message[i].e);
        n += m->message[i].e != NULL;
        if (m->message[i].e)
            check_message(m, &m->message[i]);
    }
    for (; e; e = schedule_after(e), walked++)
        ensure(m->message[message_of(e)].e == e);
    ensure(n == schedule_count(m->s) && walked == n);
    for (int i = 0; i < ACCOUNTS; i++) {
        ensure(schedule_account_last(m->s, account_name[i], NULL) == m->account[i].state);
        ensure(probes(m, i) <= 1);
        if (m->account[i].state == SCHEDULE_UP || probes(m, i))
            ensure(schedule_account_state(m->s, account_name[i], m->now, NULL) == m->account[i].state);
    }
}

/* However it stands, when all accounts work each message goes within the longest back-off. */
static void
drain(struct model *m)
{
    struct schedule_entry *e;

    m->busy = -1;
    for (int i = 0; i < ACCOUNTS; i++)
        report(m, i, SCHEDULE_UP);
    for (size_t i = 0; i < IDS; i++)
        if (m->message[i].e && m->message[i].active)
            end(m, &m->message[i], true);
    release(m);
    pass(m, 2 * RETRY_MAX);
    while ((e = schedule_take(m->s, m->now, NULL, NULL)))
        drop(m, &m->message[message_of(e)]);
    check(m);
    ensure(schedule_count(m->s) == 0 && schedule_wait(m->s, m->now) == -1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct schedule_limits limits = { RETRY_MIN, RETRY_MAX, LIFETIME };
    struct model m = { .now = 1, .busy = -1 };

    m.s = schedule_new(&limits, size ? data[0] : 0);
    for (size_t i = 1; i + 1 < size && i < 4000; i += 2) {
        step(&m, data[i], data[i + 1]);
        check(&m);
    }
    drain(&m);
    schedule_free(m.s);
    return 0;
}
