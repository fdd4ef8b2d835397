/* SPDX-License-Identifier: ISC */
/* explain_codes: reply codes (RFC 5321, 4.2; RFC 4954, 4.7; RFC 7504) and enhanced status codes (RFC 3463 and its registry) in words. */
#include "mail/explain.h"

#include <string.h>

#include "mail/explain_text.h"

struct meaning {
    const char *code;
    const char *text;
};

static const struct meaning replies[] = {
    { "220", "the server is ready" },
    { "221", "the server closes the connection, as it should" },
    { "235", "the login was accepted" },
    { "250", "done, as it was asked for" },
    { "251", "the recipient is elsewhere; the server passes it on" },
    { "252", "the server does not say whether the recipient exists, but takes mail for it" },
    { "334", "the login goes on" },
    { "354", "the server waits for the message" },
    { "421", "the server closes the connection; it is busy, goes down, or has had enough for now" },
    { "422", "the recipient's mailbox is full" },
    { "430", "the server does not know the mailbox now" },
    { "432", "a new password is needed" },
    { "450", "the mailbox is not available now: in use, or held back for a while" },
    { "451", "the server failed while it worked on this" },
    { "452", "the server has not enough room, or takes no more recipients at once" },
    { "454", "login or TLS is not available now" },
    { "455", "the server cannot serve these parameters now" },
    { "500", "the server did not understand the command" },
    { "501", "the server did not understand a parameter" },
    { "502", "the server does not have this command" },
    { "503", "the command came out of turn; often a login is missing" },
    { "504", "the server does not have this parameter" },
    { "521", "this host takes no mail" },
    { "523", "the server refused what was asked for as too large" },
    { "524", "the mailing list cannot be reached" },
    { "525", "the user account is disabled" },
    { "530", "the server wants a login, or TLS, first" },
    { "534", "the mechanism is too weak for the server, or the account needs another way to log in" },
    { "535", "name or password are wrong, or logins of this kind are switched off" },
    { "538", "the mechanism needs TLS" },
    { "541", "the server refuses the message as spam" },
    { "550", "the server does not take it: no such mailbox, or not allowed" },
    { "551", "the recipient is elsewhere and the server does not pass it on" },
    { "552", "too large, or the mailbox has no room" },
    { "553", "the address is not allowed, or malformed" },
    { "554", "the server refuses the transaction" },
    { "555", "the server does not know a parameter of MAIL or RCPT" },
    { "556", "the recipient's domain takes no mail" },
};

static const struct meaning classes[] = {
    { "2", "success" },
    { "3", "the server waits for more" },
    { "4", "temporary: it is tried again" },
    { "5", "permanent: trying again will not help until something is mended" },
};

/* subject and detail, RFC 3463, 3; RFC 3886, 4468, 4865, 4954, 5248, 6710, 7372, 7504, 7505, 8616 */
static const struct meaning details[] = {
    { "0.0", "nothing more is said" },
    { "1.0", "something is wrong with an address" },
    { "1.1", "there is no such mailbox" },
    { "1.2", "there is no such host or domain behind the @" },
    { "1.3", "the address is malformed" },
    { "1.4", "the address is ambiguous" },
    { "1.5", "the address is valid" },
    { "1.6", "the mailbox has moved and nobody says where to" },
    { "1.7", "the sender's address is malformed" },
    { "1.8", "the sender's address has a domain that does not exist" },
    { "1.9", "it was passed on to a system that sends no reports" },
    { "1.10", "the recipient's domain takes no mail (null MX)" },
    { "2.0", "something is wrong with the mailbox" },
    { "2.1", "the mailbox is switched off" },
    { "2.2", "the mailbox is full" },
    { "2.3", "the message is larger than the mailbox allows" },
    { "2.4", "a mailing list cannot be expanded" },
    { "3.0", "something is wrong with the recipient's mail system" },
    { "3.1", "the recipient's mail system is full" },
    { "3.2", "the system takes no messages, for example while it goes down" },
    { "3.3", "the system lacks a feature that is needed" },
    { "3.4", "the message is too large for the system" },
    { "3.5", "the system is configured wrongly" },
    { "3.6", "the requested priority was changed" },
    { "4.0", "something is wrong with the network or the routing" },
    { "4.1", "the host does not answer" },
    { "4.2", "the connection is bad, or was lost" },
    { "4.3", "the directory or name server failed" },
    { "4.4", "the route is not known: names cannot be resolved" },
    { "4.5", "the system is congested" },
    { "4.6", "the mail goes in a loop" },
    { "4.7", "the delivery took too long" },
    { "5.0", "something is wrong with the protocol" },
    { "5.1", "a command out of turn or not known" },
    { "5.2", "a syntax error" },
    { "5.3", "too many recipients" },
    { "5.4", "wrong arguments of a command" },
    { "5.5", "the wrong version of the protocol" },
    { "5.6", "a line of the login is too long" },
    { "6.0", "something is wrong with the content" },
    { "6.1", "the kind of content is not supported" },
    { "6.2", "conversion is needed but not allowed" },
    { "6.3", "conversion is needed but not supported" },
    { "6.4", "conversion lost something" },
    { "6.5", "conversion failed" },
    { "6.6", "the content is not available" },
    { "6.7", "an address that is not ASCII is not allowed there" },
    { "6.8", "a reply that is not ASCII is needed but not allowed" },
    { "6.9", "a header that is not ASCII cannot go on" },
    { "7.0", "refused by a rule of the server" },
    { "7.1", "not allowed: the server does not take this mail from this sender or host" },
    { "7.2", "the mailing list does not take mail from this sender" },
    { "7.3", "conversion for security is not possible" },
    { "7.4", "a security feature is not supported" },
    { "7.5", "cryptography failed" },
    { "7.6", "a cryptographic algorithm is not supported" },
    { "7.7", "the message was changed on its way" },
    { "7.8", "name or password are wrong" },
    { "7.9", "the mechanism is too weak" },
    { "7.10", "encryption is needed" },
    { "7.11", "the mechanism needs encryption" },
    { "7.12", "a new password is needed" },
    { "7.13", "the user account is disabled" },
    { "7.14", "a trust relationship is needed" },
    { "7.15", "the priority is too low" },
    { "7.16", "the message is too large for its priority" },
    { "7.17", "the mailbox has another owner now" },
    { "7.18", "the domain has another owner now" },
    { "7.19", "the test of the owner cannot be made" },
    { "7.20", "no valid DKIM signature" },
    { "7.21", "no acceptable DKIM signature" },
    { "7.22", "no valid DKIM signature of the author's domain" },
    { "7.23", "SPF says that this host may not send for the domain" },
    { "7.24", "SPF of the domain cannot be evaluated" },
    { "7.25", "the address of the sending host has no matching name (reverse DNS)" },
    { "7.26", "several checks of the sender failed (SPF, DKIM, DMARC)" },
    { "7.27", "the sender's domain says that it takes no mail (null MX)" },
    { "7.28", "too much mail of this kind: it looks like a flood" },
    { "7.29", "ARC validation failed" },
    { "7.30", "REQUIRETLS is needed" },
};

static const char *const subjects[] = { "nothing more is said", "something is wrong with an address",
    "something is wrong with the mailbox", "something is wrong with the mail system",
    "something is wrong with the network", "something is wrong with the protocol",
    "something is wrong with the content", "refused for a reason of security or policy" };

static const char *
find(const struct meaning *all, size_t n, struct slice code)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is(code, all[i].code))
            return all[i].text;
    return NULL;
}

static const char *
meaning_of_detail(struct slice detail)
{
    const char *text = find(details, sizeof details / sizeof details[0], detail);
    size_t subject = detail.len ? (size_t)(detail.p[0] - '0') : 0;

    if (text)
        return text;
    return detail.len > 1 && detail.p[1] == '.' && subject < sizeof subjects / sizeof subjects[0]
               ? subjects[subject]
               : "a code of the server's own";
}

bool
explain_codes(struct slice text, struct buf *out)
{
    struct explain_text read;
    char code[4] = "";
    const char *known;
    bool found;

    explain_text_init(&read, text);
    if (read.code) {
        code[0] = (char)('0' + read.code / 100);
        code[1] = (char)('0' + read.code / 10 % 10);
        code[2] = (char)('0' + read.code % 10);
        known = find(replies, sizeof replies / sizeof replies[0], slice_of(code));
        buf_add_format(out, "%s: %s%s", code, known ? known : "", known ? "; " : "");
        known = find(classes, sizeof classes / sizeof classes[0], slice_make(code, 1));
        buf_add_str(out, known ? known : "");
    }
    if (read.enhanced.len) {
        buf_add_str(out, read.code ? ". " : "");
        buf_add_slice(out, read.enhanced);
        buf_add_format(out, ": %s", meaning_of_detail(slice_from(read.enhanced, 2)));
        known = find(classes, sizeof classes / sizeof classes[0], slice_sub(read.enhanced, 0, 1));
        if (!read.code && known)
            buf_add_format(out, "; %s", known);
    }
    found = read.code || read.enhanced.len;
    explain_text_clear(&read);
    return found;
}
