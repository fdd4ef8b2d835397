/* SPDX-License-Identifier: ISC */
/*
 * standing: what others see of a machine that delivers directly: the address it comes from, the name of that address, and who its
 * sender's domain says may send for it. Advice for `smtprelay check`, which executes the worker for it.
 */
#ifndef WORKER_STANDING_H
#define WORKER_STANDING_H

#include <stdint.h>

#include "base/buf.h"

/*
 * Lines into `out`: "  text" is how it is, "! text" what is missing. `hostname` is the name in EHLO, `domain` the sender's;
 * `source` is SourceAddress (NULL: none). Name servers have until `deadline` for all of it.
 */
void standing_look(
    const char *hostname, const char *domain, const char *source, int64_t deadline, struct buf *out);

/* Is the address one that others cannot see (RFC 1918, 6598, 4193, loopback, link-local)? */
bool standing_is_private(const char *address);
/* Does an SPF record name the address itself, by ip4 or ip6 (RFC 7208, 5.6)? */
bool standing_spf_names(struct slice record, const char *address);
/* Has it parts that name servers would have to be asked about? */
bool standing_spf_asks_on(struct slice record);

#endif
