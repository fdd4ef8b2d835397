/* SPDX-License-Identifier: ISC */
/* control_json: a message as words for programs; smtprelay makes JSON of them. */
#include "daemon/control_list.h"

static const char *
state_word(char state)
{
    return state == ENVELOPE_DONE       ? "delivered"
           : state == ENVELOPE_FAILED   ? "refused"
           : state == ENVELOPE_RETURNED ? "returned"
                                        : "waiting";
}

void
control_message(const struct control_request *q, struct control_out *o, const struct record *r)
{
    char made[CONTROL_REASON_MAX];
    bool active = control_is_active(q, r->id);
    int64_t next = active ? 0 : control_next(q, r);

    control_line_begin(o);
    control_word_text(o, "id", r->id);
    control_word_text(o, "queue",
        q->filter.failed ? "failed"
        : r->is_held     ? "hold"
        : active         ? "active"
                         : "deferred");
    control_word_number(o, "arrival_time", r->time);
    control_word_number(o, "age", control_age(r));
    control_word_number(o, "size", (int64_t)r->content_size);
    control_word_text(o, "account", r->account);
    control_word_text(o, "sender", r->envelope.sender);
    control_word_text(o, "message_id", r->message_id);
    control_word_number(o, "uid", r->uid);
    control_word_text(o, "login", r->login);
    if (r->client && *r->client)
        control_word_text(o, "client", r->client);
    control_word_text(o, "program", r->program);
    control_word_text(o, "unit", r->unit);
    control_word_number(o, "attempts", r->attempts);
    if (r->last_try > 0)
        control_word_number(o, "last_attempt", r->last_try);
    if (next >= 0)
        control_word_number(o, "next_in", next);
    control_word_text(o, "reason", control_reason(q, r, made));
    for (size_t i = 0; i < r->envelope.n; i++) {
        control_word_object(o, "recipients");
        control_word_text(o, "address", r->envelope.rcpt[i].address);
        control_word_text(o, "state", state_word(r->envelope.rcpt[i].state));
    }
    control_line_end(o);
}
