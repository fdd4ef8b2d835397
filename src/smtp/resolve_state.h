/* SPDX-License-Identifier: ISC */
/* resolve_state: what the parts of resolve share; nobody else includes it. */
#ifndef SMTP_RESOLVE_STATE_H
#define SMTP_RESOLVE_STATE_H

#include "smtp/resolve.h"

/* resolve_files.c */
/* Beyond RESOLVE_MAX they are left out. */
void resolve_add(struct resolve_addresses *out, const struct resolve_address *a);
/* Those of /etc/hosts; for localhost, also without an entry (RFC 6761, 6.3). */
void resolve_from_hosts(const char *host, struct resolve_addresses *out);

#endif
