/* SPDX-License-Identifier: ISC */
/*
 * addrlist: one state machine over bytes; it finds where mailboxes begin and end, mail/address judges them.
 *
 * A byte is looked at once and nothing is ever read again, so time is linear and the result does not depend on how the
 * input was cut. A malformed entry ends at the next separator.
 */
#include "mail/addrlist.h"

#include <string.h>

enum mode { MODE_PLAIN, MODE_QUOTED, MODE_COMMENT, MODE_LITERAL };

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
blame(struct addrlist *a, const char *why)
{
    if (!a->why)
        a->why = why;
}

/* Forget the words collected so far, but not the entry. */
static void
drop_text(struct addrlist *a)
{
    a->text_len = 0;
    a->has_loose_dot = a->has_at = a->is_long = a->pending_blank = false;
    a->item.spec.start = a->item.spec.end = a->pos;
}

static void
begin_entry(struct addrlist *a, size_t start)
{
    bool in_group = a->in_group;

    memset(&a->item, 0, sizeof a->item);
    a->item.entry.start = start;
    a->item.in_group = in_group;
    a->why = NULL;
    a->mode = MODE_PLAIN;
    a->escaped = a->in_angle = a->after_angle = a->has_token = false;
    a->depth = 0;
    drop_text(a);
}

void
addrlist_init(struct addrlist *a, unsigned flags, addrlist_fn *fn, void *ctx)
{
    a->fn = fn;
    a->ctx = ctx;
    a->flags = flags;
    a->pos = 0;
    a->in_group = false;
    error_init(&a->err);
    begin_entry(a, 0);
}

/* ---------------------------------------------------------------- an entry ends */

static struct slice
text_of(const struct addrlist *a)
{
    return slice_make(a->text, a->text_len);
}

static bool
judge(struct addrlist *a)
{
    if (!a->why && a->is_long)
        a->why = "it is too long";
    if (!a->why && a->has_loose_dot && !a->has_at)
        a->why = "a blank outside quotes";
    if (!a->why && a->text_len == 0)
        a->why = "it is empty";
    if (!a->why)
        return address_parse_spec(text_of(a), &a->item.address, &a->err);
    /* the parser of one address knows best how to show it */
    memset(&a->item.address, 0, sizeof a->item.address);
    return address_refuse(text_of(a), a->why, &a->err);
}

/* "a@x b@y": may its words be addresses? What has quotes or brackets in it was written with more care. */
static bool
is_blank_list(const struct addrlist *a)
{
    struct slice rest = text_of(a), word;
    size_t words = 0, at = 0;

    if (!(a->flags & ADDRLIST_BLANKS) || a->why || a->is_long || a->has_loose_dot || a->item.in_angle)
        return false;
    for (size_t i = 0; i < a->text_len; i++)
        if (strchr("\"\\[]", a->text[i]))
            return false;
    while (slice_cut(&rest, ' ', &word)) {
        words++;
        at += slice_has(word, '@');
    }
    return words > 1 && (at == words || (at == 0 && (a->flags & ADDRLIST_ARGUMENT)));
}

static void
tell_words(struct addrlist *a)
{
    struct slice rest = text_of(a), word;

    a->item.in_blanks = true;
    while (slice_cut(&rest, ' ', &word)) {
        a->item.error = address_parse_spec(word, &a->item.address, &a->err) ? NULL : &a->err;
        a->fn(a->ctx, &a->item);
    }
}

/* At a separator or the end; a->pos is its offset. */
static void
finish_entry(struct addrlist *a)
{
    a->item.entry.end = a->pos;
    if (is_blank_list(a)) {
        tell_words(a);
    } else if (a->has_token || a->why) {
        a->item.error = judge(a) ? NULL : &a->err;
        a->fn(a->ctx, &a->item);
    }
    begin_entry(a, a->pos + 1);
}

/* ---------------------------------------------------------------- bytes */

static void
add_byte(struct addrlist *a, char c)
{
    if (a->text_len == 0)
        a->item.spec.start = a->pos;
    a->item.spec.end = a->pos + 1;
    a->has_token = true;
    if (a->text_len < sizeof a->text)
        a->text[a->text_len++] = c;
    else
        a->is_long = true;
}

/*
 * A byte outside quotes. Blanks are free around '@' and '.' (RFC 5322 4.4); elsewhere they part the words of a phrase, and one
 * is kept, which no addr-spec survives.
 */
static void
add_word_byte(struct addrlist *a, char c)
{
    char last = a->text_len ? a->text[a->text_len - 1] : '@';

    if (a->after_angle)
        blame(a, "text behind the address");
    if (a->pending_blank && (last == '.' || c == '.'))
        a->has_loose_dot = true;
    else if (a->pending_blank && last != '@' && c != '@')
        add_byte(a, ' ');
    a->pending_blank = false;
    if (c == '@')
        a->has_at = true;
    add_byte(a, c);
}

static bool
is_route(const struct addrlist *a)
{
    return a->text_len > 0 && a->text[0] == '@';
}

static void
open_angle(struct addrlist *a)
{
    if (a->in_angle || a->after_angle) {
        blame(a, "unbalanced brackets");
        return;
    }
    if (a->text_len)
        a->item.name = a->item.spec;
    a->has_token = a->in_angle = a->item.in_angle = true;
    drop_text(a);
    a->item.spec.start = a->item.spec.end = a->pos + 1;
}

static void
close_angle(struct addrlist *a)
{
    if (!a->in_angle) {
        blame(a, "unbalanced brackets");
        a->has_token = true;
        return;
    }
    a->in_angle = false;
    a->after_angle = true;
    a->pending_blank = false;
}

static void
take_colon(struct addrlist *a)
{
    if (is_route(a)) {
        drop_text(a);
        a->item.spec.start = a->item.spec.end = a->pos + 1;
        return;
    }
    if (a->why || a->in_angle || a->after_angle || a->in_group || a->has_at) {
        blame(a, "a colon outside quotes");
        add_word_byte(a, ':');
        return;
    }
    a->in_group = true; /* what stands before it is the name of the group */
    begin_entry(a, a->pos + 1);
}

static void
take_comma(struct addrlist *a)
{
    if (a->in_angle && is_route(a) && !a->why) {
        add_word_byte(a, ',');
        return;
    }
    if (a->in_angle)
        blame(a, "unbalanced brackets");
    finish_entry(a);
}

/* It ends a group; elsewhere it parts addresses, as people who know it so from their mail program write, and as Postfix takes it */
static void
take_semicolon(struct addrlist *a)
{
    if (a->in_angle)
        blame(a, "unbalanced brackets");
    finish_entry(a);
    a->in_group = a->item.in_group = false;
}

static void
open_comment(struct addrlist *a)
{
    a->mode = MODE_COMMENT;
    a->depth = 1;
    a->item.comment.start = a->item.comment.end = a->pos;
    a->pending_blank = true;
}

static void
step_plain(struct addrlist *a, char c)
{
    switch (a->escaped ? 'x' : c) {
    case ',':
        take_comma(a);
        break;
    case ';':
        take_semicolon(a);
        break;
    case ':':
        take_colon(a);
        break;
    case '<':
        open_angle(a);
        break;
    case '>':
        close_angle(a);
        break;
    case '(':
        open_comment(a);
        break;
    case '"':
        add_word_byte(a, c);
        a->mode = MODE_QUOTED;
        break;
    case '[': /* a literal only where a domain begins: names may hold brackets */
        if (a->text_len && a->text[a->text_len - 1] == '@')
            a->mode = MODE_LITERAL;
        add_word_byte(a, c);
        break;
    default:
        if (!a->escaped && is_blank(c))
            a->pending_blank = true;
        else
            add_word_byte(a, c);
    }
    a->escaped = !a->escaped && c == '\\';
}

static void
step_quoted(struct addrlist *a, char c)
{
    if (c == '\r' || c == '\n')
        return; /* unfolded (RFC 5322 3.2.4) */
    add_byte(a, c);
    if (!a->escaped && c == '"')
        a->mode = MODE_PLAIN;
    a->escaped = !a->escaped && c == '\\';
}

static void
step_literal(struct addrlist *a, char c)
{
    if (is_blank(c))
        return;
    add_byte(a, c);
    if (c == ']')
        a->mode = MODE_PLAIN;
}

static void
step_comment(struct addrlist *a, char c)
{
    if (a->escaped)
        ;
    else if (c == '(')
        a->depth++;
    else if (c == ')' && --a->depth == 0)
        a->mode = MODE_PLAIN;
    a->escaped = !a->escaped && c == '\\';
    a->item.comment.end = a->pos + 1;
}

void
addrlist_push(struct addrlist *a, struct slice s)
{
    for (size_t i = 0; i < s.len; i++, a->pos++) {
        char c = s.p[i];
        if (ascii_is_control(c) && c != '\t' && (a->flags & ADDRLIST_ARGUMENT)) {
            blame(a, "a control character");
            add_byte(a, c);
            continue;
        }
        if (a->mode == MODE_PLAIN)
            step_plain(a, c);
        else if (a->mode == MODE_QUOTED)
            step_quoted(a, c);
        else if (a->mode == MODE_COMMENT)
            step_comment(a, c);
        else
            step_literal(a, c);
    }
}

void
addrlist_end(struct addrlist *a)
{
    if (a->mode == MODE_QUOTED)
        blame(a, "unbalanced quotes");
    else if (a->mode != MODE_PLAIN || a->in_angle)
        blame(a, "unbalanced brackets");
    finish_entry(a);
    addrlist_init(a, a->flags, a->fn, a->ctx);
}
