/* SPDX-License-Identifier: ISC */
/* script: reads the text a person wrote into rules; plays nothing (session.c does). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "hub/hub.h"

#define SCRIPT_MAX (1024 * 1024)
#define TEXT_MAX (1024 * 1024)

static const char *const event_names[EVENTS] = { "connect", "greeting", "EHLO", "HELO", "STARTTLS", "tls",
    "secured", "AUTH", "answer", "login", "MAIL", "RCPT", "DATA", "BDAT", "content", "dot", "accepted",
    "RSET", "NOOP", "QUIT", "other" };

/* what stands behind a verb */
enum shape { SHAPE_NOTHING, SHAPE_TEXT, SHAPE_TIMES_TEXT, SHAPE_TIME_TEXT, SHAPE_TIMES, SHAPE_SETTING };

static const struct {
    const char *name;
    enum shape shape;
} verbs[VERBS] = {
    [VERB_REPLY] = { "reply", SHAPE_TEXT },
    [VERB_SEND] = { "send", SHAPE_TEXT },
    [VERB_REPEAT] = { "repeat", SHAPE_TIMES_TEXT },
    [VERB_DRIP] = { "drip", SHAPE_TIME_TEXT },
    [VERB_SLEEP] = { "sleep", SHAPE_TIMES },
    [VERB_QUIET] = { "quiet", SHAPE_NOTHING },
    [VERB_DEFAULT] = { "default", SHAPE_NOTHING },
    [VERB_SET] = { "set", SHAPE_SETTING },
    [VERB_HANDSHAKE] = { "handshake", SHAPE_NOTHING },
    [VERB_RENEGOTIATE] = { "renegotiate", SHAPE_NOTHING },
    [VERB_TICKETS] = { "tickets", SHAPE_NOTHING },
    [VERB_TAKE] = { "take", SHAPE_NOTHING },
    [VERB_DISCARD] = { "discard", SHAPE_NOTHING },
    [VERB_HANG] = { "hang", SHAPE_NOTHING },
    [VERB_SHUTDOWN] = { "shutdown", SHAPE_NOTHING },
    [VERB_CLOSE] = { "close", SHAPE_NOTHING },
    [VERB_RESET] = { "reset", SHAPE_NOTHING },
};

/* The next word of the line; the rest is left without the blanks before it. */
static struct slice
next_word(struct slice *rest)
{
    struct slice word = { NULL, 0 };

    *rest = slice_trim(*rest);
    if (!slice_cut(rest, ' ', &word))
        return word;
    *rest = slice_trim(*rest);
    return word;
}

static int
hex_value(char c)
{
    c = ascii_lower(c);
    if (ascii_is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The octet an escape stands for, and how long it is behind the backslash; -1 for none. */
static int
escape_value(struct slice s, size_t *used)
{
    static const char names[] = "rnt0s\\", values[] = "\r\n\t\0 \\";
    const char *at = s.len ? memchr(names, s.p[0], sizeof names - 1) : NULL;

    *used = 1;
    if (at)
        return (unsigned char)values[at - names];
    if (s.len < 3 || s.p[0] != 'x' || hex_value(s.p[1]) < 0 || hex_value(s.p[2]) < 0)
        return -1;
    *used = 3;
    return hex_value(s.p[1]) * 16 + hex_value(s.p[2]);
}

static bool
unescape(struct slice s, struct action *a, struct error *err)
{
    struct buf out;

    buf_init(&out, TEXT_MAX);
    while (s.len) {
        size_t used = 0;
        int c = (unsigned char)s.p[0];
        if (c == '\\') {
            c = escape_value(slice_from(s, 1), &used);
            if (c < 0) {
                buf_clear(&out);
                return error_set(err, ERROR_USAGE, "'\\%c' is no escape", s.len > 1 ? s.p[1] : ' ');
            }
        }
        buf_add_char(&out, (char)c);
        s = slice_from(s, 1 + used);
    }
    a->len = out.len;
    a->text = buf_steal(&out);
    return true;
}

static bool
parse_times(struct slice word, int64_t *times)
{
    uint64_t n;

    if (slice_is(word, "forever")) {
        *times = INT64_MAX;
        return true;
    }
    if (!slice_number(word, 1000000000, &n))
        return false;
    *times = (int64_t)n;
    return true;
}

/* "20ms" or "0ms-20ms" */
static bool
parse_sleep(struct action *a, struct slice rest)
{
    struct slice least = slice_sub(rest, 0, slice_find(rest, '-')), most = slice_from(rest, least.len + 1);

    if (!options_time(least, &a->number))
        return false;
    a->most = a->number;
    return least.len == rest.len || (options_time(most, &a->most) && a->most >= a->number);
}

static bool
parse_setting(struct action *a, struct slice rest, struct error *err)
{
    struct slice name = next_word(&rest);

    if (!name.len || name.len >= sizeof a->name || !rest.len)
        return error_set(err, ERROR_USAGE, "set needs a name and a value");
    memcpy(a->name, name.p, name.len);
    a->text = slice_dup(rest);
    return true;
}

static bool
parse_operands(struct action *a, struct slice rest, struct error *err)
{
    switch (verbs[a->verb].shape) {
    case SHAPE_NOTHING:
        return !rest.len || error_set(err, ERROR_USAGE, "nothing may follow %s", verbs[a->verb].name);
    case SHAPE_TEXT:
        return unescape(rest, a, err);
    case SHAPE_TIMES_TEXT:
        if (!parse_times(next_word(&rest), &a->number))
            return error_set(err, ERROR_USAGE, "%s needs a number or forever", verbs[a->verb].name);
        return unescape(rest, a, err);
    case SHAPE_TIMES:
        return parse_sleep(a, rest) ||
               error_set(err, ERROR_USAGE, "sleep needs a time or two, as 200ms or 0ms-2s");
    case SHAPE_TIME_TEXT:
        if (!options_time(next_word(&rest), &a->number))
            return error_set(err, ERROR_USAGE, "%s needs a time, as 200ms or 2s", verbs[a->verb].name);
        return unescape(rest, a, err);
    case SHAPE_SETTING:
        return parse_setting(a, rest, err);
    }
    return false;
}

static bool
parse_action(struct script *script, struct slice word, struct slice rest, struct error *err)
{
    struct action *a;
    enum verb v = 0;

    while (v < VERBS && !slice_is(word, verbs[v].name))
        v++;
    if (v == VERBS)
        return error_set(err, ERROR_USAGE, "'%.*s' is nothing the hub can do", SLICE_ARG(word));
    if (!script->last)
        return error_set(err, ERROR_USAGE, "'%.*s' stands before any 'on'", SLICE_ARG(word));
    a = mem_alloc(sizeof *a);
    a->verb = v;
    if (script->last->last)
        script->last->last->next = a;
    else
        script->last->first = a;
    script->last->last = a;
    return parse_operands(a, rest, err);
}

static bool
parse_number(struct slice word, unsigned *out)
{
    uint64_t n;

    if (!slice_number(word, 1000000, &n) || !n)
        return false;
    *out = (unsigned)n;
    return true;
}

/* "3", "2-4", "2-" */
static bool
parse_range(struct slice word, unsigned *first, unsigned *last)
{
    struct slice left = slice_sub(word, 0, slice_find(word, '-')), right = slice_from(word, left.len + 1);

    if (!parse_number(left, first))
        return false;
    *last = left.len == word.len ? *first : 1000000;
    return !right.len || parse_number(right, last);
}

static bool
parse_conditions(struct rule *rule, struct slice rest, struct error *err)
{
    while (rest.len) {
        struct slice word = next_word(&rest);
        bool ok = true;
        if (slice_is(word, "nth"))
            ok = parse_range(next_word(&rest), &rule->nth_first, &rule->nth_last);
        else if (slice_is(word, "session"))
            ok = parse_range(next_word(&rest), &rule->session_first, &rule->session_last);
        else if (slice_is(word, "chance"))
            ok = parse_number(next_word(&rest), &rule->chance) && rule->chance <= 100;
        else if (slice_is(word, "once"))
            rule->once = true;
        else if (slice_is(word, "plain"))
            rule->plain_only = true;
        else if (slice_is(word, "secure"))
            rule->tls_only = true;
        else if (!rule->glob)
            rule->glob = slice_dup(word);
        else
            ok = false;
        if (!ok)
            return error_set(err, ERROR_USAGE, "wrong condition at '%.*s'", SLICE_ARG(word));
    }
    return true;
}

static bool
parse_on(struct script *script, struct slice rest, struct error *err)
{
    struct slice name = next_word(&rest);
    struct rule *rule;
    enum event e = 0;

    while (e < EVENTS && !slice_is(name, event_names[e]))
        e++;
    if (e == EVENTS)
        return error_set(err, ERROR_USAGE, "'%.*s' is no event", SLICE_ARG(name));
    rule = mem_alloc(sizeof *rule);
    rule->event = e;
    rule->nth_last = rule->session_last = 1000000;
    if (script->last)
        script->last->next = rule;
    else
        script->first = rule;
    script->last = rule;
    return parse_conditions(rule, rest, err);
}

static bool
parse_option(struct options *opt, struct slice rest, struct error *err)
{
    struct slice name = next_word(&rest);
    char *n = slice_dup(name), *v = slice_dup(rest);
    bool ok = options_set(opt, n, v, err);

    free(n);
    free(v);
    return ok;
}

static bool
parse_line(struct script *script, struct slice line, struct options *opt, struct error *err)
{
    struct slice rest = slice_trim(line), word;

    if (!rest.len || rest.p[0] == '#')
        return true;
    word = next_word(&rest);
    if (slice_is(word, "option"))
        return parse_option(opt, rest, err);
    if (slice_is(word, "on"))
        return parse_on(script, rest, err);
    return parse_action(script, word, rest, err);
}

bool
script_load(struct script *script, const char *path, struct options *opt, struct error *err)
{
    struct slice rest, line;
    struct buf text;
    int fd = open(path, O_RDONLY | O_CLOEXEC), n = 0;
    char *name = mem_dup(path); /* `path` may be an option that changes */
    bool ok;

    buf_init(&text, SCRIPT_MAX);
    ok = fd >= 0 ? file_read_all(fd, &text, name, err) : error_sys(err, ERROR_USAGE, errno, "%s", name);
    rest = buf_slice(&text);
    while (ok && slice_cut(&rest, '\n', &line)) {
        n++;
        if (!parse_line(script, line, opt, err))
            ok = error_context(err, "%s:%d", name, n);
    }
    file_close(&fd);
    buf_clear(&text);
    free(name);
    return ok;
}

void
script_clear(struct script *script)
{
    while (script->first) {
        struct rule *rule = script->first;
        script->first = rule->next;
        while (rule->first) {
            struct action *a = rule->first;
            rule->first = a->next;
            free(a->text);
            free(a);
        }
        free(rule->glob);
        free(rule);
    }
    script->last = NULL;
}
