/* SPDX-License-Identifier: ISC */
/* options: what each flag takes and does; nothing is read, opened or looked up. */
#include "sendmail/options.h"

#include <string.h>
#include <strings.h>

#include "base/slice.h"
#include "mail/envelope.h"

#define ENVID_MAX 100 /* RFC 3461, 4.4; as xtext */

/* How a flag takes its value. */
enum takes {
    NOTHING,
    VALUE,    /* attached, or the next word, whatever it is: as getopt has it */
    WORD,     /* attached, or the next word unless that is a flag */
    LETTER,   /* attached, or the next word if that is a single letter of `letters` */
    ATTACHED, /* only what is attached */
};

struct flag;

struct parsing {
    struct options *o;
    struct error *err;
    const struct flag *flag;
    const char *word; /* that it stands in, for the log */
};

typedef bool apply(struct parsing *p, const char *value);

struct flag {
    char letter;
    enum takes takes;
    apply *apply; /* NULL: it has no effect */
    const char *letters;
};

/* Not understood: said in the log, and mail goes on */
static bool
pass_over(struct parsing *p)
{
    if (!p->o->unknown)
        p->o->unknown = p->word;
    return true;
}

static bool
apply_switch(struct parsing *p, const char *value)
{
    (void)value;
    switch (p->flag->letter) {
    case 't':
        p->o->from_header = true;
        break;
    case 'i':
        p->o->keep_dots = true;
        break;
    case 'v':
        p->o->verbose = true;
        break;
    case 'I':
        p->o->action = OPTIONS_ALIASES;
        break;
    default:
        break;
    }
    return true;
}

static bool
apply_text(struct parsing *p, const char *value)
{
    switch (p->flag->letter) {
    case 'f':
    case 'r':
        p->o->sender = value;
        break;
    case 'F':
        p->o->full_name = value;
        break;
    case 'C':
        p->o->config = value;
        break;
    case 'L':
        p->o->tag = value;
        break;
    default:
        break;
    }
    return true;
}

/* What RFC 3461 does not allow is passed over, with a warning in the log, as by Postfix: the message does not hang on it */
static bool
apply_notify(struct parsing *p, const char *value)
{
    unsigned bits;

    if (!envelope_notify_parse(value, strlen(value), &bits))
        return pass_over(p);
    p->o->notify = value;
    return true;
}

static bool
apply_return(struct parsing *p, const char *value)
{
    if (strcasecmp(value, "full") != 0 && strcasecmp(value, "hdrs") != 0)
        return pass_over(p);
    p->o->ret = value;
    return true;
}

static bool
apply_envid(struct parsing *p, const char *value)
{
    size_t n = 0, encoded = 0;

    for (; value[n] >= ' ' && value[n] < 127 && encoded <= ENVID_MAX; n++)
        encoded += strchr(" +=", value[n]) ? 3 : 1;
    if (n == 0 || encoded > ENVID_MAX || value[n])
        return pass_over(p);
    p->o->envid = value;
    return true;
}

static bool
apply_mode(struct parsing *p, const char *value)
{
    static const struct {
        const char *word;
        enum options_action action;
    } modes[] = { { "m", OPTIONS_SEND }, { "s", OPTIONS_BS }, { "p", OPTIONS_MAILQ },
        { "i", OPTIONS_ALIASES }, { "v", OPTIONS_VERIFY }, { "d", OPTIONS_DAEMON },
        { "D", OPTIONS_FOREGROUND }, { "l", OPTIONS_FOREGROUND } };

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(value, modes[i].word) == 0) {
            p->o->action = modes[i].action;
            return true;
        }
    }
    return error_set(p->err, ERROR_USAGE, "-b%s: this mode is not supported", value);
}

/* -q, -qf, -q30m, -qIid, -qRrecipient, -qSsender. Only these: `-quiet` must not make mail vanish. */
static bool
apply_queue(struct parsing *p, const char *value)
{
    struct options *o = p->o;
    bool timed = ascii_is_digit(value[0]) || (value[0] == 'p' && ascii_is_digit(value[1]));

    if (value[0] && strchr("IRS", value[0])) {
        if (!value[1])
            return error_set(p->err, ERROR_USAGE, "-q%s: what it has to match is missing", value);
        o->queue_by = value[0];
        o->queue_match = value + 1;
    } else if (value[0] && value[strspn(value, "f")] && !timed) {
        return pass_over(p);
    }
    if (o->action == OPTIONS_DAEMON || o->action == OPTIONS_FOREGROUND)
        return true;
    if (o->action != OPTIONS_QUEUE_RUN)
        o->queue_timed = timed;
    o->queue_timed = o->queue_timed && timed;
    o->action = OPTIONS_QUEUE_RUN;
    return true;
}

static bool
apply_errors(struct parsing *p, const char *value)
{
    if (!value[0] || !strchr(p->flag->letters, value[0]) || value[1])
        return pass_over(p);
    p->o->quiet = value[0] == 'q';
    return true;
}

static void
set_delivery(struct options *o, char mode)
{
    if (mode == 'i' || mode == 'f')
        o->mode = 'i';
    else if (mode == 'b')
        o->mode = 'b';
    else if (mode == 'q' || mode == 'd')
        o->mode = 'q';
}

/* -oX, the old way to set options; what has no meaning here is eaten */
static bool
apply_old(struct parsing *p, const char *value)
{
    if (strcmp(value, "i") == 0)
        p->o->keep_dots = true;
    else if (value[0] == 'd')
        set_delivery(p->o, value[1]);
    else if (value[0] == 'e')
        p->o->quiet = value[1] == 'q';
    return true;
}

static bool
apply_long(struct parsing *p, const char *value)
{
    static const char name[] = "DeliveryMode=";

    if (strncasecmp(value, name, sizeof name - 1) == 0)
        set_delivery(p->o, ascii_lower(value[sizeof name - 1]));
    return true;
}

static const struct flag flags[] = {
    { 't', NOTHING, apply_switch, NULL },
    { 'i', NOTHING, apply_switch, NULL },
    { 'v', NOTHING, apply_switch, NULL },
    { 'I', NOTHING, apply_switch, NULL },
    { 'f', VALUE, apply_text, NULL },
    { 'r', VALUE, apply_text, NULL },
    { 'F', VALUE, apply_text, NULL },
    { 'C', VALUE, apply_text, NULL },
    { 'L', VALUE, apply_text, NULL },
    { 'N', WORD, apply_notify, NULL },
    { 'R', WORD, apply_return, NULL },
    { 'V', WORD, apply_envid, NULL },
    { 'b', VALUE, apply_mode, NULL },
    { 'q', ATTACHED, apply_queue, NULL },
    { 'e', LETTER, apply_errors, "mepqw" },
    { 'o', WORD, apply_old, NULL },
    { 'O', VALUE, apply_long, NULL },
    /* accepted, with their values; none of them ever names a file to us */
    { 'a', WORD, NULL, NULL },
    { 'A', VALUE, NULL, NULL },
    { 'B', WORD, NULL, NULL },
    { 'D', VALUE, NULL, NULL },
    { 'h', VALUE, NULL, NULL },
    { 'M', VALUE, NULL, NULL },
    { 'p', VALUE, NULL, NULL },
    { 'X', VALUE, NULL, NULL },
    { 'd', ATTACHED, NULL, NULL },
    { 'J', ATTACHED, NULL, NULL },
    { 'K', ATTACHED, NULL, NULL },
    { 'Q', ATTACHED, NULL, NULL },
    { 'c', NOTHING, NULL, NULL },
    { 'E', NOTHING, NULL, NULL },
    { 'G', NOTHING, NULL, NULL },
    { 'm', NOTHING, NULL, NULL },
    { 'n', NOTHING, NULL, NULL },
    { 's', NOTHING, NULL, NULL },
    { 'T', NOTHING, NULL, NULL },
    { 'U', NOTHING, NULL, NULL },
    { 'x', NOTHING, NULL, NULL },
    { '4', NOTHING, NULL, NULL },
    { '6', NOTHING, NULL, NULL },
};

static const struct flag *
find_flag(char letter)
{
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (flags[i].letter == letter)
            return &flags[i];
    return NULL;
}

/* ---------------------------------------------------------------- words */

/* Does the flag take the next word as its value? `-au NAME` does, too: `u` only says which value (ssmtp). */
static bool
takes_next(const struct flag *f, const char *attached, const char *next)
{
    if (f->letter == 'a' && attached[0] && strchr("upm", attached[0]) && !attached[1])
        return next && next[0] != '-';
    if (attached[0] || !next)
        return false;
    switch (f->takes) {
    case VALUE:
        return true;
    case WORD:
        return next[0] != '-';
    case LETTER:
        return next[0] && !next[1] && strchr(f->letters, next[0]);
    case NOTHING:
    case ATTACHED:
        break;
    }
    return false;
}

/* A flag that takes a value, and its value. *used is 2 when that was the next word. */
static bool
parse_value(struct parsing *p, const char *attached, const char *next, int *used)
{
    const struct flag *f = p->flag;
    const char *value = attached;

    if (takes_next(f, attached, next)) {
        *used = 2;
        value = next;
    } else if (!attached[0] && !next && (f->takes == VALUE || (f->takes == WORD && f->apply))) {
        return error_set(p->err, ERROR_USAGE, "option -%c: its value is missing", f->letter);
    } else if (!attached[0] && f->takes == WORD) {
        return pass_over(p);
    }
    return f->apply ? f->apply(p, value) : true;
}

/* One word that begins with '-': flags without values, at its end perhaps one with */
static bool
parse_word(struct parsing *p, const char *word, const char *next, int *used)
{
    p->word = word;
    for (const char *c = word + 1; *c; c++) {
        p->flag = find_flag(*c);
        if (!p->flag)
            return pass_over(p);
        if (p->flag->takes != NOTHING)
            return parse_value(p, c + 1, next, used);
        if (p->flag->apply && !p->flag->apply(p, NULL))
            return false;
    }
    return true;
}

static void
name_decides(const char *argv0, struct options *o)
{
    const char *name = strrchr(argv0, '/');

    name = name ? name + 1 : argv0;
    if (strcmp(name, "mailq") == 0)
        o->action = OPTIONS_MAILQ;
    else if (strcmp(name, "newaliases") == 0)
        o->action = OPTIONS_ALIASES;
}

/* Whoever names a recipient or says -t wants mail sent: nothing else may answer with exit code 0 */
static bool
check_action(struct options *o, enum options_action asked, struct error *err)
{
    bool mail = o->from_header || o->nrecipients > 0;

    if (mail && o->action == OPTIONS_QUEUE_RUN && o->queue_timed)
        o->action = OPTIONS_SEND; /* an interval is for a daemon; mail is what was wanted */
    if (!mail && asked != OPTIONS_SEND)
        o->action = asked;
    else if (asked != OPTIONS_SEND && !o->unknown)
        o->unknown = asked == OPTIONS_HELP ? "--help" : "--version";
    if (o->action == OPTIONS_SEND)
        return true;
    if (o->from_header)
        return error_set(err, ERROR_USAGE, "-t is for sending only");
    if (o->action == OPTIONS_VERIFY)
        return o->nrecipients > 0 || error_set(err, ERROR_USAGE, "-bv: no recipient");
    return o->nrecipients == 0 || error_set(err, ERROR_USAGE, "recipients are for sending only");
}

bool
options_parse(int argc, char **argv, struct options *o, char **recipients, struct error *err)
{
    struct parsing p = { o, err, NULL, NULL };
    enum options_action asked = OPTIONS_SEND;
    bool ended = false;

    memset(o, 0, sizeof *o);
    o->recipients = recipients;
    if (argc > 0)
        name_decides(argv[0], o);
    for (int i = 1, used; i < argc; i += used) {
        bool first = !ended && o->nrecipients == 0;
        used = 1;
        if (!ended && strcmp(argv[i], "--") == 0) {
            ended = true;
        } else if (first && strcmp(argv[i], "--version") == 0) {
            asked = OPTIONS_VERSION;
        } else if (first && strcmp(argv[i], "--help") == 0) {
            asked = OPTIONS_HELP;
        } else if (first && argv[i][0] == '-' && argv[i][1]) {
            if (!parse_word(&p, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used))
                return false;
        } else {
            if (!ended && !first && !o->late && argv[i][0] == '-')
                o->late = argv[i];
            recipients[o->nrecipients++] = argv[i];
        }
    }
    return check_action(o, asked, err);
}
