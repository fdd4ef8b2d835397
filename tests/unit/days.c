/* SPDX-License-Identifier: ISC */
/* days: time passes from one attempt to the next. */
#include "unit/days.h"

#include <check.h>
#include <stdio.h>

const struct schedule_limits days_limits = { 30 * S, HOUR, 5 * DAY };

void
days_init(struct days *m, int messages)
{
    char id[20];

    *m = (struct days){ .s = schedule_new(&days_limits, 1), .now = 1000 * DAY, .least_gap = INT64_MAX };
    for (int i = 0; i < messages; i++) {
        snprintf(id, sizeof id, "m%06d", i);
        schedule_add(m->s, id, "hub", 0, 1, SCHEDULE_BY_AGE, m->now);
    }
}

void
days_try(struct days *m, struct schedule_entry *e)
{
    ck_assert(schedule_is_active(e));
    if (m->tries++ > 0) {
        m->least_gap = m->now - m->last < m->least_gap ? m->now - m->last : m->least_gap;
        m->longest_gap = m->now - m->last > m->longest_gap ? m->now - m->last : m->longest_gap;
    }
    m->last = m->now;
    schedule_account(m->s, schedule_account_of(e), m->says, "535 no", m->now);
    if (m->says == SCHEDULE_UP && m->accepts) {
        schedule_remove(m->s, e);
        return;
    }
    schedule_tried(m->s, e, m->now);
    m->expired += schedule_is_expired(m->s, e, m->now);
}

void
days_run(struct days *m, int64_t until)
{
    struct schedule_entry *e;

    for (;;) {
        while ((e = schedule_take(m->s, m->now, NULL, NULL)))
            days_try(m, e);
        int64_t wait = schedule_wait(m->s, m->now);
        ck_assert_int_ne(wait, 0);
        if (wait < 0 || m->now + wait > until)
            break;
        m->now += wait;
    }
    m->now = until;
}

int
days_expired(const struct days *m)
{
    int n = 0;

    for (const struct schedule_entry *e = schedule_first(m->s); e; e = schedule_after(e))
        n += schedule_is_expired(m->s, e, m->now);
    return n;
}

struct schedule_entry *
days_add(struct days *m, const char *id, const char *account)
{
    return schedule_add(m->s, id, account, 0, 0, SCHEDULE_NOW, m->now);
}

void
days_expect_take(struct days *m, const struct schedule_entry *want)
{
    ck_assert_ptr_eq(schedule_take(m->s, m->now, NULL, NULL), want);
}

void
days_expect_between(int64_t got, int64_t min, int64_t max)
{
    ck_assert_int_ge(got, min);
    ck_assert_int_le(got, max);
}

void
days_tell(struct days *m, enum schedule_state state)
{
    schedule_account(m->s, "hub", state, "why", m->now);
}

struct schedule_entry *
days_init_one(struct days *m)
{
    days_init(m, 0);
    return days_add(m, "a", "hub");
}
