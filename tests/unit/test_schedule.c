/* SPDX-License-Identifier: ISC */
/* schedule: what is tried when, in days of fake time. */
#include "unit/suite.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <string.h>

#include "queue/schedule.h"

#define S ((int64_t)1000)
#define MIN (60 * S)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)

static const struct schedule_limits limits = { 30 * S, HOUR, 5 * DAY };

/* ---------------------------------------------------------------- a machine made of fake time */

struct machine {
    struct schedule *s;
    int64_t now;
    enum schedule_state
        says;           /* what each attempt tells of the account; UP: and the message is deferred, or */
    bool accepts;       /* ... goes */
    int tries, expired; /* counted */
    int64_t least_gap, longest_gap; /* between attempts */
    int64_t last;
};

static void
machine_init(struct machine *m, int messages)
{
    char id[20];

    *m = (struct machine){ .s = schedule_new(&limits, 1), .now = 1000 * DAY, .least_gap = INT64_MAX };
    for (int i = 0; i < messages; i++) {
        snprintf(id, sizeof id, "m%06d", i);
        schedule_add(m->s, id, "hub", 0, 1, SCHEDULE_BY_AGE, m->now);
    }
}

static void
machine_try(struct machine *m, struct schedule_entry *e)
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

/* Let it work until then, each attempt taking no time. */
static void
machine_run(struct machine *m, int64_t until)
{
    struct schedule_entry *e;

    for (;;) {
        while ((e = schedule_take(m->s, m->now, NULL, NULL)))
            machine_try(m, e);
        int64_t wait = schedule_wait(m->s, m->now);
        ck_assert_int_ne(wait, 0);
        if (wait < 0 || m->now + wait > until)
            break;
        m->now += wait;
    }
    m->now = until;
}

static int
count_expired(const struct machine *m)
{
    int n = 0;

    for (const struct schedule_entry *e = schedule_first(m->s); e; e = schedule_after(e))
        n += schedule_is_expired(m->s, e, m->now);
    return n;
}

static struct schedule_entry *
add(struct machine *m, const char *id, const char *account)
{
    return schedule_add(m->s, id, account, 0, 0, SCHEDULE_NOW, m->now);
}

static void
expect_take(struct machine *m, const struct schedule_entry *want)
{
    ck_assert_ptr_eq(schedule_take(m->s, m->now, NULL, NULL), want);
}

static void
expect_between(int64_t got, int64_t min, int64_t max)
{
    ck_assert_int_ge(got, min);
    ck_assert_int_le(got, max);
}

static void
tell(struct machine *m, enum schedule_state state)
{
    schedule_account(m->s, "hub", state, "why", m->now);
}

/* ---------------------------------------------------------------- messages */

static const struct {
    int64_t age, wait;
} by_age[] = { { 0, 30 * S }, { 20 * S, 30 * S }, { 5 * MIN, 5 * MIN }, { HOUR, HOUR }, { 4 * DAY, HOUR },
    { -DAY, 30 * S }, { INT64_MAX, HOUR }, { INT64_MIN, 30 * S } };

START_TEST(a_message_waits_about_as_long_as_it_is_old_between_the_limits)
{
    for (size_t i = 0; i < sizeof by_age / sizeof by_age[0]; i++) {
        struct machine m;
        machine_init(&m, 0);
        struct schedule_entry *e = schedule_add(m.s, "a", "hub", by_age[i].age, 0, SCHEDULE_BY_AGE, m.now);
        expect_between(schedule_wait(m.s, m.now), by_age[i].wait * 9 / 10, by_age[i].wait * 11 / 10);
        ck_assert_int_eq(schedule_next(e, m.now), schedule_wait(m.s, m.now));
        m.now += schedule_wait(m.s, m.now) - 1;
        expect_take(&m, NULL);
        m.now++;
        expect_take(&m, e);
        expect_take(&m, NULL);
        ck_assert_int_eq(schedule_wait(m.s, m.now), -1);
        schedule_tried(m.s, e, m.now);
        expect_between(schedule_wait(m.s, m.now), by_age[i].wait * 9 / 10, by_age[i].wait * 23 / 10);
        schedule_free(m.s);
    }
}
END_TEST

START_TEST(messages_of_one_age_spread_over_the_whole_jitter)
{
    struct machine m;
    int64_t least = INT64_MAX, most = 0;

    machine_init(&m, 1000);
    for (struct schedule_entry *e = schedule_first(m.s); e; e = schedule_after(e)) {
        int64_t wait = schedule_next(e, m.now);
        expect_between(wait, 27 * S, 33 * S);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    expect_between(least, 27 * S, 27 * S + 500);
    expect_between(most, 33 * S - 500, 33 * S);
    schedule_free(m.s);
}
END_TEST

START_TEST(the_most_overdue_comes_first_and_of_equals_the_older)
{
    struct machine m;

    machine_init(&m, 0);
    struct schedule_entry *c = add(&m, "c", "hub"), *a = add(&m, "a", "hub");
    m.now--;
    struct schedule_entry *z = add(&m, "z", "hub");
    m.now++;
    expect_take(&m, z);
    expect_take(&m, a);
    expect_take(&m, c);
    schedule_free(m.s);
}
END_TEST

START_TEST(an_id_is_there_once_and_found_until_it_is_removed)
{
    struct machine m;
    char id[20];

    machine_init(&m, 1000);
    ck_assert_ptr_null(schedule_find(m.s, "m001000"));
    struct schedule_entry *e = schedule_find(m.s, "m000500");
    ck_assert_str_eq(schedule_id(e), "m000500");
    ck_assert_ptr_eq(schedule_add(m.s, "m000500", "other", 0, 0, SCHEDULE_NOW, m.now), e);
    ck_assert_str_eq(schedule_account_of(e), "hub");
    ck_assert_uint_eq(schedule_count(m.s), 1000);
    for (int i = 999; i >= 0; i -= 2) {
        snprintf(id, sizeof id, "m%06d", i);
        schedule_remove(m.s, schedule_find(m.s, id));
        ck_assert_ptr_null(schedule_find(m.s, id));
    }
    e = schedule_first(m.s);
    for (int i = 0; i < 1000; i += 2, e = schedule_after(e)) {
        snprintf(id, sizeof id, "m%06d", i);
        ck_assert_str_eq(schedule_id(e), id);
    }
    ck_assert_ptr_null(e);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_message_for_the_next_run_waits_for_one)
{
    struct machine m;

    machine_init(&m, 0);
    struct schedule_entry *e = schedule_add(m.s, "a", "hub", 10 * DAY, 0, SCHEDULE_AT_RUN, m.now);
    struct schedule_entry *deferred = schedule_add(m.s, "b", "hub", HOUR, 0, SCHEDULE_BY_AGE, m.now);
    ck_assert_int_eq(schedule_next(e, m.now), -1);
    m.now += 5 * MIN;
    expect_take(&m, NULL);
    schedule_release(m.s, m.now);
    expect_take(&m, e);
    expect_take(&m, NULL);
    schedule_tried(m.s, e, m.now);
    schedule_run(m.s, NULL, NULL, m.now);
    expect_take(&m, e);
    expect_take(&m, deferred);
    schedule_free(m.s);
}
END_TEST

static bool
is_named(void *ctx, const struct schedule_entry *e)
{
    return strcmp(schedule_id(e), ctx) == 0;
}

START_TEST(a_run_hurries_only_what_is_meant)
{
    struct machine m;
    char name[] = "m000003";

    machine_init(&m, 10);
    schedule_run(m.s, is_named, name, m.now);
    expect_take(&m, schedule_find(m.s, "m000003"));
    expect_take(&m, NULL);
    schedule_free(m.s);
}
END_TEST

START_TEST(what_is_held_is_tried_by_nothing_and_does_not_expire_until_it_is_let_go)
{
    struct schedule *s = schedule_new(&limits, 1);
    struct schedule_entry *a = schedule_add(s, "A1", "x", 9 * DAY, 9, SCHEDULE_HELD, 0),
                          *b = schedule_add(s, "B2", "x", 0, 0, SCHEDULE_NOW, 0);
    int64_t late = 100 * DAY;

    ck_assert(schedule_is_held(a) && !schedule_is_held(b));
    ck_assert_ptr_eq(schedule_take(s, 0, NULL, NULL), b);
    schedule_tried(s, b, 0);
    schedule_hold(s, b);
    schedule_run(s, NULL, NULL, late);
    schedule_release(s, late);
    ck_assert_ptr_null(schedule_take(s, late, NULL, NULL));
    ck_assert_int_eq(schedule_wait(s, late), -1);
    ck_assert_int_eq(schedule_next(a, late), -1);
    ck_assert(!schedule_is_expired(s, a, late) && !schedule_is_expired(s, b, late));
    schedule_activate(s, b); /* to be changed */
    schedule_let(s, b, late);
    schedule_let(s, a, late);
    ck_assert_ptr_eq(schedule_take(s, late, NULL, NULL), a);
    ck_assert_ptr_eq(schedule_take(s, late, NULL, NULL), b);
    schedule_hold(s, b);
    schedule_remove(s, b);
    schedule_free(s);
}
END_TEST

START_TEST(what_could_not_begin_comes_again_and_does_not_spin)
{
    struct machine m;
    int tries = 0;
    struct schedule_entry *e;

    machine_init(&m, 100);
    m.now += MIN;
    for (int64_t end = m.now + 10 * S; m.now < end; m.now += schedule_wait(m.s, m.now))
        while ((e = schedule_take(m.s, m.now, NULL, NULL))) {
            schedule_untried(m.s, e, m.now);
            expect_between(schedule_next(e, m.now), 27 * S, 33 * S);
            tries++;
        }
    expect_between(tries, 18, 20); /* after 1, 2, 4 ... ms, then each second */
    m.now += MIN;
    m.accepts = true;
    machine_run(&m, m.now);
    ck_assert_uint_eq(schedule_count(m.s), 0);
    schedule_free(m.s);
}
END_TEST

START_TEST(an_active_message_can_be_removed_or_activated_again)
{
    struct machine m;

    machine_init(&m, 0);
    struct schedule_entry *e = add(&m, "a", "hub");
    schedule_activate(m.s, e);
    schedule_activate(m.s, e);
    expect_take(&m, NULL);
    schedule_run(m.s, NULL, NULL, m.now);
    schedule_release(m.s, m.now);
    expect_take(&m, NULL);
    ck_assert_int_eq(schedule_wait(m.s, m.now), -1);
    schedule_remove(m.s, e);
    ck_assert_uint_eq(schedule_count(m.s), 0);
    ck_assert_ptr_null(schedule_first(m.s));
    e = add(&m, "a", "hub");
    expect_take(&m, e);
    schedule_free(m.s);
}
END_TEST

/* ---------------------------------------------------------------- accounts */

static bool
is_free(void *ctx, const char *account, bool reserve)
{
    (void)reserve;
    return strcmp(account, ctx) != 0;
}

START_TEST(accounts_take_turns_and_a_busy_one_holds_up_nobody)
{
    struct machine m;
    char busy[] = "a";

    machine_init(&m, 0);
    struct schedule_entry *a1 = add(&m, "a1", "a"), *a2 = add(&m, "a2", "a");
    struct schedule_entry *b1 = add(&m, "b1", "b"), *b2 = add(&m, "b2", "b");
    expect_take(&m, a1);
    expect_take(&m, b1);
    ck_assert_ptr_eq(schedule_take(m.s, m.now, is_free, busy), b2);
    ck_assert_ptr_null(schedule_take(m.s, m.now, is_free, busy));
    ck_assert_int_eq(schedule_wait(m.s, m.now), -1);
    expect_take(&m, a2);
    schedule_free(m.s);
}
END_TEST

static struct schedule_entry *
add_alert(struct machine *m, const char *id, int64_t uid)
{
    struct schedule_entry *e = add(m, id, "hub");

    schedule_alert(m->s, e, uid);
    return e;
}

START_TEST(an_alert_overtakes_what_waits_but_others_have_their_turn)
{
    struct machine m;
    struct schedule_entry *bulk[3], *alert[6];
    char id[20];

    machine_init(&m, 0);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(id, sizeof id, "b%d", i);
        bulk[i] = add(&m, id, "hub");
    }
    m.now += 1000;
    for (int i = 0; i < 6; i++) {
        (void)snprintf(id, sizeof id, "a%d", i);
        alert[i] = add_alert(&m, id, 0);
    }
    for (int i = 0; i < 4; i++)
        expect_take(&m, alert[i]);
    expect_take(&m, bulk[0]);
    expect_take(&m, alert[4]);
    schedule_tried(m.s, alert[0], m.now); /* its next time has not come */
    schedule_remove(m.s, alert[1]);
    expect_take(&m, alert[5]);
    expect_take(&m, bulk[1]);
    expect_take(&m, bulk[2]);
    expect_take(&m, NULL);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_hundred_messages_of_one_user_are_no_alerts)
{
    struct machine m;
    struct schedule_entry *mail[SCHEDULE_ALERTS_MAX + 5], *alert;
    const struct schedule_entry *line[4];
    char id[20];

    machine_init(&m, 0);
    for (int i = 0; i < SCHEDULE_ALERTS_MAX + 5; i++) {
        (void)snprintf(id, sizeof id, "m%02d", i);
        mail[i] = add_alert(&m, id, 33);
    }
    for (int i = 0; i < SCHEDULE_ALERTS_MAX; i++)
        schedule_remove(m.s, mail[i]);
    m.now += 1000;
    alert = add_alert(&m, "z", 0);
    ck_assert_uint_eq(schedule_line(m.s, "hub", m.now, line, 4), 4);
    ck_assert_ptr_eq(line[0], alert);
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_eq(line[i + 1], mail[SCHEDULE_ALERTS_MAX + i]);
    ck_assert_uint_eq(schedule_line(m.s, "other", m.now, line, 4), 0);
    expect_take(&m, alert);
    expect_take(&m, mail[SCHEDULE_ALERTS_MAX]);
    /* those that overtook have gone: there may be others */
    alert = add_alert(&m, "zz", 33);
    expect_take(&m, alert);
    schedule_free(m.s);
}
END_TEST

static bool
is_alert(void *ctx, const char *account, bool reserve)
{
    (void)account;
    ++*(int *)ctx;
    return reserve;
}

START_TEST(what_is_kept_for_alerts_is_for_alerts)
{
    struct machine m;
    int asked = 0;

    machine_init(&m, 0);
    add(&m, "bulk", "hub");
    ck_assert_ptr_null(schedule_take(m.s, m.now, is_alert, &asked));
    struct schedule_entry *alert = add_alert(&m, "cron", 0);
    ck_assert_ptr_eq(schedule_take(m.s, m.now, is_alert, &asked), alert);
    ck_assert_ptr_null(schedule_take(m.s, m.now, is_alert, &asked));
    ck_assert_int_eq(asked, 3);
    schedule_free(m.s);
}
END_TEST

START_TEST(names_nothing_is_known_against_do_not_pile_up)
{
    struct schedule *s = schedule_new(&limits, 1);
    size_t most = 0, n;
    char name[40];

    schedule_account(s, "down", SCHEDULE_DOWN, "no", 1000);
    (void)schedule_add(s, "waits", "busy", 0, 0, SCHEDULE_AT_RUN, 1000);
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(name, sizeof name, "direct/d%d.example", i);
        schedule_account(s, name, SCHEDULE_UP, NULL, 1000);
        for (n = 0; schedule_account_name(s, n); n++)
            ;
        most = n > most ? n : most;
    }
    ck_assert_uint_lt(most, 1000);
    ck_assert_int_eq(schedule_account_last(s, "down", NULL), SCHEDULE_DOWN);
    ck_assert_str_eq(schedule_account_of(schedule_find(s, "waits")), "busy");
    schedule_free(s);
}
END_TEST

START_TEST(an_account_nothing_is_known_of_is_tried_by_one_message_first)
{
    struct machine m;

    machine_init(&m, 0);
    schedule_doubt(m.s);
    struct schedule_entry *a = add(&m, "a", "hub"), *b = add(&m, "b", "hub"), *c = add(&m, "c", "hub");
    expect_take(&m, a);
    expect_take(&m, NULL);
    /* it told nothing: the next one */
    schedule_untried(m.s, a, m.now);
    m.now += SCHEDULE_PAUSE_MS;
    expect_take(&m, b);
    expect_take(&m, NULL);
    ck_assert_int_gt(schedule_wait(m.s, m.now), 0);
    /* one that takes its time does not hold up the others for long */
    m.now += 30000;
    expect_take(&m, c);
    expect_take(&m, a);
    struct schedule_entry *x = add(&m, "x", "other"), *y = add(&m, "y", "other");
    expect_take(&m, x);
    schedule_account(m.s, "other", SCHEDULE_UP, NULL, m.now);
    expect_take(&m, y);
    struct schedule_entry *p = add(&m, "p", "third");
    add(&m, "q", "third");
    expect_take(&m, p);
    schedule_account(m.s, "third", SCHEDULE_FROZEN, "535", m.now);
    schedule_tried(m.s, p, m.now);
    expect_take(&m, NULL);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_smarthost_down_for_a_day_costs_one_probe_per_step)
{
    struct machine m;

    machine_init(&m, 1000);
    m.says = SCHEDULE_DOWN;
    machine_run(&m, m.now + DAY);
    /* 30 s, 1, 2, 4, 8, 16, 32 minutes, then every hour */
    expect_between(m.tries, 7 + 20, 8 + 26);
    expect_between(m.least_gap, 27 * S, 33 * S);
    expect_between(m.longest_gap, 54 * MIN, 66 * MIN);
    ck_assert_int_eq(count_expired(&m), 0);

    m.says = SCHEDULE_UP;
    m.accepts = true;
    machine_run(&m, m.now + 66 * MIN);
    ck_assert_uint_eq(schedule_count(m.s), 0);
    ck_assert_int_eq(m.expired, 0);
    schedule_free(m.s);
}
END_TEST

START_TEST(once_the_account_works_all_that_is_due_may_go_at_once)
{
    struct machine m;
    int n = 0;

    machine_init(&m, 1000);
    m.says = SCHEDULE_DOWN;
    machine_run(&m, m.now + 3 * HOUR);
    tell(&m, SCHEDULE_UP); /* an interactive message went */
    while (schedule_take(m.s, m.now, NULL, NULL))
        n++;
    ck_assert_int_eq(n, 1000);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_day_of_refused_logins_costs_few_logins_and_no_message)
{
    for (int by_run = 0; by_run < 2; by_run++) {
        struct machine m;
        machine_init(&m, 1000);
        m.says = SCHEDULE_FROZEN;
        int64_t begun = m.now;
        for (int i = 0; i < 48; i++) { /* QueueRun */
            machine_run(&m, m.now + 30 * MIN);
            schedule_release(m.s, m.now);
        }
        ck_assert_int_eq(m.now - begun, DAY);
        expect_between(m.tries, 22, 28);
        ck_assert_int_eq(m.expired + count_expired(&m), 0);
        expect_between(schedule_age(m.s, schedule_first(m.s), m.now), 0, MIN);

        m.says = SCHEDULE_UP;
        m.accepts = true;
        if (by_run)
            schedule_run(m.s, NULL, NULL, m.now);
        else
            tell(&m, SCHEDULE_UP);
        machine_run(&m, m.now + MIN);
        ck_assert_uint_eq(schedule_count(m.s), 0);
        schedule_free(m.s);
    }
}
END_TEST

START_TEST(one_probe_at_a_time_and_another_message_each_time)
{
    struct machine m;

    machine_init(&m, 0);
    struct schedule_entry *a = add(&m, "a", "hub"), *b = add(&m, "b", "hub");
    tell(&m, SCHEDULE_DOWN);
    expect_take(&m, NULL);
    expect_between(schedule_wait(m.s, m.now), 27 * S, 33 * S);
    m.now += 33 * S;
    expect_take(&m, a);
    m.now += HOUR;
    expect_take(&m, NULL);
    ck_assert_int_eq(schedule_wait(m.s, m.now), -1);
    tell(&m, SCHEDULE_DOWN);
    schedule_tried(m.s, a, m.now);
    expect_between(schedule_wait(m.s, m.now), 54 * S, 66 * S);
    m.now += 66 * S;
    expect_take(&m, b);
    tell(&m, SCHEDULE_UP);
    schedule_tried(m.s, b, m.now);
    expect_take(&m, a); /* it was not its fault */
    schedule_free(m.s);
}
END_TEST

START_TEST(a_probe_that_a_recovery_overtook_is_no_probe_any_more)
{
    struct machine m;

    machine_init(&m, 0);
    struct schedule_entry *old = add(&m, "a", "hub");
    tell(&m, SCHEDULE_DOWN);
    m.now += 33 * S;
    expect_take(&m, old);
    tell(&m, SCHEDULE_UP);
    tell(&m, SCHEDULE_DOWN);
    m.now += 33 * S;
    struct schedule_entry *b = add(&m, "b", "hub");
    expect_take(&m, b);
    schedule_tried(m.s, old, m.now); /* it ends at last */
    add(&m, "c", "hub");
    m.now += HOUR;
    expect_take(&m, NULL);
    schedule_free(m.s);
}
END_TEST

START_TEST(attempts_that_began_before_the_failure_are_no_further_steps)
{
    struct machine m;

    machine_init(&m, 4);
    schedule_run(m.s, NULL, NULL, m.now);
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(schedule_take(m.s, m.now, NULL, NULL));
    for (struct schedule_entry *e = schedule_first(m.s); e; e = schedule_after(e)) {
        tell(&m, SCHEDULE_DOWN);
        schedule_tried(m.s, e, m.now++);
    }
    expect_between(schedule_account_next(m.s, "hub", m.now), 26 * S, 33 * S);
    tell(&m, SCHEDULE_FROZEN);
    expect_between(schedule_account_next(m.s, "hub", m.now), 54 * MIN, 66 * MIN);
    tell(&m, SCHEDULE_DOWN);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_FROZEN);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_message_that_makes_the_peer_hang_up_does_not_hold_up_the_others)
{
    struct machine m;

    machine_init(&m, 0);
    m.accepts = true;
    struct schedule_entry *bad = schedule_add(m.s, "bad", "hub", HOUR, 0, SCHEDULE_NOW, m.now);
    expect_take(&m, bad);
    tell(&m, SCHEDULE_DOWN);
    schedule_tried(m.s, bad, m.now);
    for (int i = 0; i < 10; i++) {
        char id[20];
        snprintf(id, sizeof id, "good%d", i);
        add(&m, id, "hub");
    }
    machine_run(&m, m.now + 33 * S);
    ck_assert_uint_eq(schedule_count(m.s), 1);
    expect_between(schedule_next(bad, m.now), 20 * MIN, 66 * MIN);
    schedule_free(m.s);
}
END_TEST

START_TEST(an_interactive_message_is_the_probe_when_its_time_has_come)
{
    struct machine m;
    const char *reason;

    machine_init(&m, 0);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, &reason), SCHEDULE_UP);
    ck_assert_ptr_null(reason);
    tell(&m, SCHEDULE_DOWN);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, &reason), SCHEDULE_DOWN);
    ck_assert_str_eq(reason, "why");
    m.now += schedule_account_next(m.s, "hub", m.now) - 1;
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_DOWN);
    m.now++;
    struct schedule_entry *e = add(&m, "a", "hub");
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, &reason), SCHEDULE_UP);
    ck_assert_str_eq(reason, "why");
    ck_assert_int_eq(schedule_account_last(m.s, "hub", NULL), SCHEDULE_DOWN);
    schedule_probe(m.s, "hub", m.now);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_DOWN);
    expect_take(&m, NULL);
    expect_between(schedule_wait(m.s, m.now), 30 * S, 30 * S);
    tell(&m, SCHEDULE_UP);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, &reason), SCHEDULE_UP);
    ck_assert_ptr_null(reason);
    expect_take(&m, e);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_probe_nobody_reported_does_not_block_for_ever)
{
    struct machine m;

    machine_init(&m, 0);
    struct schedule_entry *e = add(&m, "a", "hub");
    tell(&m, SCHEDULE_DOWN);
    m.now += 33 * S;
    schedule_probe(m.s, "hub", m.now);
    expect_take(&m, NULL);
    m.now += 30 * S;
    expect_take(&m, e);
    schedule_remove(m.s, e); /* and with it the probe */
    e = add(&m, "b", "hub");
    expect_take(&m, e);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_refused_login_is_no_message_s_fault)
{
    struct machine m;

    machine_init(&m, 0);
    struct schedule_entry *e = schedule_add(m.s, "a", "hub", HOUR, 5, SCHEDULE_NOW, m.now);
    expect_take(&m, e);
    tell(&m, SCHEDULE_FROZEN);
    schedule_tried(m.s, e, m.now);
    m.now += MIN;
    expect_take(&m, NULL);
    tell(&m, SCHEDULE_UP);
    expect_take(&m, e);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_probe_that_told_nothing_is_not_followed_by_the_next_at_once)
{
    struct machine m;

    machine_init(&m, 0);
    struct schedule_entry *a = add(&m, "a", "hub"), *b = add(&m, "b", "hub");
    tell(&m, SCHEDULE_DOWN);
    m.now += 33 * S;
    for (int i = 0; i < 3; i++) { /* and the back-off does not grow */
        struct schedule_entry *e = schedule_take(m.s, m.now, NULL, NULL);
        ck_assert_ptr_eq(e, i % 2 == 0 ? a : b);
        schedule_tried(m.s, e, m.now); /* its worker died */
        expect_take(&m, NULL);
        expect_between(schedule_next(e, m.now), 27 * S, HOUR);
        expect_between(schedule_account_next(m.s, "hub", m.now), 27 * S, 33 * S);
        ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_DOWN);
        m.now += 20 * MIN;
    }
    schedule_free(m.s);
}
END_TEST

START_TEST(a_few_files_in_other_hands_hold_up_nobody)
{
    struct machine m;
    char id[20];
    struct schedule_entry *e, *last = NULL;

    machine_init(&m, 0);
    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof id, "locked%d", i);
        last = add(&m, id, "hub");
    }
    add(&m, "mine", "hub");
    for (int64_t end = m.now + 100; m.now < end; m.now++)
        while ((e = schedule_take(m.s, m.now, NULL, NULL))) {
            if (schedule_id(e)[0] == 'l')
                schedule_untried(m.s, e, m.now);
            else
                machine_try(&m, e);
        }
    ck_assert_int_eq(m.tries, 1);
    ck_assert_int_ge(schedule_next(last, m.now), 26 * S);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_probe_that_ended_leaves_nothing_behind)
{
    struct machine m;

    machine_init(&m, 0);
    struct schedule_entry *e = add(&m, "a", "hub");
    tell(&m, SCHEDULE_FROZEN);
    m.now += 66 * MIN;
    schedule_probe(m.s, "hub", m.now);
    tell(&m, SCHEDULE_UP);
    tell(&m, SCHEDULE_DOWN);
    m.now += 33 * S;
    expect_take(&m, e);
    schedule_untried(m.s, e, m.now);
    expect_take(&m, NULL);
    schedule_run(m.s, NULL, NULL, m.now); /* whoever asks does not wait for the pause */
    expect_take(&m, e);
    schedule_free(m.s);
}
END_TEST

START_TEST(an_account_without_mail_remembers_that_it_is_down)
{
    struct machine m;
    struct schedule_entry *e;

    machine_init(&m, 1);
    schedule_run(m.s, NULL, NULL, m.now);
    e = schedule_take(m.s, m.now, NULL, NULL);
    tell(&m, SCHEDULE_FROZEN);
    schedule_remove(m.s, e);
    ck_assert_int_eq(schedule_wait(m.s, m.now), -1);
    m.now += 10 * MIN;
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_FROZEN);
    e = add(&m, "b", "hub");
    expect_take(&m, NULL);
    expect_between(schedule_wait(m.s, m.now), 44 * MIN, 56 * MIN);
    m.now += 56 * MIN;
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_UP);
    expect_take(&m, e);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_FROZEN);
    schedule_free(m.s);
}
END_TEST

START_TEST(asking_again_and_again_does_not_lengthen_the_back_off)
{
    struct machine m;

    machine_init(&m, 1);
    m.says = SCHEDULE_DOWN;
    machine_run(&m, m.now + 35 * S); /* now it is down */
    for (int i = 0; i < 20; i++) {
        m.now++;
        schedule_run(m.s, NULL, NULL, m.now);
        schedule_run(m.s, NULL, NULL, m.now);
        machine_run(&m, m.now);
        ck_assert_int_eq(m.tries, i + 2);
    }
    expect_between(schedule_wait(m.s, m.now), 27 * S, 33 * S);
    machine_run(&m, m.now + 33 * S); /* at its own time it is a step */
    expect_between(schedule_account_next(m.s, "hub", m.last), 54 * S, 66 * S);
    schedule_free(m.s);
}
END_TEST

START_TEST(new_limits_hold_from_the_next_step_on)
{
    struct machine m;
    const struct schedule_limits eager = { 10 * S, 20 * S, MIN };

    machine_init(&m, 0);
    struct schedule_entry *e = schedule_add(m.s, "a", "hub", 2 * DAY, 0, SCHEDULE_NOW, m.now);
    schedule_set_limits(m.s, &eager);
    expect_take(&m, e);
    schedule_tried(m.s, e, m.now);
    expect_between(schedule_wait(m.s, m.now), 18 * S, 22 * S);
    tell(&m, SCHEDULE_FROZEN);
    expect_between(schedule_account_next(m.s, "hub", m.now), 18 * S, 22 * S);
    tell(&m, SCHEDULE_UP);
    m.says = SCHEDULE_UP;
    machine_run(&m, m.now + 5 * HOUR);
    ck_assert(schedule_is_expired(m.s, e, m.now));
    schedule_set_limits(m.s, &limits);
    ck_assert(!schedule_is_expired(m.s, e, m.now));
    schedule_set_limits(m.s, &(struct schedule_limits){ -5, INT64_MAX, INT64_MIN });
    machine_run(&m, m.now + HOUR);
    expect_between(schedule_wait(m.s, m.now), 1, 3 * DAY);
    schedule_free(m.s);
}
END_TEST

/* ---------------------------------------------------------------- expiry */

START_TEST(a_message_deferred_for_five_days_expires_and_not_before)
{
    struct machine m;

    machine_init(&m, 1);
    int64_t begun = m.now;
    machine_run(&m, begun + 5 * DAY);
    ck_assert_int_eq(m.expired + count_expired(&m), 0);
    machine_run(&m, begun + 5 * DAY + 3 * HOUR + 20 * MIN);
    ck_assert_int_ge(m.expired, 1);
    ck_assert_int_eq(count_expired(&m), 1);
    schedule_free(m.s);
}
END_TEST

START_TEST(all_messages_expire_when_the_smarthost_is_gone_for_good)
{
    struct machine m;

    machine_init(&m, 1000);
    m.says = SCHEDULE_DOWN;
    machine_run(&m, m.now + 5 * DAY);
    ck_assert_int_eq(count_expired(&m), 0);
    machine_run(&m, m.now + 4 * HOUR);
    ck_assert_int_eq(count_expired(&m), 1000);
    tell(&m, SCHEDULE_UP); /* there it is again: first each is tried */
    ck_assert_int_eq(count_expired(&m), 0);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_clock_that_jumped_expires_nothing_before_hours_and_attempts)
{
    struct machine m;

    machine_init(&m, 0);
    schedule_add(m.s, "a", "hub", INT64_MAX, 1000, SCHEDULE_NOW, m.now);
    machine_run(&m, m.now + 4 * HOUR - 1);
    ck_assert_int_ge(m.tries, 4);
    ck_assert_int_eq(m.expired + count_expired(&m), 0);
    machine_run(&m, m.now + 66 * MIN);
    ck_assert_int_eq(count_expired(&m), 1);

    schedule_add(m.s, "b", "other", INT64_MAX, 1000, SCHEDULE_AT_RUN, m.now);
    machine_run(&m, m.now + DAY); /* hours, but no attempts */
    ck_assert_int_eq(count_expired(&m), 1);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_machine_that_slept_for_a_week_expires_nothing_at_its_first_attempts)
{
    struct machine m;

    machine_init(&m, 10);
    m.says = SCHEDULE_DOWN;
    machine_run(&m, m.now + DAY);
    m.now += 7 * DAY;
    machine_run(&m, m.now + 10 * MIN); /* the network is not there yet */
    ck_assert_int_eq(m.expired + count_expired(&m), 0);
    schedule_free(m.s);

    machine_init(&m, 10);
    machine_run(&m, m.now + DAY);
    m.now += 7 * DAY;
    machine_run(&m, m.now + 10 * MIN);
    ck_assert_int_eq(m.expired + count_expired(&m), 0);
    schedule_free(m.s);
}
END_TEST

START_TEST(frozen_time_is_no_age)
{
    struct machine m;

    machine_init(&m, 2);
    machine_run(&m, m.now + DAY);
    struct schedule_entry *e = schedule_first(m.s);
    m.says = SCHEDULE_FROZEN;
    machine_run(&m, m.now + 66 * MIN);
    int64_t age = schedule_age(m.s, e, m.now);
    machine_run(&m, m.now + 30 * DAY);
    ck_assert_int_eq(schedule_age(m.s, e, m.now), age);
    ck_assert_int_eq(m.expired + count_expired(&m), 0);
    struct schedule_entry *new = add(&m, "new", "hub");
    m.says = SCHEDULE_UP;
    tell(&m, SCHEDULE_UP);
    ck_assert_int_eq(count_expired(&m), 0);
    m.now += DAY;
    ck_assert_int_eq(schedule_age(m.s, e, m.now), age + DAY);
    ck_assert_int_eq(schedule_age(m.s, new, m.now), DAY);
    schedule_free(m.s);
}
END_TEST

START_TEST(what_came_back_is_tried_more_than_once_before_it_expires)
{
    struct machine m;

    machine_init(&m, 100);
    m.says = SCHEDULE_DOWN;
    machine_run(&m, m.now + 6 * DAY); /* nobody looked */
    m.says = SCHEDULE_UP;
    m.expired = 0;
    tell(&m, SCHEDULE_UP);
    machine_run(&m, m.now); /* each is deferred once, for another reason */
    ck_assert_int_eq(m.expired + count_expired(&m), 0);
    machine_run(&m, m.now + 3 * HOUR);
    ck_assert_int_eq(count_expired(&m), 100);
    schedule_free(m.s);
}
END_TEST

START_TEST(refused_logins_are_no_attempts)
{
    struct machine m;

    machine_init(&m, 0);
    schedule_add(m.s, "a", "hub", 9 * DAY, 0, SCHEDULE_NOW, m.now);
    m.says = SCHEDULE_DOWN;
    machine_run(&m, m.now + 7 * HOUR);
    ck_assert_int_eq(count_expired(&m), 1);
    m.says = SCHEDULE_FROZEN;
    machine_run(&m, m.now + 7 * HOUR);
    struct schedule_entry *b = schedule_add(m.s, "b", "hub", 9 * DAY, 0, SCHEDULE_AT_RUN, m.now);
    machine_run(&m, m.now + DAY);
    m.now += 66 * MIN;
    tell(&m, SCHEDULE_DOWN);
    m.now += 5 * HOUR;
    tell(&m, SCHEDULE_DOWN);
    ck_assert(!schedule_is_expired(m.s, b, m.now));
    m.now += 66 * MIN;
    tell(&m, SCHEDULE_DOWN);
    ck_assert(schedule_is_expired(m.s, b, m.now));
    schedule_free(m.s);
}
END_TEST

START_TEST(attempts_before_it_was_added_count_as_one)
{
    for (int before = 0; before < 2; before++) {
        struct machine m;
        machine_init(&m, 0);
        struct schedule_entry *e =
            schedule_add(m.s, "a", "hub", 9 * DAY, 50 * before, SCHEDULE_AT_RUN, m.now);
        m.now += 5 * HOUR;
        for (int i = 0; i < SCHEDULE_EXPIRY_ATTEMPTS - before; i++) {
            ck_assert(!schedule_is_expired(m.s, e, m.now));
            schedule_activate(m.s, e);
            tell(&m, SCHEDULE_UP);
            schedule_tried(m.s, e, m.now);
        }
        ck_assert(schedule_is_expired(m.s, e, m.now));
        schedule_free(m.s);
    }
}
END_TEST

START_TEST(the_failure_of_an_account_counts_once_for_the_message_that_saw_it)
{
    struct machine m;

    machine_init(&m, 0);
    struct schedule_entry *e = schedule_add(m.s, "a", "hub", 9 * DAY, 0, SCHEDULE_AT_RUN, m.now);
    m.now += 5 * HOUR;
    for (int i = 0; i < SCHEDULE_EXPIRY_ATTEMPTS; i++) {
        ck_assert(!schedule_is_expired(m.s, e, m.now));
        schedule_activate(m.s, e); /* no probe: begun while it worked */
        tell(&m, SCHEDULE_DOWN);
        schedule_tried(m.s, e, m.now);
        m.now += 66 * MIN;
    }
    ck_assert(schedule_is_expired(m.s, e, m.now));
    schedule_free(m.s);
}
END_TEST

/* ---------------------------------------------------------------- many */

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
static size_t
used(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}
#else
static size_t
used(void)
{
    return 0;
}
#endif

START_TEST(a_hundred_thousand_fit_in_little_memory)
{
    struct machine m;
    char id[24];
    size_t begun = used();

    machine_init(&m, 0);
    for (int i = 0; i < 100000; i++) {
        snprintf(id, sizeof id, "1J5M0QZ8K%08d", i); /* as long as a real one */
        schedule_add(m.s, id, "hub", 0, 0, SCHEDULE_NOW, m.now);
    }
    ck_assert_uint_lt(used() - begun, 12500000);
    m.accepts = true;
    machine_run(&m, m.now);
    ck_assert_int_eq(m.tries, 100000);
    ck_assert_uint_eq(schedule_count(m.s), 0);
    schedule_free(m.s);
}
END_TEST

SUITE_MAIN("schedule", an_alert_overtakes_what_waits_but_others_have_their_turn,
    an_account_nothing_is_known_of_is_tried_by_one_message_first,
    a_hundred_messages_of_one_user_are_no_alerts, what_is_kept_for_alerts_is_for_alerts,
    what_is_held_is_tried_by_nothing_and_does_not_expire_until_it_is_let_go,
    a_message_waits_about_as_long_as_it_is_old_between_the_limits,
    messages_of_one_age_spread_over_the_whole_jitter, the_most_overdue_comes_first_and_of_equals_the_older,
    an_id_is_there_once_and_found_until_it_is_removed, a_message_for_the_next_run_waits_for_one,
    a_run_hurries_only_what_is_meant, what_could_not_begin_comes_again_and_does_not_spin,
    an_active_message_can_be_removed_or_activated_again, accounts_take_turns_and_a_busy_one_holds_up_nobody,
    names_nothing_is_known_against_do_not_pile_up, a_smarthost_down_for_a_day_costs_one_probe_per_step,
    once_the_account_works_all_that_is_due_may_go_at_once,
    a_day_of_refused_logins_costs_few_logins_and_no_message,
    one_probe_at_a_time_and_another_message_each_time, a_probe_that_a_recovery_overtook_is_no_probe_any_more,
    attempts_that_began_before_the_failure_are_no_further_steps,
    a_message_that_makes_the_peer_hang_up_does_not_hold_up_the_others,
    an_interactive_message_is_the_probe_when_its_time_has_come,
    a_probe_nobody_reported_does_not_block_for_ever, a_refused_login_is_no_message_s_fault,
    a_probe_that_told_nothing_is_not_followed_by_the_next_at_once, a_few_files_in_other_hands_hold_up_nobody,
    a_probe_that_ended_leaves_nothing_behind, an_account_without_mail_remembers_that_it_is_down,
    asking_again_and_again_does_not_lengthen_the_back_off, new_limits_hold_from_the_next_step_on,
    a_message_deferred_for_five_days_expires_and_not_before,
    all_messages_expire_when_the_smarthost_is_gone_for_good,
    a_clock_that_jumped_expires_nothing_before_hours_and_attempts,
    a_machine_that_slept_for_a_week_expires_nothing_at_its_first_attempts, frozen_time_is_no_age,
    what_came_back_is_tried_more_than_once_before_it_expires, refused_logins_are_no_attempts,
    attempts_before_it_was_added_count_as_one,
    the_failure_of_an_account_counts_once_for_the_message_that_saw_it,
    a_hundred_thousand_fit_in_little_memory)
