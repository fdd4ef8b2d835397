/* SPDX-License-Identifier: ISC */
/*
 * mx: which hosts take the mail of a domain, in the order to try them (RFC 5321, 5.1; RFC 7505).
 */
#ifndef SMTP_MX_H
#define SMTP_MX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "smtp/answer.h"

#define MX_MAX 64 /* of more the preferred ones count */

struct mx_host {
    char name[ANSWER_NAME_SIZE]; /* "[192.0.2.1]" is given without brackets */
    unsigned preference;
    uint32_t chance; /* equal ones in the order of this */
};

struct mx_list {
    struct mx_host host[MX_MAX];
    size_t n;
    bool is_implicit; /* the domain has no MX: its own address counts */
    bool is_secure;   /* DNSSEC has proved that these are the hosts, and that may be believed */
    bool has_records; /* while it is read: there were some, of use or not */
    bool is_null;     /* while it is read: a record that says that there is no mail */
    bool has_own;     /* while it is read: one of the hosts was this machine */
};

/* MX_FOUND: at least one host. All others with err, MX_UNKNOWN alone being no word about the domain. */
enum mx_outcome {
    MX_FOUND,
    MX_UNKNOWN,   /* the name service does not say */
    MX_NO_DOMAIN, /* there is no such domain */
    MX_NULL,      /* it takes no mail */
    MX_LOOP,      /* it is this machine that is to take it */
};

struct mx_options {
    char *const *own; /* names of this machine: they and all that is not preferred to them are left out */
    size_t nown;
    const char *servers; /* as resolve_new */
};

/* `domain` as A-labels, or an address literal in brackets. Its address is not looked up: that is the connection's part. */
enum mx_outcome mx_find(const char *domain, const struct mx_options *o, int64_t deadline,
    struct mx_list *list, struct error *err);

/* The same for a name server's answer, without the question. Pure but for the chance among equals. */
enum mx_outcome mx_read(struct slice message, const char *domain, const struct mx_options *o,
    struct mx_list *list, struct error *err);

#endif
