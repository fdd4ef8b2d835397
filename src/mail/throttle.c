/* SPDX-License-Identifier: ISC */
/* throttle: a table of codes and one of words, from what providers document and servers have in their sources. */
#include "mail/throttle.h"

#include <stddef.h>
#include <string.h>

/* Codes that mean nothing else */
static const char *const codes[] = {
    "4.7.28",  /* Gmail: unusual rate of mail */
    "4.7.500", /* Exchange Online: server busy, to senders that are throttled */
    "4.7.650", /* Outlook.com: rate limited for the address's reputation */
    "4.7.651",
};
enum { CODE_CONCURRENT = 432 }; /* Exchange: concurrent connections exceeded */

/*
 * Where the code says little (421, 450 4.2.1, 451 4.7.0, 452, 454), the words count. "too many" alone would be errors, hops and the
 * recipients of one transaction, which go in the next.
 */
static const char *const phrases[] = {
    "too many auth",
    "too many concurrent",
    "too many connections",
    "too many emails",
    "too many login", /* Gmail, 454 4.7.0 */
    "too many mails",
    "too many messages",
    "too many recipients from", /* Postfix's anvil; without "from" it is one transaction's */
    "too many requests",
    "too many sessions",
    "too many simultaneous",
    "too many smtp",  /* Exim: too many concurrent SMTP connections */
    "too much mail",  /* Postfix's anvil */
    "too fast",       /* Exim, mail.ru */
    "too quickly",    /* Gmail, 450 4.2.1 */
    "too frequently", /* QQ, 163 */
    "at a rate that", /* Gmail, 450 4.2.1 */
    "unusual rate",
    "unexpected volume", /* Yahoo, 421 4.7.0 TSS04 */
    "unusual volume",
    "rate limit", /* Outlook.com, OVH, Zoho */
    "rate-limit",
    "ratelimit",    /* Exim, rspamd */
    "sending rate", /* SES, 454 */
    "sending limit",
    "messaging limit", /* SendGrid, 451 */
    "connection limit",
    "connections limit",
    "concurrency limit",
    "hourly limit",
    "daily limit",
    "per hour",
    "per minute",
    "throttl", /* SES, 454 Throttling failure */
    "slow down",
    "slowing down",
};

static bool
has_phrase(struct slice words, const char *phrase)
{
    struct slice p = slice_of(phrase);

    for (size_t i = 0; i + p.len <= words.len; i++)
        if (slice_eq_nocase(slice_sub(words, i, p.len), p))
            return true;
    return false;
}

bool
throttle_is_said(int code, const char *enhanced, struct slice words)
{
    if (code < 400 || code > 499)
        return false;
    if (code == CODE_CONCURRENT)
        return true;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(enhanced, codes[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (has_phrase(words, phrases[i]))
            return true;
    return false;
}
