/* SPDX-License-Identifier: ISC */
/* deliver: record -> message -> smarthost -> facts. Writes nothing but packets; decides nothing about retries. */
#include "worker/deliver.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "ipc/job.h"
#include "smtp/transaction.h"
#include "worker/complete.h"
#include "worker/deliver_state.h"

/* What the daemon has to hear is said so often and for so long */
enum { AGAIN_STEP_MS = 20, AGAIN_MS = 10000 };

/* ---------------------------------------------------------------- one job */

struct job {
    struct worker *w;
    struct record record;
    struct head_settings settings; /* the worker's, as they are for this message */
    struct complete complete;
    int fd;
    uint32_t *index; /* of the record's recipients */
    struct transaction t;
    struct buf paths;        /* senders and recipients, NUL behind each */
    const char *null_sender; /* goes where the null sender is refused; NULL: nothing does */
};

static bool
write_content(void *ctx, transaction_sink *sink, void *sink_ctx, struct error *err)
{
    struct job *j = ctx;

    return complete_write(&j->complete, sink, sink_ctx, err);
}

/* For want of memory it is said again: what the daemon does not hear it takes for a message that may have been sent */
static bool
is_for_later(int64_t deadline)
{
    if ((errno != ENOMEM && errno != ENOBUFS) || clock_left(deadline) == 0)
        return false;
    (void)poll(NULL, 0, AGAIN_STEP_MS);
    return true;
}

static void
report(struct job *j, uint32_t recipient, const struct status_fact *fact)
{
    int64_t deadline = clock_deadline(AGAIN_MS);
    struct job_fact f;

    memset(&f, 0, sizeof f);
    f.recipient = recipient;
    f.stage = (int32_t)fact->stage;
    f.cause = (int32_t)fact->cause;
    f.code = fact->code;
    f.maybe_sent = fact->maybe_sent;
    f.has_dsn = j->w->session.caps.dsn;
    f.others = j->w->turn.others;
    memcpy(f.enhanced, fact->enhanced, sizeof f.enhanced);
    (void)snprintf(f.relay, sizeof f.relay, "%s", j->w->relay);
    (void)snprintf(f.text, sizeof f.text, "%s", fact->text);
    while (!j->w->is_mute && !job_send_fact(j->w->sock, &f))
        j->w->is_mute = !is_for_later(deadline);
}

/* The job is over. Behind a fact that did not get through this would be a lie. */
static void
report_done(struct worker *w, const char *text)
{
    int64_t deadline = clock_deadline(AGAIN_MS);

    while (!w->is_mute && !job_send_text(w->sock, JOB_DONE, 0, text))
        w->is_mute = !is_for_later(deadline);
}

/* What did not go well, into the steps: that of a recipient for each, any other once */
static void
tell_failures(struct job *j)
{
    struct steps *steps = j->w->options.steps;
    bool said = false;

    for (size_t i = 0; steps && i < j->t.n; i++) {
        const struct status_fact *f = &j->t.rcpt[i].fact;
        if (status_judge(f->stage, f->cause, f->code).outcome == STATUS_DELIVERED ||
            (f->stage != STATUS_RCPT && said))
            continue;
        said = said || f->stage != STATUS_RCPT;
        if (f->stage == STATUS_RCPT)
            steps_text(steps, "recipient", slice_of(j->t.rcpt[i].path));
        steps_failed(steps, f);
    }
}

/* The same fact for all that were asked for */
static void
report_all(struct job *j, const struct job_packet *p, const struct status_fact *fact)
{
    steps_failed(j->w->options.steps, fact);
    for (uint32_t i = 0; i < p->recipients; i++)
        if (job_bit(p->bitmap, i))
            report(j, i, fact);
}

/* For all that are to go out and have no fact of their own yet */
static void
settle_rest(struct job *j, const struct status_fact *fact)
{
    for (size_t i = 0; i < j->t.n; i++)
        if (!j->t.rcpt[i].done)
            j->t.rcpt[i].fact = *fact;
}

static bool
add_path(struct job *j, const struct rewrite *r, const char *address, size_t *offset, struct error *err)
{
    *offset = j->paths.len;
    if (!rewrite_path(r, address, &j->paths, &j->t.smtputf8, err))
        return false;
    buf_add_char(&j->paths, '\0');
    return true;
}

/* With `force` and no address of the account's own it is the caller's: what ssmtp calls the system's From address */
static void
settle_for(struct job *j)
{
    struct rewrite *r = &j->settings.rewrite;

    j->settings = j->w->complete;
    if (r->policy == REWRITE_FORCE && !r->from && j->record.login_address && *j->record.login_address)
        r->from = j->record.login_address;
}

/* Sender and recipients as they go out. A recipient that cannot is reported and left out. */
static bool
make_envelope(struct job *j, const struct job_packet *p, struct error *err)
{
    struct envelope *e = &j->record.envelope;
    const struct rewrite *rules = &j->settings.rewrite, of_sender = rewrite_for_sender(rules);
    size_t *offset = mem_array(e->n + 1, sizeof *offset), sender, other = 0;
    const char *null_sender = *e->sender ? NULL : rewrite_null_sender(&j->w->complete.rewrite);
    bool ok = add_path(j, &of_sender, rewrite_sender(rules, e->sender), &sender, err) &&
              (!null_sender || add_path(j, &of_sender, null_sender, &other, err));

    j->t.rcpt = mem_array(e->n, sizeof *j->t.rcpt);
    j->index = mem_array(e->n, sizeof *j->index);
    for (size_t i = 0; ok && i < e->n; i++) {
        struct error bad;
        struct status_fact fact;
        if (!job_bit(p->bitmap, (uint32_t)i) || e->rcpt[i].state != ENVELOPE_OPEN)
            continue;
        size_t before = j->paths.len;
        if (!add_path(j, rules, e->rcpt[i].address, &offset[j->t.n], &bad)) {
            buf_truncate(&j->paths, before);
            session_fact(&fact, STATUS_LOCAL, STATUS_MALFORMED, "%s", bad.text);
            steps_failed(j->w->options.steps, &fact);
            report(j, (uint32_t)i, &fact);
            continue;
        }
        j->t.rcpt[j->t.n].notify = e->rcpt[i].notify;
        j->t.rcpt[j->t.n].orcpt = e->rcpt[i].orcpt;
        j->index[j->t.n++] = (uint32_t)i;
    }
    for (size_t i = 0; ok && i < j->t.n; i++)
        j->t.rcpt[i].path = j->paths.data + offset[i];
    if (ok) {
        j->t.sender = j->paths.data + sender;
        j->null_sender = null_sender ? j->paths.data + other : NULL;
    }
    free(offset);
    return ok;
}

/* Direct delivery: one domain a job; another session's host is of no use. Who is of another domain has to come again. */
static void
choose_domain(struct job *j)
{
    struct worker *w = j->w;
    char domain[sizeof w->domain] = "";
    struct status_fact fact;
    size_t kept = 0;

    for (size_t i = 0; i < j->t.n; i++) {
        const char *at = strrchr(j->t.rcpt[i].path, '@');
        if (i == 0)
            (void)snprintf(domain, sizeof domain, "%s", at ? at + 1 : "");
        if (strcasecmp(at ? at + 1 : "", domain) == 0) {
            j->t.rcpt[kept] = j->t.rcpt[i];
            j->index[kept++] = j->index[i];
            continue;
        }
        session_fact(&fact, STATUS_LOCAL, STATUS_TROUBLE, "of another domain than %s", domain);
        report(j, j->index[i], &fact);
    }
    j->t.n = kept;
    if (w->warm && strcasecmp(domain, w->domain) != 0) {
        deliver_hang_up(w);
        w->relay[0] = '\0';
    }
    memcpy(w->domain, domain, sizeof w->domain);
}

static void
show_done(struct job *j)
{
    struct worker *w = j->w;
    struct buf b;

    buf_init(&b, 1000);
    buf_add_format(&b, w->session.tls_info[0] ? "relay=%s tls=\"%s\"" : "relay=%s tls=%s",
        w->relay[0] ? w->relay : "none", w->session.tls_info[0] ? w->session.tls_info : "none");
    buf_add_format(&b, " auth=%s delays=%.3f/%.3f/%.3f/%.3f",
        w->session.mechanism[0] ? w->session.mechanism : "none", (double)w->info.resolve_us / 1e6,
        (double)w->info.connect_us / 1e6, (double)w->session_us / 1e6, (double)w->sent_us / 1e6);
    report_done(w, buf_str(&b));
    buf_clear(&b);
}

/*
 * A reused connection that was ended before one byte of answer is not an attempt; one that fell silent may have taken the message
 * (src/README.md, "Failure has a scope")
 */
static bool
died_idle(const struct job *j, bool reused)
{
    for (size_t i = 0; i < j->t.n; i++) {
        const struct status_fact *f = &j->t.rcpt[i].fact;
        bool unanswered = f->stage == STATUS_MAIL || (f->stage == STATUS_END && j->w->session.mails == 0);
        if (!unanswered || !((f->cause == STATUS_NETWORK && !f->silent) || f->code == 421))
            return false; /* those it has served would get it twice */
    }
    return reused;
}

static bool
is_null_refused(const struct job *j, const struct status_fact *f)
{
    return j->null_sender && !*j->t.sender && f->stage == STATUS_MAIL && f->cause == STATUS_REPLY &&
           f->code >= 500 && !(f->code >= 530 && f->code <= 538);
}

/* The null sender was refused, as some providers do: all that were refused with it get the account's address */
static bool
try_own_address(struct job *j)
{
    bool any = false;

    for (size_t i = 0; i < j->t.n; i++) {
        if (!is_null_refused(j, &j->t.rcpt[i].fact))
            continue;
        j->t.rcpt[i].done = false;
        any = true;
    }
    if (any)
        j->t.sender = j->null_sender;
    return any;
}

/* It does not take what needs SMTPUTF8, and there is somebody who could do without */
static bool
is_utf8_refused(const struct job *j)
{
    const struct status_fact *f = &j->t.rcpt[0].fact;
    bool any = false;

    if (j->w->turn.word) /* one before it has only put the message off */
        return false;
    if (f->stage != STATUS_MAIL || f->cause != STATUS_REFUSED || !j->t.smtputf8 ||
        j->w->session.caps.smtputf8 || !text_is_ascii(slice_of(j->t.sender)))
        return false;
    for (size_t i = 0; i < j->t.n; i++)
        any = any || text_is_ascii(slice_of(j->t.rcpt[i].path));
    return any;
}

/* The header as it is without, unless it has such an address itself */
static bool
complete_without_utf8(struct job *j)
{
    struct complete plain;
    struct error ignored;

    j->record.smtputf8 = false;
    if (!complete_init(&plain, j->fd, &j->record, &j->settings, &ignored))
        return false;
    if (plain.needs_utf8) {
        complete_clear(&plain);
        return false;
    }
    complete_clear(&j->complete);
    j->complete = plain;
    return true;
}

/* Those are refused that cannot be written without it, by name; the others have the message */
static bool
try_without_utf8(struct job *j)
{
    struct status_fact fact;
    size_t kept = 0;

    if (!is_utf8_refused(j) || !complete_without_utf8(j))
        return false;
    for (size_t i = 0; i < j->t.n; i++) {
        struct transaction_rcpt *r = &j->t.rcpt[i];
        if (text_is_ascii(slice_of(r->path))) {
            r->done = false;
            j->t.rcpt[kept] = *r;
            j->index[kept++] = j->index[i];
            continue;
        }
        session_fact(&fact, STATUS_RCPT, STATUS_NOWHERE,
            "%s: needs SMTPUTF8, which the server does not offer", r->path);
        (void)snprintf(fact.enhanced, sizeof fact.enhanced, "5.6.7"); /* RFC 6531, 3.5 */
        steps_failed(j->w->options.steps, &fact);
        report(j, j->index[i], &fact);
    }
    j->t.n = kept;
    return true;
}

/* The peer's offer is known only now, and may differ from one smarthost to the next */
static bool
adapt(struct job *j)
{
    const struct session_caps *caps = &j->w->session.caps;
    struct complete_peer peer = { .eight_bit = caps->eightbit, .binary = caps->binary && caps->chunking };
    struct status_fact fact;
    struct error err;

    if (!complete_adapt(&j->complete, &peer, &err)) {
        session_fact(&fact, STATUS_LOCAL, err.class == ERROR_REFUSED ? STATUS_REFUSED : STATUS_TROUBLE, "%s",
            err.text);
        settle_rest(j, &fact);
        return false;
    }
    j->t.smtputf8 = j->complete.needs_utf8;
    j->t.utf8_address = j->complete.head->utf8_address.len ? buf_str(&j->complete.head->utf8_address) : NULL;
    j->t.eight_bit = j->complete.eight_bit;
    j->t.binary = j->complete.binary;
    j->t.size = j->complete.size;
    return true;
}

/* A session for the message, `reused` being the one that is there. False: no other is to be had, as all facts say then */
static bool
open_for(struct job *j)
{
    struct worker *w = j->w;
    struct status_fact fact;

    w->session.tls_info[0] = w->session.mechanism[0] =
        '\0'; /* what it logs of TLS and login is of this one */
    session_fact(&fact, STATUS_RESOLVE, STATUS_NETWORK, "no other mailhub is there any more");
    if (deliver_open(w, &fact)) {
        w->session_us = clock_us() - w->start_us - w->info.resolve_us - w->info.connect_us;
        return true;
    }
    settle_rest(j, &fact);
    return false;
}

/* The same once more, in other words or elsewhere */
static bool
try_again(struct job *j, bool reused)
{
    if (try_own_address(j) || try_without_utf8(j))
        return true;
    if (j->w->warm || !died_idle(j, reused))
        return deliver_turn_next(j->w, &j->t);
    for (size_t i = 0; i < j->t.n; i++)
        j->t.rcpt[i].done = false;
    return true;
}

static void
run_transaction(struct job *j)
{
    struct worker *w = j->w;
    int64_t begun = clock_us();

    w->warm = transaction_run(&w->session, &j->t);
    w->sent_us = clock_us() - begun;
    if (!w->warm)
        session_close(&w->session);
}

static void
send_message(struct job *j)
{
    struct worker *w = j->w;
    bool reused = w->warm && session_is_alive(&w->session), opened;

    if (reused && deliver_is_second_best(w))
        reused = false;
    if (w->warm && !reused) {
        deliver_hang_up(w);
        w->relay[0] = '\0';
    }
    for (;;) {
        w->start_us = clock_us();
        w->turn.others = false;
        opened = reused || open_for(j);
        if (!opened)
            break;
        if (!adapt(j))
            break;
        run_transaction(j);
        if (!try_again(j, reused))
            break;
        reused = w->warm;
    }
    deliver_turn_settle(w, &j->t, opened);
    tell_failures(j);
    for (size_t i = 0; i < j->t.n; i++)
        report(j, j->index[i], &j->t.rcpt[i].fact);
}

/* The bits of the job are for the recipients of the record that comes with it */
static bool
read_record(struct job *j, const struct job_packet *p, struct error *err)
{
    if (!record_read(p->fd, &j->record, err))
        return false;
    if (j->record.envelope.n == p->recipients)
        return true;
    error_set(err, ERROR_INTERNAL, "job: it is for %lu recipients, the record has %zu",
        (unsigned long)p->recipients, j->record.envelope.n);
    record_clear(&j->record);
    return false;
}

static void
run_job(struct worker *w, const struct job_packet *p)
{
    struct job j = { .w = w, .fd = p->fd };
    struct status_fact fact;
    struct error err;
    bool read, completed = false;

    w->verbose = p->flags & JOB_VERBOSE;
    w->waits = false;
    if (!w->warm)
        w->relay[0] = '\0'; /* else it is who answers on the warm connection */
    memset(&w->info, 0, sizeof w->info);
    w->session_us = w->sent_us = 0;
    buf_init(&j.paths, 64u << 20);
    read = read_record(&j, p, &err);
    if (read)
        settle_for(&j);
    if (read && make_envelope(&j, p, &err)) {
        j.record.smtputf8 = j.t.smtputf8;
        completed = complete_init(&j.complete, p->fd, &j.record, &j.settings, &err);
    }
    if (completed) {
        j.t.ret = j.record.envelope.ret;
        j.t.envid = j.record.envelope.envid;
        j.t.write = write_content;
        j.t.ctx = &j;
        if (w->is_direct)
            choose_domain(&j);
        j.t.probe = p->flags & JOB_NO_MESSAGE;
        if (j.t.n)
            send_message(&j);
        complete_clear(&j.complete);
    } else {
        enum status_cause cause = err.class == ERROR_REFUSED        ? STATUS_REFUSED
                                  : err.class == ERROR_DATA && read ? STATUS_MALFORMED
                                                                    : STATUS_TROUBLE;
        session_fact(&fact, STATUS_LOCAL, cause, "%s", err.text);
        report_all(&j, p, &fact);
    }
    show_done(&j);
    deliver_turn_end(w);
    if (read)
        record_clear(&j.record);
    free(j.t.rcpt);
    free(j.index);
    buf_clear(&j.paths);
}

/* Each step on a connection of its own, which nobody uses afterwards */
/* A step of a test */
static void
on_step(void *ctx, struct slice words)
{
    struct worker *w = ctx;
    char *text = mem_dupn(words.p, words.len);

    (void)job_send_text(w->sock, JOB_STEP, 0, text); /* nobody may be looking any more */
    free(text);
}

static void
run_test(struct worker *w, const struct job_packet *p)
{
    deliver_hang_up(w);
    avoid_clear(&w->avoid); /* the first one is what is to be seen */
    steps_init(&w->steps, on_step, w);
    w->options.steps = &w->steps;
    run_job(w, p);
    deliver_hang_up(w);
    w->options.steps = NULL;
    steps_clear(&w->steps);
}

/* Does a smarthost that failed work again? Nothing is sent. One that is not meant any more is no trouble of anybody's. */
static void
run_probe(struct worker *w, const struct job_packet *p)
{
    char *text, *relay = mem_dupn(p->text.p, p->text.len);
    struct status_fact fact;

    w->verbose = w->waits = false;
    deliver_hang_up(w);
    avoid_clear(&w->avoid);
    session_fact(&fact, STATUS_RESOLVE, STATUS_NETWORK, "not asked for any more");
    w->only = relay;
    text = deliver_open(w, &fact) ? mem_format("%s: works again", relay)
                                  : mem_format("%s: does not work yet: %s", relay, fact.text);
    (void)job_send_text(w->sock, JOB_LOG, 2, text); /* nobody may be looking any more */
    report_done(w, "");
    w->only = NULL;
    deliver_hang_up(w);
    free(text);
    free(relay);
}

/* Until something has come; false: it is another worker's. What ends unread is no attempt (ipc/job). */
static bool
may_read(const struct worker *w, const struct reach_kept *kept)
{
    struct pollfd p = { .fd = w->sock, .events = POLLIN };

    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    return !w->served || !reach_is_lost(kept);
}

void
deliver_run(int sock, const struct config *c, const struct reach_kept *kept)
{
    struct worker *w = mem_alloc(sizeof *w);
    char *buffer = mem_alloc(JOB_PACKET_MAX);
    struct job_packet p;
    struct error err;

    w->sock = sock;
    w->c = c;
    w->session.stream.fd = -1;
    bool ok = deliver_settle(w, &err);
    while (!w->is_mute && may_read(w, kept) && job_receive(sock, buffer, &p, &err) == 1) {
        if (p.type == JOB_AVOID)
            avoid_set(&w->avoid, p.text);
        if (p.type == JOB_LATE)
            avoid_set(&w->late, p.text);
        if (p.type == JOB_START && ok && (p.flags & JOB_TEST))
            run_test(w, &p);
        else if (p.type == JOB_START && ok)
            run_job(w, &p);
        else if (p.type == JOB_PROBE && ok)
            run_probe(w, &p);
        file_close(&p.fd);
        w->served = w->served || p.type == JOB_START;
        if (!ok && p.type != JOB_AVOID && p.type != JOB_LATE)
            break;
    }
    file_close(&w->sock); /* who waits for us need not wait for the last words */
    deliver_hang_up(w);
    for (size_t i = 0; i < w->nhubs; i++)
        free(w->hub[i].host);
    avoid_clear(&w->avoid);
    avoid_clear(&w->late);
    avoid_clear(&w->failed);
    avoid_clear(&w->passed);
    free(buffer);
    free(w);
}
