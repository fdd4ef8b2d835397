/* SPDX-License-Identifier: ISC */
/* control_list: what waits, message by message; shared by the parts of control, nobody else includes it. */
#ifndef DAEMON_CONTROL_LIST_H
#define DAEMON_CONTROL_LIST_H

#include "daemon/control_out.h"
#include "daemon/control_rate.h"

bool control_may_see(const struct control_request *q, const struct record *r);
bool control_is_active(const struct control_request *q, const char *id);
/* The account as the daemon knows it, NULL = it says nothing of it. */
const struct control_account *control_account(const struct control_request *q, const char *name);
/* Why it waits, as known best; "" = not known. `made` is where it stands if it had to be worded. */
const char *control_reason(
    const struct control_request *q, const struct record *r, char made[CONTROL_REASON_MAX]);
/* Seconds until about the next try; -1: not known */
int64_t control_next(const struct control_request *q, const struct record *r);
int64_t control_age(const struct record *r);
/* What to do about an error, added as one line; false where nothing is known. */
bool control_advise(const struct control_request *q, const char *reason, struct buf *out);

void control_list(const struct control_request *q, struct control_out *o, struct spool *s);
/* Also what a change would be about. False with err: a message that was asked for is not there. */
bool control_queue(
    const struct control_request *q, struct control_out *o, struct spool *s, struct error *err);
/* False with err: no such message. */
bool control_show(const struct control_request *q, struct control_out *o, struct spool *s, struct error *err);
/* control_status.c: what the end of the answer says, 0, 1 or 2 */
int control_status(const struct control_request *q, struct control_out *o, struct spool *s);

/* control_json.c: one message as words */
void control_message(const struct control_request *q, struct control_out *o, const struct record *r);

#endif
