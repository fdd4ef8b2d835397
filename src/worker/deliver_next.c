/* SPDX-License-Identifier: ISC */
/* deliver_next: what one smarthost has not taken, and when another one is asked in the same attempt. */
#include "worker/deliver_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ipc/job.h"
#include "smtp/transaction.h"

/* Direct: so many hosts of a domain have their say, as with Postfix: who greylists does so on all of them */
#define MX_ASKED_MAX 2

void
deliver_turn_end(struct worker *w)
{
    struct deliver_turn *turn = &w->turn;

    free(turn->word);
    turn->word = NULL;
    avoid_clear(&turn->asked);
    avoid_clear(&turn->lost);
    avoid_clear(&turn->blamed);
}

/* ---------------------------------------------------------------- what was said */

static struct status
judge(const struct worker *w, const struct status_fact *f)
{
    return (w->is_direct ? status_judge_direct : status_judge)(f->stage, f->cause, f->code);
}

static bool
is_loss(const struct status_fact *f)
{
    return f->cause == STATUS_NETWORK || (f->cause == STATUS_REPLY && f->code == 421);
}

static const struct status_fact *
find_loss(const struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (is_loss(&t->rcpt[i].fact))
            return &t->rcpt[i].fact;
    return NULL;
}

/* The session was lost, and surely nobody has the message */
static bool
is_lost_early(const struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->rcpt[i].fact.maybe_sent || !is_loss(&t->rcpt[i].fact))
            return false;
    return true;
}

/* Not now, it says of all of them, in so many words: it has nothing of it (RFC 5321, 4.2.1, 6.1) */
static bool
is_put_off(const struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (!status_is_put_off(&t->rcpt[i].fact))
            return false;
    return true;
}

/* It would not fit there: that says nothing of those who only put it off */
static bool
is_beyond(const struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->rcpt[i].fact.cause != STATUS_REFUSED)
            return false;
    return true;
}

/* The first one's word is the answer if there is none better; a login it wants is one only if all want it, see add_refusal() */
static void
keep_word(struct worker *w, const struct transaction *t)
{
    struct deliver_turn *turn = &w->turn;
    bool is_frozen = judge(w, &t->rcpt[0].fact).outcome == STATUS_FROZEN;

    if (turn->word && !(turn->is_frozen && !is_frozen))
        return;
    if (!turn->word)
        turn->word = mem_array(t->n, sizeof *turn->word);
    for (size_t i = 0; i < t->n; i++)
        turn->word[i] = t->rcpt[i].fact;
    turn->is_frozen = is_frozen;
    memcpy(turn->relay, w->relay, sizeof turn->relay);
    memcpy(turn->tls_info, w->session.tls_info, sizeof turn->tls_info);
    memcpy(turn->mechanism, w->session.mechanism, sizeof turn->mechanism);
}

/* ---------------------------------------------------------------- the next one */

/* Who wants a login for mail fails like one who refuses it; of any other it is not known yet whether it is the message */
static void
blame(struct worker *w, const struct status_fact *f)
{
    struct status s = judge(w, f);

    if (s.outcome == STATUS_FROZEN) {
        deliver_tell_health(w, w->relay, JOB_HUB_FAILS);
        avoid_add(&w->avoid, w->relay);
    } else if (s.scope != STATUS_RECIPIENT) {
        avoid_add(&w->turn.blamed, w->relay);
    }
}

static bool
has_others(const struct worker *w)
{
    return deliver_has_others(w) && !(w->is_direct && w->turn.asked.n >= MX_ASKED_MAX);
}

/* It has had its say. Is there another one to be asked? */
static bool
pass_on(struct worker *w, const struct transaction *t)
{
    const struct status_fact *f = &t->rcpt[0].fact;

    if (w->known < 2)
        return false;
    keep_word(w, t);
    blame(w, f);
    avoid_add(&w->turn.asked, w->relay);
    if (!has_others(w)) {
        deliver_tell_last_hub(w, w->relay, f);
        return false;
    }
    deliver_tell_of_hub(w, w->relay, f);
    deliver_hang_up(w);
    return true;
}

/* What is known now of the smarthost whose session was lost. Has it a better one in its place? */
static bool
lose(struct worker *w, const struct transaction *t)
{
    const struct status_fact *f = w->known > 1 ? find_loss(t) : NULL;
    bool is_second = avoid_has(&w->turn.lost, w->relay); /* by two names, or the others were not to be had */

    if (!f)
        return false;
    avoid_add(&w->turn.lost, w->relay);
    if (w->is_direct && is_lost_early(t)) {
        keep_word(w, t);
        avoid_add(&w->turn.asked, w->relay);
    } else if (!w->is_direct) {
        deliver_tell_health(w, w->relay, JOB_HUB_FAILS);
        avoid_add(&w->avoid, w->relay);
    }
    w->turn.others = !is_second && has_others(w);
    if (!w->turn.others || !is_lost_early(t))
        return false;
    deliver_tell_of_hub(w, w->relay, f);
    return true;
}

bool
deliver_turn_next(struct worker *w, struct transaction *t)
{
    if (!(is_put_off(t) ? pass_on(w, t) : !w->warm && lose(w, t)))
        return false;
    for (size_t i = 0; i < t->n; i++)
        t->rcpt[i].done = false;
    return true;
}

/* ---------------------------------------------------------------- the end of it */

/* The host that wants a login does not mend itself, whatever is to become of the others */
static void
add_refusal(const struct deliver_turn *turn, struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct status_fact *f = &t->rcpt[i].fact;
        size_t n = strlen(f->text);
        (void)snprintf(
            f->text + n, sizeof f->text - n, "; before that %s: %.400s", turn->relay, turn->word[i].text);
    }
}

static void
restore_word(struct worker *w, struct transaction *t)
{
    const struct deliver_turn *turn = &w->turn;

    deliver_hang_up(w); /* what is said of the session from here on is the first one's */
    for (size_t i = 0; i < t->n; i++)
        t->rcpt[i].fact = turn->word[i];
    memcpy(w->relay, turn->relay, sizeof w->relay);
    memcpy(w->session.tls_info, turn->tls_info, sizeof turn->tls_info);
    memcpy(w->session.mechanism, turn->mechanism, sizeof turn->mechanism);
    steps_note(w->options.steps, "said by %s; no other mailhub has taken it", w->relay);
}

/* One has taken what they put off: it is not the message that is the matter */
static void
tell_blamed(struct worker *w, const struct transaction *t)
{
    bool taken = false;

    for (size_t i = 0; w->turn.blamed.n && i < t->n; i++)
        taken = taken || judge(w, &t->rcpt[i].fact).outcome == STATUS_DELIVERED;
    for (size_t i = 0; taken && i < w->turn.blamed.n; i++) {
        deliver_tell_health(w, w->turn.blamed.relay[i], JOB_HUB_FAILS);
        avoid_add(&w->avoid, w->turn.blamed.relay[i]);
    }
}

void
deliver_turn_settle(struct worker *w, struct transaction *t, bool opened)
{
    const struct deliver_turn *turn = &w->turn;
    bool put_off, beyond;

    if (!turn->word)
        return;
    put_off = opened && is_put_off(t);
    beyond = opened && is_beyond(t);
    if (opened && !put_off && !beyond && !is_lost_early(t)) {
        tell_blamed(w, t);
    } else if (turn->is_frozen && !put_off && !beyond) {
        add_refusal(turn, t);
    } else if (!opened || strcmp(turn->relay, w->relay) != 0) {
        if (!put_off)
            deliver_tell_last_hub(w, w->relay, &t->rcpt[0].fact);
        restore_word(w, t);
    }
}
