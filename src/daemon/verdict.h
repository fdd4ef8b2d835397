/* SPDX-License-Identifier: ISC */
/*
 * verdict: from what became of each recipient to what the caller is told: an exit code and one line; pure.
 *
 * Without a queue, some refused or deferred and the others served is 67 or 75 with a line that names the rest and says how many
 * have it; 75 before 67 before 69. With one it is 0, and the refused ones are named (sendmail(8), "EXIT STATUS").
 */
#ifndef DAEMON_VERDICT_H
#define DAEMON_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* One address the message had to go to. */
struct verdict_member {
    size_t recipient;       /* which recipient as the caller named it; aliases make several members of one */
    const char *address;    /* as it stood in RCPT TO */
    bool delivered;         /* the smarthost has taken it */
    bool of_recipient;      /* the failure is this recipient's own, not the message's or the smarthost's */
    enum error_class class; /* exit code of the failure */
    const char *text;       /* what the caller is told, "WHAT: WHY" */
};

struct verdict {
    enum error_class class; /* ERROR_NONE: all have it */
    struct buf text;        /* one line */
    char **
        refused; /* class ERROR_NONE: a line "address: why" for each recipient that was refused all the same, and
                    without a queue "alias (address): why" for each that aliases expanded and that only others got it under */
    size_t nrefused;
};

/*
 * `names[nrecipients]` are the recipients as the client named them. With a queue it is no failure that some were refused while
 * others were served. The text is bounded; verdict_clear frees it all.
 */
void verdict_make(struct verdict *v, const char *const *names, size_t nrecipients,
    const struct verdict_member *members, size_t nmembers, bool has_queue);
void verdict_clear(struct verdict *v);

#endif
