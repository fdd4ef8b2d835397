/* SPDX-License-Identifier: ISC */
/* address: checks and cuts one mail address; pure, one pass over each part, borrows everything from its input. */
#include "mail/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"

bool
address_refuse(struct slice in, const char *why, struct error *err)
{
    char shown[300];

    text_escape(shown, sizeof shown, in);
    return error_set(err, ERROR_DATA, "address '%s': %s", shown, why);
}

static bool
is_atext(char c)
{
    if (ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80)
        return true;
    return c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---------------------------------------------------------------- what is refused anywhere */

/* Well-formed UTF-8 without control characters; the C1 ones (U+0080 to U+009F) count. */
static const char *
check_bytes(struct slice s)
{
    while (s.len) {
        size_t n = text_utf8_length(s);
        if (n == 0)
            return "malformed UTF-8";
        if (ascii_is_control(s.p[0]) || (n == 2 && s.p[0] == '\xC2' && (unsigned char)s.p[1] < 0xA0))
            return "a control character";
        s = slice_from(s, n);
    }
    return NULL;
}

/* ---------------------------------------------------------------- local part */

/* Walks what a local part means: quotes vanish, a backslash stands for what follows it. */
struct walk {
    struct slice rest;
    bool in_quotes;
};

static bool
walk_next(struct walk *w, char *c)
{
    while (w->rest.len) {
        *c = w->rest.p[0];
        w->rest = slice_from(w->rest, 1);
        if (*c == '"') {
            w->in_quotes = !w->in_quotes;
            continue;
        }
        if (*c == '\\' && w->in_quotes && w->rest.len) {
            *c = w->rest.p[0];
            w->rest = slice_from(w->rest, 1);
        }
        return true;
    }
    return false;
}

static struct walk
walk_of(const struct address *a)
{
    struct walk w = { a->local, false };

    return w;
}

/*
 * How the local part must be written: its length there, and whether in quotes. RFC 5321 4.1.2 has no `a..b` outside of
 * them, whatever we read.
 */
static size_t
written_local(const struct address *a, bool *quoted)
{
    struct walk w = walk_of(a);
    size_t len = 0, escapes = 0;
    char c, last = '.';
    bool atoms = true;

    for (; walk_next(&w, &c); last = c, len++) {
        if (c == '"' || c == '\\')
            escapes++;
        if (c == '.' ? last == '.' : !is_atext(c))
            atoms = false;
    }
    *quoted = !atoms || last == '.';
    return *quoted ? len + escapes + 2 : len;
}

/* The end of the local part: the first '@' outside quotes, or all. Words in quotes stand between dots. */
static const char *
scan_local(struct slice in, size_t *end, bool *has_quotes)
{
    bool quoted = false, closed = false;
    size_t i;

    *has_quotes = false;
    for (i = 0; i < in.len && (quoted || in.p[i] != '@'); i++) {
        char c = in.p[i];
        if (quoted) {
            if (c == '\\' && ++i >= in.len)
                return "unbalanced quotes";
            if (c == '"')
                quoted = false, closed = true;
            continue;
        }
        if (closed && c != '.')
            return "text behind a quoted string";
        closed = false;
        if (c == '"') {
            if (i > 0 && in.p[i - 1] != '.')
                return "a quote inside a word";
            quoted = *has_quotes = true;
        } else if (is_blank(c)) {
            return "a blank outside quotes";
        } else if (c != '.' && !is_atext(c)) {
            return strchr("<>()[]", c) ? "a bracket outside quotes" : "a character that needs quotes";
        }
    }
    *end = i;
    return quoted ? "unbalanced quotes" : NULL;
}

/* ---------------------------------------------------------------- domain */

/* A tag and what stands behind it (RFC 5321 4.1.3); quotes and brackets there would only serve to confuse a peer. */
static const char *
check_tagged(struct slice s)
{
    size_t colon = slice_find(s, ':');

    if (colon == 0 || colon + 1 >= s.len)
        return "a malformed address literal";
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && (i < colon || (c != ':' && c != '.')))
            return "a malformed address literal";
    }
    return NULL;
}

static const char *
check_literal(struct slice domain)
{
    struct slice s = slice_sub(domain, 1, domain.len - 2);
    unsigned char ip[16];
    char text[64] = "";
    int family = AF_INET;

    if (domain.len < 2 || domain.p[domain.len - 1] != ']')
        return "unbalanced brackets";
    if (slice_has(s, ':') && !slice_starts_nocase(s, "IPv6:"))
        return check_tagged(s);
    if (slice_starts_nocase(s, "IPv6:")) {
        family = AF_INET6;
        s = slice_from(s, 5);
    }
    if (s.len == 0 || s.len >= sizeof text)
        return "a malformed address literal";
    memcpy(text, s.p, s.len);
    return inet_pton(family, text, ip) == 1 ? NULL : "a malformed address literal";
}

static const char *
check_labels(struct slice domain)
{
    size_t label = 0;

    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.p[i];
        if (c == '@')
            return "more than one '@'";
        if (is_blank(c))
            return "a blank in the domain";
        if (c != '.' && c != '-' && c != '_' && !ascii_is_alpha(c) && !ascii_is_digit(c) &&
            (unsigned char)c < 0x80)
            return strchr("<>()[]", c) ? "a bracket in the domain" : "a bad character in the domain";
        if (c == '.' && label == 0)
            return "an empty label in the domain";
        label = c == '.' ? 0 : label + 1;
        /* the limit of RFC 1035 is one of A-labels; U-labels are judged when they become some */
        if (label > 63 && text_is_ascii(domain))
            return "a label of the domain is longer than 63 octets";
    }
    return NULL;
}

static const char *
parse_domain(struct slice s, struct address *out)
{
    /* `example.org.` is how resolvers write it; no server wants the dot */
    if (s.len > 1 && s.p[s.len - 1] == '.' && s.p[s.len - 2] != '.')
        s.len--;
    out->has_domain = true;
    out->domain = s;
    out->is_utf8_domain = !text_is_ascii(s);
    if (s.len == 0 || slice_is(s, "."))
        return "the domain is empty";
    if (s.len > ADDRESS_DOMAIN_MAX)
        return "the domain is longer than 255 octets";
    out->is_literal = s.p[0] == '[';
    return out->is_literal ? check_literal(s) : check_labels(s);
}

/* ---------------------------------------------------------------- an addr-spec */

static const char *
parse_local(struct slice s, struct address *out)
{
    bool quoted;
    size_t len;

    out->local = s;
    out->is_utf8_local = !text_is_ascii(s);
    if (s.len > 2 * ADDRESS_LOCAL_MAX + 2)
        return "the local part is longer than 64 octets";
    len = written_local(out, &quoted);
    if (len == (quoted ? 2 : 0))
        return "the local part is empty";
    return len > ADDRESS_LOCAL_MAX ? "the local part is longer than 64 octets" : NULL;
}

static const char *
parse_spec(struct slice in, struct address *out)
{
    const char *why = check_bytes(in);
    bool quoted;
    size_t end;

    memset(out, 0, sizeof *out);
    if (!why)
        why = scan_local(in, &end, &out->is_quoted);
    if (!why)
        why = parse_local(slice_sub(in, 0, end), out);
    if (!why && end < in.len)
        why = parse_domain(slice_from(in, end + 1), out);
    if (!why && out->has_domain && written_local(out, &quoted) + 1 + out->domain.len > ADDRESS_MAX)
        why = "the address is longer than 254 octets";
    return why;
}

bool
address_parse_spec(struct slice in, struct address *out, struct error *err)
{
    const char *why = parse_spec(in, out);

    return why ? address_refuse(in, why, err) : true;
}

/* ---------------------------------------------------------------- paths and mailboxes */

size_t
address_path_length(struct slice in)
{
    bool quoted = false;

    if (in.len == 0 || in.p[0] != '<')
        return 0;
    for (size_t i = 1; i < in.len; i++) {
        if (quoted && in.p[i] == '\\')
            i++;
        else if (in.p[i] == '"')
            quoted = !quoted;
        else if (in.p[i] == '>' && !quoted)
            return i + 1;
    }
    return 0;
}

/* Cut `@a,@b:` (A-d-l of RFC 5321 4.1.2) off the front; each hop must be a domain, for the rest is believed then. */
static const char *
drop_route(struct slice *s)
{
    struct address hop;
    struct slice route, one;
    const char *why = NULL;
    size_t end;

    if (s->len == 0 || s->p[0] != '@')
        return NULL;
    end = slice_find(*s, ':');
    if (end == s->len)
        return "a route without an address";
    route = slice_sub(*s, 0, end);
    *s = slice_from(*s, end + 1);
    while (!why && slice_cut(&route, ',', &one)) {
        one = slice_trim(one);
        if (one.len && one.p[0] != '@')
            return "a malformed route";
        if (one.len)
            why = parse_domain(slice_from(one, 1), &hop);
    }
    return why;
}

/* What stands between the brackets of a path. */
static const char *
parse_path(struct slice s, unsigned flags, struct address *out)
{
    const char *why = check_bytes(s);

    memset(out, 0, sizeof *out);
    if (s.len == 0 && (flags & ADDRESS_NULL)) {
        out->is_null = true;
        return NULL;
    }
    if (s.len == 0)
        return "the address is empty";
    if (!why)
        why = drop_route(&s);
    return why ? why : parse_spec(s, out);
}

/* Index behind the comment that begins at `i`; 0 when it does not end. */
static size_t
skip_comment(struct slice in, size_t i)
{
    size_t depth = 0;

    for (; i < in.len; i++) {
        if (in.p[i] == '\\')
            i++;
        else if (in.p[i] == '(')
            depth++;
        else if (in.p[i] == ')' && --depth == 0)
            return i + 1;
    }
    return 0;
}

/* Without the blanks and comments in front; false when a comment does not end. */
static bool
skip_cfws(struct slice *s)
{
    while (s->len && (is_blank(s->p[0]) || s->p[0] == '(')) {
        size_t n = s->p[0] == '(' ? skip_comment(*s, 0) : 1;
        if (n == 0)
            return false;
        *s = slice_from(*s, n);
    }
    return true;
}

/* Where things are in `Name (comment) <path> (comment)`, read once from the left. */
struct parts {
    size_t angle;  /* index of '<', or in.len */
    size_t first;  /* first byte that is neither blank nor comment */
    size_t behind; /* behind the last such byte before `angle` */
    bool comma;    /* ',' or ';' outside quotes: this is a list */
    const char *why;
};

static struct parts
find_parts(struct slice in)
{
    struct parts f = { in.len, in.len, 0, false, NULL };
    bool quoted = false;

    for (size_t i = 0; i < in.len; i++) {
        char c = in.p[i];
        if (!quoted && c == '(') {
            size_t end = skip_comment(in, i);
            if (end == 0) {
                f.why = "unbalanced brackets";
                return f;
            }
            i = end - 1;
            continue;
        }
        if (!quoted && c == '<') {
            f.angle = i;
            return f;
        }
        if (!quoted && is_blank(c))
            continue;
        if (f.first == in.len)
            f.first = i;
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == ',' || c == ';'))
            f.comma = true;
        f.behind = i + 1 < in.len ? i + 1 : in.len;
    }
    f.why = quoted ? "unbalanced quotes" : NULL;
    return f;
}

static const char *
parse_mailbox(struct slice in, unsigned flags, struct address *out)
{
    struct parts f;
    struct slice rest, path;
    size_t n;

    for (size_t i = 0; i < in.len; i++)
        if (ascii_is_control(in.p[i]) && in.p[i] != '\t')
            return "a control character";
    f = find_parts(in);
    if (f.why)
        return f.why;
    if (f.comma)
        return "more than one address";
    if (f.angle == in.len)
        return parse_path(f.behind ? slice_sub(in, f.first, f.behind - f.first) : slice_of(""), flags, out);
    rest = slice_from(in, f.angle);
    n = address_path_length(rest);
    if (n == 0)
        return "unbalanced brackets";
    path = slice_trim(slice_sub(rest, 1, n - 2));
    rest = slice_from(rest, n);
    if (!skip_cfws(&rest))
        return "unbalanced brackets";
    return rest.len ? "text behind the address" : parse_path(path, flags, out);
}

static const char *
parse_any(struct slice in, unsigned flags, struct address *out)
{
    size_t n = address_path_length(in);

    if (flags & ADDRESS_MAILBOX)
        return parse_mailbox(in, flags, out);
    if (in.len && in.p[0] == '<')
        return n == in.len ? parse_path(slice_sub(in, 1, n - 2), flags, out)
               : n         ? "text behind the address"
                           : "unbalanced brackets";
    if (in.len && in.p[0] == '@')
        return "the local part is empty";
    return parse_path(in, flags, out);
}

bool
address_parse(struct slice in, unsigned flags, struct address *out, struct error *err)
{
    const char *why;

    memset(out, 0, sizeof *out);
    why = parse_any(in, flags, out);
    return why ? address_refuse(in, why, err) : true;
}

/* ---------------------------------------------------------------- writing */

void
address_add_local(struct buf *out, const struct address *a)
{
    struct walk w = walk_of(a);
    char c;

    while (walk_next(&w, &c))
        buf_add_char(out, c);
}

void
address_format(struct buf *out, const struct address *a)
{
    struct walk w = walk_of(a);
    bool quoted;
    char c;

    if (a->is_null)
        return;
    (void)written_local(a, &quoted); /* only the question whether */
    if (quoted)
        buf_add_char(out, '"');
    while (walk_next(&w, &c)) {
        if (quoted && (c == '"' || c == '\\'))
            buf_add_char(out, '\\');
        buf_add_char(out, c);
    }
    if (quoted)
        buf_add_char(out, '"');
    if (!a->has_domain)
        return;
    buf_add_char(out, '@');
    buf_add_slice(out, a->domain);
}
