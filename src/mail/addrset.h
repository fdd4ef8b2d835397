/* SPDX-License-Identifier: ISC */
/* addrset: which addresses were there already. */
#ifndef MAIL_ADDRSET_H
#define MAIL_ADDRSET_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed is an empty one. */
struct addrset {
    const char **slot;
    size_t n, room;
};

void addrset_clear(struct addrset *s);
/* The same mailbox: the local part with case, the domain without it (RFC 5321, 2.4). */
bool addrset_has(const struct addrset *s, const char *address);
/* `address` is not copied and has to stay. False: it is there already. */
bool addrset_add(struct addrset *s, const char *address);

#endif
