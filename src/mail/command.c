/* SPDX-License-Identifier: ISC */
/* command: cutting command lines into verb, path and parameters. What a parameter means is the server's. */
#include "mail/command.h"

#include <string.h>

#include "mail/address.h"

static const struct {
    const char *word;
    enum command_verb verb;
} verbs[] = {
    { "EHLO", COMMAND_EHLO },
    { "HELO", COMMAND_HELO },
    { "MAIL", COMMAND_MAIL },
    { "RCPT", COMMAND_RCPT },
    { "DATA", COMMAND_DATA },
    { "BDAT", COMMAND_BDAT },
    { "RSET", COMMAND_RSET },
    { "NOOP", COMMAND_NOOP },
    { "VRFY", COMMAND_VRFY },
    { "HELP", COMMAND_HELP },
    { "QUIT", COMMAND_QUIT },
    { "AUTH", COMMAND_OTHER },
    { "STARTTLS", COMMAND_OTHER },
    { "EXPN", COMMAND_OTHER },
    { "ETRN", COMMAND_OTHER },
    { "TURN", COMMAND_OTHER },
};

/* esmtp-param of RFC 5321, 4.1.2: keyword ["=" value]; our own extension allows '=' inside nothing either */
static bool
parse_param(struct slice word, struct command_param *p)
{
    size_t eq = slice_find(word, '=');

    p->name = slice_sub(word, 0, eq);
    p->value = slice_from(word, eq < word.len ? eq + 1 : eq);
    if (p->name.len == 0 || (eq < word.len && p->value.len == 0))
        return false;
    for (size_t i = 0; i < p->name.len; i++)
        if (!ascii_is_alpha(p->name.p[i]) && !ascii_is_digit(p->name.p[i]) && p->name.p[i] != '-')
            return false;
    for (size_t i = 0; i < p->value.len; i++)
        if (ascii_is_control(p->value.p[i]) || p->value.p[i] == '=')
            return false;
    return true;
}

static bool
parse_params(struct slice rest, struct command *c, struct error *err)
{
    struct slice word;

    while (slice_cut(&rest, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (c->nparams == COMMAND_PARAMS_MAX || !parse_param(word, &c->params[c->nparams]))
            return error_set(err, ERROR_DATA, "malformed parameter %.*s", SLICE_ARG(word));
        c->nparams++;
    }
    return true;
}

/* "FROM:<path> params"; a blank behind the colon is forgiven, as everybody does, and so are missing brackets (printers) */
static bool
parse_path(struct slice argument, const char *prefix, struct command *c, struct error *err)
{
    struct address a;
    size_t n;

    if (!slice_starts_nocase(argument, prefix))
        return error_set(err, ERROR_DATA, "%s<address> is wanted", prefix);
    argument = slice_trim(slice_from(argument, strlen(prefix)));
    n = argument.len && argument.p[0] != '<' ? slice_find(argument, ' ') : address_path_length(argument);
    if (n == 0)
        return error_set(err, ERROR_DATA, "%s<address> is wanted", prefix);
    if (n < argument.len && argument.p[n] != ' ')
        return error_set(err, ERROR_DATA, "junk behind the address");
    if (!address_parse(slice_sub(argument, 0, n), c->verb == COMMAND_MAIL ? ADDRESS_NULL : 0, &a, err))
        return false;
    if (a.is_null)
        c->path = slice_make("", 0);
    else
        c->path = slice_make(
            a.local.p, a.has_domain ? (size_t)(a.domain.p - a.local.p) + a.domain.len : a.local.len);
    return parse_params(slice_from(argument, n), c, err);
}

bool
command_parse(struct slice line, struct command *c, struct error *err)
{
    struct slice word = slice_sub(line, 0, slice_find(line, ' '));

    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (slice_is_nocase(word, verbs[i].word))
            c->verb = verbs[i].verb;
    if (c->verb == COMMAND_UNKNOWN)
        return error_set(err, ERROR_DATA, "command not recognised");
    c->argument = slice_trim(slice_from(line, word.len));
    if (c->verb == COMMAND_MAIL)
        return parse_path(c->argument, "FROM:", c, err);
    if (c->verb == COMMAND_RCPT)
        return parse_path(c->argument, "TO:", c, err);
    if ((c->verb == COMMAND_EHLO || c->verb == COMMAND_HELO) && c->argument.len == 0)
        return error_set(err, ERROR_DATA, "a name is wanted");
    if ((c->verb == COMMAND_DATA || c->verb == COMMAND_RSET || c->verb == COMMAND_QUIT) &&
        c->argument.len > 0)
        return error_set(err, ERROR_DATA, "no argument is wanted");
    return true;
}

void
command_xtext_encode(struct buf *out, struct slice s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 33 && c <= 126 && c != '+' && c != '=') {
            buf_add_char(out, (char)c);
        } else {
            buf_add_char(out, '+');
            buf_add_char(out, hex[c >> 4]);
            buf_add_char(out, hex[c & 15]);
        }
    }
}

static int
hex_digit(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
command_xtext_decode(struct slice s, char **out)
{
    struct buf b;

    buf_init(&b, s.len);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c == '+') {
            int high = i + 2 <= s.len - 1 ? hex_digit(s.p[i + 1]) : -1,
                low = i + 2 <= s.len - 1 ? hex_digit(s.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                break;
            c = (char)(high * 16 + low);
            i += 2;
            if (c == '\r' || c == '\n' || c == '\0')
                break;
        } else if (c < 33 || c > 126 || c == '=') {
            break;
        }
        buf_add_char(&b, c);
        if (i + 1 == s.len) {
            *out = buf_steal(&b);
            return true;
        }
    }
    buf_clear(&b);
    if (s.len)
        return false;
    *out = slice_dup(s);
    return true;
}
