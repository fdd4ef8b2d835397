/* SPDX-License-Identifier: ISC */
/* step: collects words, measures time; knows no protocol. */
#include "smtp/step.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { HEAD_MAX = 5000, LISTS_MAX = 9000, VALUE_MAX = 1200 };

void
steps_init(struct steps *s, void (*tell)(void *ctx, struct slice words), void *ctx)
{
    memset(s, 0, sizeof *s);
    s->tell = tell;
    s->ctx = ctx;
    buf_init(&s->head, HEAD_MAX);
    buf_init(&s->lists, LISTS_MAX);
    s->begun_us = clock_us();
}

void
steps_clear(struct steps *s)
{
    buf_clear(&s->head);
    buf_clear(&s->lists);
}

void
steps_begin(struct steps *s)
{
    if (!s)
        return;
    buf_reset(&s->head);
    buf_reset(&s->lists);
    s->begun_us = clock_us();
}

/* All of a word or, where the line is full, neither it nor any behind it */
static void
add_word(struct buf *to, char type, const char *key, struct slice value)
{
    char shown[VALUE_MAX];
    struct buf word;

    buf_init(&word, 4 * VALUE_MAX);
    buf_add_format(&word, " %c.%s=", type, key);
    text_percent_encode(&word, slice_make(shown, text_escape(shown, sizeof shown, value)));
    if (!to->overflow)
        buf_add_slice(to, buf_slice(&word));
    buf_clear(&word);
}

static void
add_number(struct buf *to, const char *key, int64_t number)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, "%lld", (long long)number);
    add_word(to, 'n', key, slice_of(digits));
}

void
steps_text(struct steps *s, const char *key, struct slice text)
{
    if (s)
        add_word(&s->head, 's', key, text);
}

void
steps_number(struct steps *s, const char *key, int64_t number)
{
    if (s)
        add_number(&s->head, key, number);
}

void
steps_flag(struct steps *s, const char *key, bool flag)
{
    if (s)
        add_word(&s->head, 'b', key, slice_of(flag ? "1" : "0"));
}

void
steps_item(struct steps *s, const char *list)
{
    if (s)
        add_word(&s->lists, '+', list, slice_of(""));
}

void
steps_item_text(struct steps *s, const char *key, struct slice text)
{
    if (s)
        add_word(&s->lists, 's', key, text);
}

void
steps_item_number(struct steps *s, const char *key, int64_t number)
{
    if (s)
        add_number(&s->lists, key, number);
}

void
steps_note(struct steps *s, const char *format, ...)
{
    char text[VALUE_MAX];
    va_list ap;

    if (!s)
        return;
    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap); /* cut is fine */
    va_end(ap);
    steps_item(s, "notes");
    steps_item_text(s, "text", slice_of(text));
}

/* ---------------------------------------------------------------- the end of a step */

static void
tell(struct steps *s, const char *name, bool ok, struct slice text, const struct buf *more)
{
    struct buf line;

    buf_init(&line, STEP_LINE_MAX);
    buf_add_format(&line, "s.step=%s b.ok=%d n.us=%lld", name, ok, (long long)(clock_us() - s->begun_us));
    add_word(&line, 's', "text", text);
    buf_add_slice(&line, buf_slice(more));
    buf_add_slice(&line, buf_slice(&s->head));
    buf_add_slice(&line, buf_slice(&s->lists));
    s->tell(s->ctx, buf_slice(&line));
    buf_clear(&line);
    steps_begin(s);
}

void
steps_done(struct steps *s, const char *name, unsigned round_trips, const char *format, ...)
{
    char text[VALUE_MAX];
    struct buf more;
    va_list ap;

    if (!s)
        return;
    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap); /* cut is fine */
    va_end(ap);
    buf_init(&more, 100);
    add_number(&more, "round_trips", round_trips);
    tell(s, name, true, slice_of(text), &more);
    buf_clear(&more);
}

static const char *
name_of(const struct steps *s, enum status_stage stage)
{
    static const char *const names[STATUS_STAGES] = { [STATUS_LOCAL] = "message",
        [STATUS_RESOLVE] = "names",
        [STATUS_CONNECT] = "connection",
        [STATUS_TLS] = "tls",
        [STATUS_GREETING] = "greeting",
        [STATUS_EHLO] = "ehlo",
        [STATUS_STARTTLS] = "starttls",
        [STATUS_AUTH] = "login",
        [STATUS_MAIL] = "mail",
        [STATUS_RCPT] = "rcpt",
        [STATUS_DATA] = "data",
        [STATUS_CONTENT] = "data",
        [STATUS_END] = "message" };

    if (stage == STATUS_CONNECT && !s->has_names)
        return "names";
    return stage < STATUS_STAGES && names[stage] ? names[stage] : "message";
}

static const char *
cause_of(const struct status_fact *f)
{
    static const char *const causes[STATUS_CAUSES] = { [STATUS_REPLY] = "reply",
        [STATUS_NETWORK] = "network",
        [STATUS_GARBAGE] = "garbage",
        [STATUS_CERTIFICATE] = "certificate",
        [STATUS_HANDSHAKE] = "handshake",
        [STATUS_NOT_OFFERED] = "not-offered",
        [STATUS_REFUSED] = "refused",
        [STATUS_NOWHERE] = "nowhere",
        [STATUS_MALFORMED] = "malformed",
        [STATUS_TROUBLE] = "trouble" };

    if (f->silent || (f->cause == STATUS_NETWORK && strstr(f->text, "in time")))
        return "timeout";
    return f->cause < STATUS_CAUSES && causes[f->cause] ? causes[f->cause] : "trouble";
}

void
steps_failed(struct steps *s, const struct status_fact *fact)
{
    struct buf more;

    if (!s)
        return;
    buf_init(&more, 300);
    add_word(&more, 's', "cause", slice_of(cause_of(fact)));
    if (fact->cause == STATUS_REPLY)
        add_number(&more, "code", fact->code);
    if (*fact->enhanced)
        add_word(&more, 's', "enhanced", slice_of(fact->enhanced));
    if (fact->maybe_sent)
        add_word(&more, 'b', "maybe_sent", slice_of("1"));
    if (fact->maybe_sent)
        steps_note(s, "the message may have been sent");
    tell(s, name_of(s, fact->stage), false, slice_of(fact->text), &more);
    buf_clear(&more);
}
