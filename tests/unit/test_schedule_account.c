/* SPDX-License-Identifier: ISC */
/* schedule_account: whose turn it is, and what an account that is down or refuses costs, in days of fake time. */
#include "unit/suite.h"
#include "unit/days.h"

#include <stdio.h>
#include <string.h>

static bool
is_free(void *ctx, const char *account, bool reserve)
{
    (void)reserve;
    return strcmp(account, ctx) != 0;
}

START_TEST(accounts_take_turns_and_a_busy_one_holds_up_nobody)
{
    struct days m;
    char busy[] = "a";

    days_init(&m, 0);
    struct schedule_entry *a1 = days_add(&m, "a1", "a"), *a2 = days_add(&m, "a2", "a");
    struct schedule_entry *b1 = days_add(&m, "b1", "b"), *b2 = days_add(&m, "b2", "b");
    days_expect_take(&m, a1);
    days_expect_take(&m, b1);
    ck_assert_ptr_eq(schedule_take(m.s, m.now, is_free, busy), b2);
    ck_assert_ptr_null(schedule_take(m.s, m.now, is_free, busy));
    ck_assert_int_eq(schedule_wait(m.s, m.now), -1);
    days_expect_take(&m, a2);
    schedule_free(m.s);
}
END_TEST

static struct schedule_entry *
add_alert(struct days *m, const char *id, int64_t uid)
{
    struct schedule_entry *e = days_add(m, id, "hub");

    schedule_alert(m->s, e, uid);
    return e;
}

START_TEST(an_alert_overtakes_what_waits_but_others_have_their_turn)
{
    struct days m;
    struct schedule_entry *bulk[3], *alert[6];
    char id[20];

    days_init(&m, 0);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(id, sizeof id, "b%d", i);
        bulk[i] = days_add(&m, id, "hub");
    }
    m.now += 1000;
    for (int i = 0; i < 6; i++) {
        (void)snprintf(id, sizeof id, "a%d", i);
        alert[i] = add_alert(&m, id, 0);
    }
    for (int i = 0; i < 4; i++)
        days_expect_take(&m, alert[i]);
    days_expect_take(&m, bulk[0]);
    days_expect_take(&m, alert[4]);
    schedule_tried(m.s, alert[0], m.now); /* its next time has not come */
    schedule_remove(m.s, alert[1]);
    days_expect_take(&m, alert[5]);
    days_expect_take(&m, bulk[1]);
    days_expect_take(&m, bulk[2]);
    days_expect_take(&m, NULL);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_hundred_messages_of_one_user_are_no_alerts)
{
    struct days m;
    struct schedule_entry *mail[SCHEDULE_ALERTS_MAX + 5], *alert;
    const struct schedule_entry *line[4];
    char id[20];

    days_init(&m, 0);
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
    days_expect_take(&m, alert);
    days_expect_take(&m, mail[SCHEDULE_ALERTS_MAX]);
    /* those that overtook have gone: there may be others */
    alert = add_alert(&m, "zz", 33);
    days_expect_take(&m, alert);
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
    struct days m;
    int asked = 0;

    days_init(&m, 0);
    days_add(&m, "bulk", "hub");
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
    struct schedule *s = schedule_new(&days_limits, 1);
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
    struct days m;

    days_init(&m, 0);
    schedule_doubt(m.s);
    struct schedule_entry *a = days_add(&m, "a", "hub"), *b = days_add(&m, "b", "hub"),
                          *c = days_add(&m, "c", "hub");
    days_expect_take(&m, a);
    days_expect_take(&m, NULL);
    /* it told nothing: the next one */
    schedule_untried(m.s, a, m.now);
    m.now += SCHEDULE_PAUSE_MS;
    days_expect_take(&m, b);
    days_expect_take(&m, NULL);
    ck_assert_int_gt(schedule_wait(m.s, m.now), 0);
    /* one that takes its time does not hold up the others for long */
    m.now += 30000;
    days_expect_take(&m, c);
    days_expect_take(&m, a);
    struct schedule_entry *x = days_add(&m, "x", "other"), *y = days_add(&m, "y", "other");
    days_expect_take(&m, x);
    schedule_account(m.s, "other", SCHEDULE_UP, NULL, m.now);
    days_expect_take(&m, y);
    struct schedule_entry *p = days_add(&m, "p", "third");
    days_add(&m, "q", "third");
    days_expect_take(&m, p);
    schedule_account(m.s, "third", SCHEDULE_FROZEN, "535", m.now);
    schedule_tried(m.s, p, m.now);
    days_expect_take(&m, NULL);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_smarthost_down_for_a_day_costs_one_probe_per_step)
{
    struct days m;

    days_init(&m, 1000);
    m.says = SCHEDULE_DOWN;
    days_run(&m, m.now + DAY);
    /* 30 s, 1, 2, 4, 8, 16, 32 minutes, then every hour */
    days_expect_between(m.tries, 7 + 20, 8 + 26);
    days_expect_between(m.least_gap, 27 * S, 33 * S);
    days_expect_between(m.longest_gap, 54 * MIN, 66 * MIN);
    ck_assert_int_eq(days_expired(&m), 0);

    m.says = SCHEDULE_UP;
    m.accepts = true;
    days_run(&m, m.now + 66 * MIN);
    ck_assert_uint_eq(schedule_count(m.s), 0);
    ck_assert_int_eq(m.expired, 0);
    schedule_free(m.s);
}
END_TEST

START_TEST(once_the_account_works_all_that_is_due_may_go_at_once)
{
    struct days m;
    int n = 0;

    days_init(&m, 1000);
    m.says = SCHEDULE_DOWN;
    days_run(&m, m.now + 3 * HOUR);
    days_tell(&m, SCHEDULE_UP); /* an interactive message went */
    while (schedule_take(m.s, m.now, NULL, NULL))
        n++;
    ck_assert_int_eq(n, 1000);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_day_of_refused_logins_costs_few_logins_and_no_message)
{
    for (int by_run = 0; by_run < 2; by_run++) {
        struct days m;
        days_init(&m, 1000);
        m.says = SCHEDULE_FROZEN;
        int64_t begun = m.now;
        for (int i = 0; i < 48; i++) { /* QueueRun */
            days_run(&m, m.now + 30 * MIN);
            schedule_release(m.s, m.now);
        }
        ck_assert_int_eq(m.now - begun, DAY);
        days_expect_between(m.tries, 22, 28);
        ck_assert_int_eq(m.expired + days_expired(&m), 0);
        days_expect_between(schedule_age(m.s, schedule_first(m.s), m.now), 0, MIN);

        m.says = SCHEDULE_UP;
        m.accepts = true;
        if (by_run)
            schedule_run(m.s, NULL, NULL, m.now);
        else
            days_tell(&m, SCHEDULE_UP);
        days_run(&m, m.now + MIN);
        ck_assert_uint_eq(schedule_count(m.s), 0);
        schedule_free(m.s);
    }
}
END_TEST

START_TEST(one_probe_at_a_time_and_another_message_each_time)
{
    struct days m;

    struct schedule_entry *a = days_init_one(&m), *b = days_add(&m, "b", "hub");
    days_tell(&m, SCHEDULE_DOWN);
    days_expect_take(&m, NULL);
    days_expect_between(schedule_wait(m.s, m.now), 27 * S, 33 * S);
    m.now += 33 * S;
    days_expect_take(&m, a);
    m.now += HOUR;
    days_expect_take(&m, NULL);
    ck_assert_int_eq(schedule_wait(m.s, m.now), -1);
    days_tell(&m, SCHEDULE_DOWN);
    schedule_tried(m.s, a, m.now);
    days_expect_between(schedule_wait(m.s, m.now), 54 * S, 66 * S);
    m.now += 66 * S;
    days_expect_take(&m, b);
    days_tell(&m, SCHEDULE_UP);
    schedule_tried(m.s, b, m.now);
    days_expect_take(&m, a); /* it was not its fault */
    schedule_free(m.s);
}
END_TEST

START_TEST(a_probe_that_a_recovery_overtook_is_no_probe_any_more)
{
    struct days m;

    struct schedule_entry *old = days_init_one(&m);
    days_tell(&m, SCHEDULE_DOWN);
    m.now += 33 * S;
    days_expect_take(&m, old);
    days_tell(&m, SCHEDULE_UP);
    days_tell(&m, SCHEDULE_DOWN);
    m.now += 33 * S;
    struct schedule_entry *b = days_add(&m, "b", "hub");
    days_expect_take(&m, b);
    schedule_tried(m.s, old, m.now); /* it ends at last */
    days_add(&m, "c", "hub");
    m.now += HOUR;
    days_expect_take(&m, NULL);
    schedule_free(m.s);
}
END_TEST

START_TEST(attempts_that_began_before_the_failure_are_no_further_steps)
{
    struct days m;

    days_init(&m, 4);
    schedule_run(m.s, NULL, NULL, m.now);
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(schedule_take(m.s, m.now, NULL, NULL));
    for (struct schedule_entry *e = schedule_first(m.s); e; e = schedule_after(e)) {
        days_tell(&m, SCHEDULE_DOWN);
        schedule_tried(m.s, e, m.now++);
    }
    days_expect_between(schedule_account_next(m.s, "hub", m.now), 26 * S, 33 * S);
    days_tell(&m, SCHEDULE_FROZEN);
    days_expect_between(schedule_account_next(m.s, "hub", m.now), 54 * MIN, 66 * MIN);
    days_tell(&m, SCHEDULE_DOWN);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_FROZEN);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_message_that_makes_the_peer_hang_up_does_not_hold_up_the_others)
{
    struct days m;

    days_init(&m, 0);
    m.accepts = true;
    struct schedule_entry *bad = schedule_add(m.s, "bad", "hub", HOUR, 0, SCHEDULE_NOW, m.now);
    days_expect_take(&m, bad);
    days_tell(&m, SCHEDULE_DOWN);
    schedule_tried(m.s, bad, m.now);
    for (int i = 0; i < 10; i++) {
        char id[20];
        snprintf(id, sizeof id, "good%d", i);
        days_add(&m, id, "hub");
    }
    days_run(&m, m.now + 33 * S);
    ck_assert_uint_eq(schedule_count(m.s), 1);
    days_expect_between(schedule_next(bad, m.now), 20 * MIN, 66 * MIN);
    schedule_free(m.s);
}
END_TEST

START_TEST(an_interactive_message_is_the_probe_when_its_time_has_come)
{
    struct days m;
    const char *reason;

    days_init(&m, 0);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, &reason), SCHEDULE_UP);
    ck_assert_ptr_null(reason);
    days_tell(&m, SCHEDULE_DOWN);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, &reason), SCHEDULE_DOWN);
    ck_assert_str_eq(reason, "why");
    m.now += schedule_account_next(m.s, "hub", m.now) - 1;
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_DOWN);
    m.now++;
    struct schedule_entry *e = days_add(&m, "a", "hub");
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, &reason), SCHEDULE_UP);
    ck_assert_str_eq(reason, "why");
    ck_assert_int_eq(schedule_account_last(m.s, "hub", NULL), SCHEDULE_DOWN);
    schedule_probe(m.s, "hub", m.now);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_DOWN);
    days_expect_take(&m, NULL);
    days_expect_between(schedule_wait(m.s, m.now), 30 * S, 30 * S);
    days_tell(&m, SCHEDULE_UP);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, &reason), SCHEDULE_UP);
    ck_assert_ptr_null(reason);
    days_expect_take(&m, e);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_probe_nobody_reported_does_not_block_for_ever)
{
    struct days m;

    struct schedule_entry *e = days_init_one(&m);
    days_tell(&m, SCHEDULE_DOWN);
    m.now += 33 * S;
    schedule_probe(m.s, "hub", m.now);
    days_expect_take(&m, NULL);
    m.now += 30 * S;
    days_expect_take(&m, e);
    schedule_remove(m.s, e); /* and with it the probe */
    e = days_add(&m, "b", "hub");
    days_expect_take(&m, e);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_refused_login_is_no_message_s_fault)
{
    struct days m;

    days_init(&m, 0);
    struct schedule_entry *e = schedule_add(m.s, "a", "hub", HOUR, 5, SCHEDULE_NOW, m.now);
    days_expect_take(&m, e);
    days_tell(&m, SCHEDULE_FROZEN);
    schedule_tried(m.s, e, m.now);
    m.now += MIN;
    days_expect_take(&m, NULL);
    days_tell(&m, SCHEDULE_UP);
    days_expect_take(&m, e);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_probe_that_told_nothing_is_not_followed_by_the_next_at_once)
{
    struct days m;

    struct schedule_entry *a = days_init_one(&m), *b = days_add(&m, "b", "hub");
    days_tell(&m, SCHEDULE_DOWN);
    m.now += 33 * S;
    for (int i = 0; i < 3; i++) { /* and the back-off does not grow */
        struct schedule_entry *e = schedule_take(m.s, m.now, NULL, NULL);
        ck_assert_ptr_eq(e, i % 2 == 0 ? a : b);
        schedule_tried(m.s, e, m.now); /* its worker died */
        days_expect_take(&m, NULL);
        days_expect_between(schedule_next(e, m.now), 27 * S, HOUR);
        days_expect_between(schedule_account_next(m.s, "hub", m.now), 27 * S, 33 * S);
        ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_DOWN);
        m.now += 20 * MIN;
    }
    schedule_free(m.s);
}
END_TEST

START_TEST(a_few_files_in_other_hands_hold_up_nobody)
{
    struct days m;
    char id[20];
    struct schedule_entry *e, *last = NULL;

    days_init(&m, 0);
    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof id, "locked%d", i);
        last = days_add(&m, id, "hub");
    }
    days_add(&m, "mine", "hub");
    for (int64_t end = m.now + 100; m.now < end; m.now++)
        while ((e = schedule_take(m.s, m.now, NULL, NULL))) {
            if (schedule_id(e)[0] == 'l')
                schedule_untried(m.s, e, m.now);
            else
                days_try(&m, e);
        }
    ck_assert_int_eq(m.tries, 1);
    ck_assert_int_ge(schedule_next(last, m.now), 26 * S);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_probe_that_ended_leaves_nothing_behind)
{
    struct days m;

    struct schedule_entry *e = days_init_one(&m);
    days_tell(&m, SCHEDULE_FROZEN);
    m.now += 66 * MIN;
    schedule_probe(m.s, "hub", m.now);
    days_tell(&m, SCHEDULE_UP);
    days_tell(&m, SCHEDULE_DOWN);
    m.now += 33 * S;
    days_expect_take(&m, e);
    schedule_untried(m.s, e, m.now);
    days_expect_take(&m, NULL);
    schedule_run(m.s, NULL, NULL, m.now); /* whoever asks does not wait for the pause */
    days_expect_take(&m, e);
    schedule_free(m.s);
}
END_TEST

/* Its only message met a refused login, and is gone */
static void
init_frozen_without_mail(struct days *m)
{
    struct schedule_entry *e;

    days_init(m, 1);
    schedule_run(m->s, NULL, NULL, m->now);
    e = schedule_take(m->s, m->now, NULL, NULL);
    days_tell(m, SCHEDULE_FROZEN);
    schedule_remove(m->s, e);
}

START_TEST(an_account_without_mail_remembers_that_it_is_down)
{
    struct days m;
    struct schedule_entry *e;

    init_frozen_without_mail(&m);
    ck_assert_int_eq(schedule_wait(m.s, m.now), -1);
    m.now += 10 * MIN;
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_FROZEN);
    e = days_add(&m, "b", "hub");
    days_expect_take(&m, NULL);
    days_expect_between(schedule_wait(m.s, m.now), 44 * MIN, 56 * MIN);
    m.now += 56 * MIN;
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_UP);
    days_expect_take(&m, e);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_FROZEN);
    schedule_free(m.s);
}
END_TEST

START_TEST(an_account_without_mail_may_be_tried_after_a_run_of_all)
{
    struct days m;

    init_frozen_without_mail(&m);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_FROZEN);
    schedule_run(m.s, NULL, NULL, m.now);
    ck_assert_int_eq(schedule_account_state(m.s, "hub", m.now, NULL), SCHEDULE_UP);
    schedule_free(m.s);
}
END_TEST

START_TEST(asking_again_and_again_does_not_lengthen_the_back_off)
{
    struct days m;

    days_init(&m, 1);
    m.says = SCHEDULE_DOWN;
    days_run(&m, m.now + 35 * S); /* now it is down */
    for (int i = 0; i < 20; i++) {
        m.now++;
        schedule_run(m.s, NULL, NULL, m.now);
        schedule_run(m.s, NULL, NULL, m.now);
        days_run(&m, m.now);
        ck_assert_int_eq(m.tries, i + 2);
    }
    days_expect_between(schedule_wait(m.s, m.now), 27 * S, 33 * S);
    days_run(&m, m.now + 33 * S); /* at its own time it is a step */
    days_expect_between(schedule_account_next(m.s, "hub", m.last), 54 * S, 66 * S);
    schedule_free(m.s);
}
END_TEST

START_TEST(new_limits_hold_from_the_next_step_on)
{
    struct days m;
    const struct schedule_limits eager = { 10 * S, 20 * S, MIN };

    days_init(&m, 0);
    struct schedule_entry *e = schedule_add(m.s, "a", "hub", 2 * DAY, 0, SCHEDULE_NOW, m.now);
    schedule_set_limits(m.s, &eager);
    days_expect_take(&m, e);
    schedule_tried(m.s, e, m.now);
    days_expect_between(schedule_wait(m.s, m.now), 18 * S, 22 * S);
    days_tell(&m, SCHEDULE_FROZEN);
    days_expect_between(schedule_account_next(m.s, "hub", m.now), 18 * S, 22 * S);
    days_tell(&m, SCHEDULE_UP);
    m.says = SCHEDULE_UP;
    days_run(&m, m.now + 5 * HOUR);
    ck_assert(schedule_is_expired(m.s, e, m.now));
    schedule_set_limits(m.s, &days_limits);
    ck_assert(!schedule_is_expired(m.s, e, m.now));
    schedule_set_limits(m.s, &(struct schedule_limits){ -5, INT64_MAX, INT64_MIN });
    days_run(&m, m.now + HOUR);
    days_expect_between(schedule_wait(m.s, m.now), 1, 3 * DAY);
    schedule_free(m.s);
}
END_TEST

SUITE_MAIN("schedule_account", accounts_take_turns_and_a_busy_one_holds_up_nobody,
    an_alert_overtakes_what_waits_but_others_have_their_turn, a_hundred_messages_of_one_user_are_no_alerts,
    what_is_kept_for_alerts_is_for_alerts, names_nothing_is_known_against_do_not_pile_up,
    an_account_nothing_is_known_of_is_tried_by_one_message_first,
    a_smarthost_down_for_a_day_costs_one_probe_per_step,
    once_the_account_works_all_that_is_due_may_go_at_once,
    a_day_of_refused_logins_costs_few_logins_and_no_message,
    one_probe_at_a_time_and_another_message_each_time, a_probe_that_a_recovery_overtook_is_no_probe_any_more,
    attempts_that_began_before_the_failure_are_no_further_steps,
    a_message_that_makes_the_peer_hang_up_does_not_hold_up_the_others,
    an_interactive_message_is_the_probe_when_its_time_has_come,
    a_probe_nobody_reported_does_not_block_for_ever, a_refused_login_is_no_message_s_fault,
    a_probe_that_told_nothing_is_not_followed_by_the_next_at_once, a_few_files_in_other_hands_hold_up_nobody,
    a_probe_that_ended_leaves_nothing_behind, an_account_without_mail_remembers_that_it_is_down,
    an_account_without_mail_may_be_tried_after_a_run_of_all,
    asking_again_and_again_does_not_lengthen_the_back_off, new_limits_hold_from_the_next_step_on)
