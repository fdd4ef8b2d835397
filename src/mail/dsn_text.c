/* SPDX-License-Identifier: ISC */
/* dsn_text: sentences that need no knowledge of mail. Whoever was refused is told by whom, in which words, and what helps. */
#include "mail/dsn_text.h"

#include <string.h>

#include "base/text.h"
#include "mail/stamp.h"

enum {
    WIDTH = 72,
    WORD_MAX = 400,     /* a longer run without blanks is cut into lines */
    SHOWN_MAX = 100,    /* recipients; a report about thousands is read by programs */
    SHOWN_WORDS = 1000, /* of a reply */
    SHOWN_SUBJECT = 200,
};

/* ---------------------------------------------------------------- lines */

/* At most `max` bytes that end with a whole character */
static size_t
cut_at(struct slice s, size_t max)
{
    size_t n = s.len < max ? s.len : max;

    while (n > 0 && n < s.len && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return n ? n : s.len < max ? s.len : max;
}

static void
add_blanks(struct buf *out, size_t n)
{
    while (n--)
        buf_add_char(out, ' ');
}

/* Harmless text in lines, each indented */
static void
add_wrapped(struct buf *out, size_t indent, struct slice text)
{
    size_t column = 0;

    while (text.len) {
        size_t n = slice_find(text, ' ');
        struct slice word = slice_sub(text, 0, cut_at(slice_sub(text, 0, n), WORD_MAX));
        text = slice_from(text, word.len < n ? word.len : n + 1);
        if (word.len == 0)
            continue;
        if (column && column + 1 + word.len > WIDTH) {
            buf_add_str(out, "\r\n");
            column = 0;
        }
        if (column)
            buf_add_char(out, ' ');
        else
            add_blanks(out, indent);
        column = (column ? column + 1 : indent) + word.len;
        buf_add_slice(out, word);
    }
    buf_add_str(out, "\r\n");
}

static void
add_line(struct buf *out, size_t indent, const char *text)
{
    add_wrapped(out, indent, slice_of(text));
}

/* Somebody's bytes, made harmless */
static void
add_foreign(struct buf *out, size_t indent, struct slice s, size_t max)
{
    struct buf b;

    buf_init(&b, 64 + 4 * max);
    text_add_escaped(&b, slice_sub(s, 0, cut_at(s, max)));
    if (s.len > max)
        buf_add_str(&b, "...");
    add_wrapped(out, indent, buf_slice(&b));
    buf_clear(&b);
}

/* `format` with one %s, for somebody's bytes */
static void
add_about(struct buf *out, size_t indent, const char *format, struct slice s)
{
    struct buf b, all;

    buf_init(&b, 4000);
    buf_init(&all, 8000);
    text_add_escaped(&b, slice_sub(s, 0, cut_at(s, 600)));
    const char *place = strstr(format, "%s");
    buf_add(&all, format, (size_t)(place - format));
    buf_add_slice(&all, buf_slice(&b));
    buf_add_str(&all, place + 2);
    add_wrapped(out, indent, buf_slice(&all));
    buf_clear(&b);
    buf_clear(&all);
}

/* "5 days": rounded down, such that it is never more than it was */
static void
add_span(struct buf *out, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" } };

    if (seconds < 60)
        seconds = 60;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        int64_t n = seconds / units[i].seconds;
        if (n < 2 && i + 1 < sizeof units / sizeof units[0])
            continue;
        buf_add_format(out, "%lld %s%s", (long long)n, units[i].name, n == 1 ? "" : "s");
        return;
    }
}

/* ---------------------------------------------------------------- what to do */

struct slice
dsn_text_host(struct slice relay)
{
    size_t colon = slice_find_last(relay, ':');

    if (relay.len && relay.p[0] == '[')
        return slice_sub(relay, 1, slice_find(relay, ']') - 1);
    return slice_sub(relay, 0, colon);
}

bool
dsn_text_has(const struct dsn *d, enum dsn_action action)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->rcpt[i].action == action)
            return true;
    return false;
}

#define ADVICE_ADDRESS                                                                                     \
    "Check the address for typing mistakes. If it is right, the mailbox does not exist any more: ask the " \
    "person for another address."
#define ADVICE_ADMIN "If these words do not help you, show this message to the administrator of %s."
#define ADVICE_RULES                                                                                         \
    "The server has rules that do not let this message pass; sending it again as it is will not help. Show " \
    "this message to the administrator of %s."
#define ADVICE_SENDER                                                                                       \
    "The server does not take mail from your address. The administrator of %s can choose the address that " \
    "mail goes out with."
#define ADVICE_SIZE "The message is too large. Send it smaller, or a link in place of what is attached to it."
#define ADVICE_FULL \
    "The mailbox is full or switched off. Try again later, or reach the person in another way."

/* By the enhanced status code behind its class (RFC 3463): the first row that fits counts */
static const struct {
    const char *code;
    const char *advice; /* %s: the host */
} advices[] = {
    { ".1.7", ADVICE_SENDER },
    { ".1.8", ADVICE_SENDER },
    { ".1.2", "Check the part of the address behind the @: nobody takes mail for it." },
    { ".1.10", "Check the part of the address behind the @: nobody takes mail for it." },
    { ".1.", ADVICE_ADDRESS },
    { ".2.1", ADVICE_FULL },
    { ".2.2", ADVICE_FULL },
    { ".2.3", ADVICE_SIZE },
    { ".3.4", ADVICE_SIZE },
    { ".7.", ADVICE_RULES },
};

static const char *
advice_for(const struct dsn_recipient *r)
{
    struct slice code = slice_from(r->enhanced, 1);

    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        const char *row = advices[i].code;
        bool open = row[strlen(row) - 1] == '.';
        if (open ? slice_starts(code, row) : slice_is(code, row))
            return advices[i].advice;
    }
    if (r->enhanced.len == 0 && r->of_recipient && (r->code == 550 || r->code == 551 || r->code == 553))
        return ADVICE_ADDRESS;
    if (r->enhanced.len == 0 && r->code == 552)
        return ADVICE_SIZE;
    return ADVICE_ADMIN;
}

static void
add_advice(struct buf *out, const struct dsn *d, const struct dsn_recipient *r)
{
    const char *advice = r->is_expired
                             ? "Send it again later, or reach the person in another way. If "
                               "this happens with other recipients, too, tell the administrator of %s."
                             : advice_for(r);

    if (!r->is_expired && r->advice.len)
        add_foreign(out, 4, r->advice, SHOWN_WORDS);
    else if (strstr(advice, "%s"))
        add_about(out, 4, advice, d->hostname);
    else
        add_line(out, 4, advice);
}

/* ---------------------------------------------------------------- one recipient */

static void
add_why(struct buf *out, const struct dsn_recipient *r)
{
    struct slice host = dsn_text_host(r->relay);

    if (r->words.len == 0)
        return;
    if (r->code == 0)
        add_line(out, 4,
            r->is_expired || r->action == DSN_DELAYED ? "At the last attempt:" : "It cannot be sent:");
    else if (r->is_expired || r->action == DSN_DELAYED)
        add_about(out, 4, "The server %s said at the last attempt:", host);
    else if (r->of_recipient)
        add_about(out, 4, "The server %s refused this recipient and said:", host);
    else
        add_about(out, 4, "The server %s refused the message and said:", host);
    add_foreign(out, 8, r->words, SHOWN_WORDS);
}

static void
add_waited(struct buf *out, const struct dsn *d)
{
    struct buf b;

    buf_init(&b, 200);
    buf_add_str(&b, "It was tried for ");
    add_span(&b, d->now - d->arrival);
    buf_add_str(&b, " without success.");
    add_wrapped(out, 4, buf_slice(&b));
    buf_clear(&b);
}

static void
add_recipient(struct buf *out, const struct dsn *d, const struct dsn_recipient *r)
{
    add_about(out, 0, "<%s>", r->address);
    if (r->action == DSN_RELAYED) {
        add_about(out, 4, "The server %s has taken it.", dsn_text_host(r->relay));
        buf_add_str(out, "\r\n");
        return;
    }
    if (r->is_expired)
        add_waited(out, d);
    add_why(out, r);
    if (r->action == DSN_FAILED)
        add_advice(out, d, r);
    buf_add_str(out, "\r\n");
}

/* ---------------------------------------------------------------- the whole */

static void
add_intro(struct buf *out, const struct dsn *d, enum dsn_action action)
{
    static const char *const intro[] = {
        [DSN_FAILED] =
            "Your message could not be delivered to the recipients below, and is not tried again for them.",
        [DSN_DELAYED] =
            "Your message has not been delivered yet to the recipients below. You need not send it again: "
            "it is tried further, and you are told if it fails for good.",
        [DSN_RELAYED] =
            "Your message was passed on for the recipients below. You asked to be told of its delivery, but "
            "the server that has it now tells nobody: there will be no further word of success.",
    };
    struct buf b;

    add_line(out, 0, intro[action]);
    if (action == DSN_DELAYED && d->retry_until) {
        buf_init(&b, 200);
        buf_add_str(&b, "It is tried until ");
        stamp_date(&b, d->retry_until, d->zone_minutes);
        buf_add_char(&b, '.');
        add_wrapped(out, 0, buf_slice(&b));
        buf_clear(&b);
    }
    buf_add_str(out, "\r\n");
}

static void
add_section(struct buf *out, const struct dsn *d, enum dsn_action action)
{
    size_t shown = 0, left = 0;

    if (!dsn_text_has(d, action))
        return;
    add_intro(out, d, action);
    for (size_t i = 0; i < d->n; i++) {
        if (d->rcpt[i].action != action)
            continue;
        if (shown < SHOWN_MAX) {
            add_recipient(out, d, &d->rcpt[i]);
            shown++;
        } else {
            left++;
        }
    }
    if (left)
        buf_add_format(
            out, "... and %zu more recipients, named in the second part of this message.\r\n\r\n", left);
}

void
dsn_text_write(const struct dsn *d, struct slice subject, struct buf *out)
{
    add_about(out, 0, "This is the mail system at %s.", d->hostname);
    buf_add_str(out, "\r\n");
    add_section(out, d, DSN_FAILED);
    add_section(out, d, DSN_DELAYED);
    add_section(out, d, DSN_RELAYED);
    buf_add_str(out, "The message was handed in on ");
    stamp_date(out, d->arrival, d->zone_minutes);
    buf_add_str(out, subject.len ? " with the subject:\r\n" : ".\r\n");
    if (subject.len)
        add_foreign(out, 4, subject, SHOWN_SUBJECT);
    add_line(out, 0, d->full ? "It is attached." : "Its header is attached.");
    buf_add_str(out, "\r\n");
    add_line(out, 0, "This notice was made by a program; nobody reads what is sent in reply to it.");
}

void
dsn_text_write_summary(const struct dsn_summary *s, struct buf *out)
{
    struct slice rest = s->listed, line;

    add_about(out, 0, "This is the mail system at %s.", s->hostname);
    buf_add_format(out,
        "\r\n%zu more messages could not be delivered, too many to tell you of each.\r\n"
        "What was in the queue is kept for 30 days; the administrator sees it with\r\n"
        "`smtprelay queue --failed'.\r\n\r\n",
        s->count);
    while (slice_cut(&rest, '\n', &line))
        add_foreign(out, 4, line, 600);
    buf_add_str(out, "\r\n");
    add_line(out, 0, "This notice was made by a program; nobody reads what is sent in reply to it.");
}
