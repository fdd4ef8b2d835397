/* SPDX-License-Identifier: ISC */
/* envelope: what RFC 5321 2.3.1 calls the envelope, with the DSN parameters of RFC 3461. */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RET of RFC 3461, 4.3 */
enum envelope_ret { ENVELOPE_RET_NONE, ENVELOPE_RET_FULL, ENVELOPE_RET_HDRS };

/* NOTIFY of RFC 3461, 4.1, as bits; 0 = not given */
enum { ENVELOPE_NEVER = 1, ENVELOPE_SUCCESS = 2, ENVELOPE_FAILURE = 4, ENVELOPE_DELAY = 8 };

/* What has become of a recipient; the letters stand in queue files. */
enum envelope_state {
    ENVELOPE_OPEN = '.',
    ENVELOPE_DONE = '+',
    ENVELOPE_FAILED = '-',   /* refused, and nobody was told */
    ENVELOPE_RETURNED = '!', /* refused or given up, and the sender was told, or did not want to be */
};

struct recipient {
    char *address;   /* without angle brackets; UTF-8 */
    unsigned notify; /* ENVELOPE_NEVER ... */
    char *orcpt;     /* decoded "type;address" of ORCPT (RFC 3461, 4.2), or NULL */
    char state;      /* enum envelope_state */
    uint64_t mark;   /* offset of the state in the queue file; record.c's */
};

struct envelope {
    char *sender; /* reverse-path without brackets; "" = null sender */
    enum envelope_ret ret;
    char *envid; /* decoded ENVID, or NULL */
    struct recipient *rcpt;
    size_t n;
    size_t cap;
};

void envelope_init(struct envelope *e);
void envelope_clear(struct envelope *e);
/* Replace the reverse-path (copied). */
void envelope_set_sender(struct envelope *e, const char *sender);
/* Append a recipient (strings copied, orcpt may be NULL), state OPEN. Returns its index. */
size_t envelope_add(struct envelope *e, const char *address, unsigned notify, const char *orcpt);
/* Recipients whose state is OPEN. */
size_t envelope_open(const struct envelope *e);
/* "NEVER", "SUCCESS,FAILURE" ... as NOTIFY writes it; "" for 0. */
const char *envelope_notify_text(unsigned notify);
/* The other way round, without case; false for anything RFC 3461 does not know ("never" stands alone). */
bool envelope_notify_parse(const char *text, size_t len, unsigned *notify);

#endif
