/* SPDX-License-Identifier: ISC */
/* status: one table from (stage, reply) to (scope, outcome); the classes are the exit codes of sendmail(8). */
#include "mail/status.h"

#include <stddef.h>

#define TEMPORARY                                   \
    {                                               \
        STATUS_ACCOUNT, STATUS_DEFERRED, ERROR_TEMP \
    }
#define MENDABLE                                   \
    {                                              \
        STATUS_ACCOUNT, STATUS_FROZEN, ERROR_ADMIN \
    }

/* what is no reply does not depend on the stage */
static const struct status causes[STATUS_CAUSES] = {
    [STATUS_NETWORK] = TEMPORARY,
    [STATUS_GARBAGE] = { STATUS_ACCOUNT, STATUS_DEFERRED, ERROR_PROTOCOL },
    [STATUS_CERTIFICATE] = MENDABLE,
    [STATUS_HANDSHAKE] = MENDABLE,
    [STATUS_NOT_OFFERED] = MENDABLE,
    [STATUS_REFUSED] = { STATUS_MESSAGE, STATUS_BOUNCED, ERROR_REFUSED },
    [STATUS_MALFORMED] = { STATUS_MESSAGE, STATUS_BOUNCED, ERROR_DATA },
    [STATUS_NOWHERE] = { STATUS_RECIPIENT, STATUS_BOUNCED, ERROR_NOUSER },
    [STATUS_TROUBLE] = TEMPORARY,
};

/* replies: which codes [from, to] at which stages [first, last]; the first row that fits counts */
static const struct {
    enum status_stage first, last;
    int from, to;
    struct status status;
} replies[] = {
    { STATUS_LOCAL, STATUS_END, 421, 421, TEMPORARY }, /* RFC 5321, 3.8: it goes away, whatever was asked */
    { STATUS_LOCAL, STATUS_END, 530, 538, MENDABLE },  /* RFC 4954, 6: never the message's fault */
    { STATUS_LOCAL, STATUS_AUTH, 500, 599, MENDABLE }, /* before MAIL nothing is said about a message */
    { STATUS_LOCAL, STATUS_AUTH, 400, 499, TEMPORARY },
    { STATUS_RCPT, STATUS_RCPT, 200, 299, { STATUS_RECIPIENT, STATUS_DELIVERED, ERROR_NONE } },
    { STATUS_RCPT, STATUS_RCPT, 552, 552,
        { STATUS_RECIPIENT, STATUS_DEFERRED, ERROR_TEMP } }, /* RFC 5321, 4.5.3.1.10 */
    { STATUS_RCPT, STATUS_RCPT, 400, 499, { STATUS_RECIPIENT, STATUS_DEFERRED, ERROR_TEMP } },
    { STATUS_RCPT, STATUS_RCPT, 500, 599, { STATUS_RECIPIENT, STATUS_BOUNCED, ERROR_NOUSER } },
    { STATUS_MAIL, STATUS_END, 400, 499, { STATUS_MESSAGE, STATUS_DEFERRED, ERROR_TEMP } },
    { STATUS_MAIL, STATUS_END, 500, 599, { STATUS_MESSAGE, STATUS_BOUNCED, ERROR_REFUSED } },
    { STATUS_END, STATUS_END, 200, 299, { STATUS_MESSAGE, STATUS_DELIVERED, ERROR_NONE } },
    /* anything else, 354 after the dot or 250 to DATA, is no answer to what was asked */
    { STATUS_LOCAL, STATUS_END, 0, 999, { STATUS_ACCOUNT, STATUS_DEFERRED, ERROR_PROTOCOL } },
};

struct status
status_judge(enum status_stage stage, enum status_cause cause, int code)
{
    if (cause != STATUS_REPLY && cause < STATUS_CAUSES)
        return causes[cause];
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++)
        if (stage >= replies[i].first && stage <= replies[i].last && code >= replies[i].from &&
            code <= replies[i].to)
            return replies[i].status;
    return causes[STATUS_GARBAGE];
}

struct status
status_judge_direct(enum status_stage stage, enum status_cause cause, int code)
{
    struct status s = status_judge(stage, cause, code);

    return s.outcome == STATUS_FROZEN ? (struct status)TEMPORARY : s;
}

bool
status_is_put_off(const struct status_fact *fact)
{
    enum status_outcome outcome;

    if (fact->cause != STATUS_REPLY || fact->stage < STATUS_MAIL || fact->code < 400 || fact->code > 599 ||
        fact->code == 421 || fact->maybe_sent)
        return false;
    outcome = status_judge(fact->stage, fact->cause, fact->code).outcome;
    return outcome == STATUS_DEFERRED || outcome == STATUS_FROZEN;
}

const char *
status_stage_name(enum status_stage stage)
{
    static const char *const names[STATUS_STAGES] = { "before sending", "name look-up", "connection", "TLS",
        "greeting", "EHLO", "STARTTLS", "AUTH", "MAIL FROM", "RCPT TO", "DATA", "message text",
        "end of data" };

    return stage < STATUS_STAGES ? names[stage] : "?";
}
