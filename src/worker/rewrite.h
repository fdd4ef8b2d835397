/* SPDX-License-Identifier: ISC */
/*
 * rewrite: which addresses a message may carry as its sender's (smtprelay.conf(5), "THE SENDER"): addresses get their domain, and
 * an address that the account may not use gives way to the account's own.
 *
 * Pure: values of fields in, values of fields out. Knows neither the order of fields nor how a field is encoded (worker/head does).
 */
#ifndef WORKER_REWRITE_H
#define WORKER_REWRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "mail/address.h"

enum rewrite_policy {
    REWRITE_QUALIFY, /* addresses get a domain, and that is all */
    REWRITE_KEEP,    /* and the sender's stays at the machine's own names, too */
    REWRITE_AUTO,    /* `from` in place of what the account may not use */
    REWRITE_FORCE    /* `from`, whatever stood there */
};

/* What the settings of an account say. */
struct rewrite {
    const char *hostname;
    const char *domain;     /* rewriteDomain; NULL: hostname qualifies, and no address is rewritten */
    char *const *own_names; /* the machine's; with `domain`, addresses at these become addresses at it */
    size_t nown;
    enum rewrite_policy policy;
    const char *from; /* the account's own address; NULL: auto and force are as qualify */
    char *const *allowed;
    size_t nallowed;    /* addresses and "@domain" */
    bool is_shared;     /* the domain of `from` belongs to many: it allows nothing */
    bool replaces_null; /* the smarthost takes no null sender */
};

/* "auto", "keep", "qualify", "force" without case; NULL and anything else: auto. */
enum rewrite_policy rewrite_policy_of(const char *text);
/* May addresses of the sender be replaced? */
bool rewrite_judges(const struct rewrite *r);
/* The same settings as they hold for the sender's own addresses: those of From, Sender, their Resent- kin, and of MAIL. */
struct rewrite rewrite_for_sender(const struct rewrite *r);

/*
 * An address qualified as the settings say, as a path without brackets, its domain as A-labels: added to `out`. *utf8 is set when
 * its local part needs SMTPUTF8. The null sender adds nothing. False with err (65).
 */
bool rewrite_path(
    const struct rewrite *r, const char *address, struct buf *out, bool *utf8, struct error *err);
/* The envelope's sender under the policy, to be given to rewrite_path(): `sender` or r->from; the null sender stays. */
const char *rewrite_sender(const struct rewrite *r, const char *sender);
/* What goes where the smarthost refuses the null sender; NULL: nothing. */
const char *rewrite_null_sender(const struct rewrite *r);

/*
 * The value of a field that is an address list, each address in it qualified: added to `out`. What is no address stays, as does
 * everything else, to the byte. *utf8 is set when one needs SMTPUTF8. False with err (65).
 */
bool rewrite_list(
    const struct rewrite *r, struct slice value, struct buf *out, bool *utf8, struct error *err);

/* The first address in the value of such a field that needs SMTPUTF8, as a path without brackets: added to `out`. */
void rewrite_find_utf8(struct slice value, struct buf *out);

/* What the policy makes of the value of a From field. */
struct rewrite_from {
    bool replaced;
    size_t mailboxes;    /* in it, groups counted by their members */
    struct buf value;    /* replaced: the new one, a single mailbox, with a blank in front */
    struct buf reply_to; /* replaced: real addresses of the old one, for Reply-To; may be empty */
    bool all_real;       /* replaced: they are all there was, so that nothing else has to be kept */
    bool utf8;           /* replaced: one of these needs SMTPUTF8 */
};

/*
 * Judge the value of a From (Sender, Resent-From, Resent-Sender) field; rewrite_judges() has to be true. `login`: the address whose
 * local part names the sender where the field names nobody. With `keep_utf8` addresses that need SMTPUTF8 may go to Reply-To.
 * rewrite_from_clear() frees the result.
 */
void rewrite_from(
    const struct rewrite *r, struct slice value, const char *login, bool keep_utf8, struct rewrite_from *out);
void rewrite_from_clear(struct rewrite_from *f);

#endif
