/* options: what each flag takes and does; nothing is read, opened or looked up. */
#include "sendmail/options.h"

#include <string.h>
#include <strings.h>

#include "base/slice.h"
#include "mail/envelope.h"

/* how a flag takes its value */
enum takes {
    NOTHING,
    VALUE,    /* attached, or the next word */
    ATTACHED, /* only what is attached */
};

struct parsing {
    struct options *o;
    struct error *err;
};

typedef bool apply(struct parsing *p, char flag, const char *value);

static bool
apply_nothing(struct parsing *p, char flag, const char *value)
{
    (void)p;
    (void)flag;
    (void)value;
    return true;
}

static bool
apply_flag(struct parsing *p, char flag, const char *value)
{
    (void)value;
    if (flag == 't')
        p->o->from_header = true;
    else if (flag == 'i')
        p->o->keep_dots = true;
    else if (flag == 'v')
        p->o->verbose = true;
    else if (flag == 'I')
        p->o->action = OPTIONS_ALIASES;
    return true;
}

static bool
apply_text(struct parsing *p, char flag, const char *value)
{
    if (flag == 'f' || flag == 'r')
        p->o->sender = value;
    else if (flag == 'F')
        p->o->full_name = value;
    else if (flag == 'C')
        p->o->config = value;
    else if (flag == 'L')
        p->o->tag = value;
    else if (flag == 'V')
        p->o->envid = value;
    return true;
}

static bool
apply_dsn(struct parsing *p, char flag, const char *value)
{
    unsigned bits;

    if (flag == 'N') {
        if (!envelope_notify_parse(value, strlen(value), &bits))
            return error_set(
                p->err, ERROR_USAGE, "-N %s: never, or some of success,failure,delay, is wanted", value);
        p->o->notify = value;
    } else {
        if (strcasecmp(value, "full") != 0 && strcasecmp(value, "hdrs") != 0)
            return error_set(p->err, ERROR_USAGE, "-R %s: full or hdrs is wanted", value);
        p->o->ret = value;
    }
    return true;
}

static bool
apply_mode(struct parsing *p, char flag, const char *value)
{
    static const struct {
        const char *word;
        enum options_action action;
    } modes[] = { { "m", OPTIONS_SEND }, { "s", OPTIONS_BS }, { "p", OPTIONS_MAILQ },
        { "i", OPTIONS_ALIASES }, { "v", OPTIONS_VERIFY }, { "d", OPTIONS_DAEMON },
        { "D", OPTIONS_FOREGROUND }, { "l", OPTIONS_FOREGROUND } };

    (void)flag;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(value, modes[i].word) == 0) {
            p->o->action = modes[i].action;
            return true;
        }
    }
    return error_set(p->err, ERROR_USAGE, "-b%s: this mode is not supported", value);
}

static bool
apply_queue(struct parsing *p, char flag, const char *value)
{
    (void)flag;
    (void)value;
    if (p->o->action != OPTIONS_DAEMON)
        p->o->action = OPTIONS_QUEUE_RUN;
    return true;
}

static bool
apply_errors(struct parsing *p, char flag, const char *value)
{
    (void)flag;
    p->o->quiet = value[0] == 'q';
    return true;
}

/* -oX: the old way to set options */
static bool
apply_old(struct parsing *p, char flag, const char *value)
{
    (void)flag;
    if (strcmp(value, "i") == 0)
        p->o->keep_dots = true;
    else if (value[0] == 'd' && value[1])
        p->o->mode = value[1] == 'd' ? 'q' : value[1] == 'f' ? 'i' : value[1];
    else if (value[0] == 'e')
        p->o->quiet = value[1] == 'q';
    if (p->o->mode && !strchr("ibq", p->o->mode))
        p->o->mode = 0;
    return true;
}

static bool
apply_long(struct parsing *p, char flag, const char *value)
{
    static const char name[] = "DeliveryMode=";

    (void)flag;
    if (strncasecmp(value, name, sizeof name - 1) == 0 && value[sizeof name - 1])
        return apply_old(p, 'o', (const char[]){ 'd', (char)ascii_lower(value[sizeof name - 1]), '\0' });
    return true;
}

static const struct flag {
    char letter;
    enum takes takes;
    apply *apply;
} flags[] = {
    { 't', NOTHING, apply_flag },
    { 'i', NOTHING, apply_flag },
    { 'v', NOTHING, apply_flag },
    { 'I', NOTHING, apply_flag },
    { 'f', VALUE, apply_text },
    { 'r', VALUE, apply_text },
    { 'F', VALUE, apply_text },
    { 'C', VALUE, apply_text },
    { 'L', VALUE, apply_text },
    { 'V', VALUE, apply_text },
    { 'N', VALUE, apply_dsn },
    { 'R', VALUE, apply_dsn },
    { 'b', ATTACHED, apply_mode },
    { 'q', ATTACHED, apply_queue },
    { 'e', ATTACHED, apply_errors },
    { 'O', VALUE, apply_long },
    /* accepted, with their values; none of them ever names a file to us */
    { 'B', VALUE, apply_nothing },
    { 'D', VALUE, apply_nothing },
    { 'X', VALUE, apply_nothing },
    { 'h', VALUE, apply_nothing },
    { 'p', VALUE, apply_nothing },
    { 'Q', ATTACHED, apply_nothing },
    { 'd', ATTACHED, apply_nothing },
    { 'J', ATTACHED, apply_nothing },
    { 'K', ATTACHED, apply_nothing },
    { 'M', ATTACHED, apply_nothing },
    { 'A', ATTACHED, apply_nothing },
    { 'G', NOTHING, apply_nothing },
    { 'U', NOTHING, apply_nothing },
    { 'm', NOTHING, apply_nothing },
    { 'n', NOTHING, apply_nothing },
    { 'E', NOTHING, apply_nothing },
    { 's', NOTHING, apply_nothing },
    { 'T', NOTHING, apply_nothing },
    { 'x', NOTHING, apply_nothing },
    { '4', NOTHING, apply_nothing },
    { '6', NOTHING, apply_nothing },
};

static const struct flag *
find_flag(char letter)
{
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (flags[i].letter == letter)
            return &flags[i];
    return NULL;
}

/* -o and -a take their value attached; `-o X` is two words, as is `-au NAME` */
static bool
parse_odd(struct parsing *p, const char *word, char *next, int *used)
{
    if (word[1] == 'o') {
        if (!word[2] && next)
            *used = 2;
        return apply_old(p, 'o', word[2] ? word + 2 : next ? next : "");
    }
    if (word[2] && memchr("upm", word[2], 3) && !word[3] && next)
        *used = 2;
    return true;
}

/* One word that begins with '-': a cluster of flags */
static bool
parse_word(struct parsing *p, const char *word, char *next, int *used)
{
    *used = 1;
    if (word[1] == 'o' || word[1] == 'a')
        return parse_odd(p, word, next, used);
    for (const char *c = word + 1; *c; c++) {
        const struct flag *f = find_flag(*c);
        if (!f || (c > word + 1 && f->takes == ATTACHED)) {
            if (!p->o->unknown)
                p->o->unknown = word;
            return true; /* eaten whole */
        }
        if (f->takes == NOTHING) {
            if (!f->apply(p, *c, NULL))
                return false;
            continue;
        }
        if (f->takes == VALUE && !c[1]) {
            if (!next)
                return error_set(p->err, ERROR_USAGE, "option -%c: its value is missing", *c);
            *used = 2;
            return f->apply(p, *c, next);
        }
        return f->apply(p, *c, c + 1);
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

/* Behind the first recipient a word is a recipient, unless it is a flag everybody passes there */
static bool
is_late_flag(const char *word)
{
    return strcmp(word, "-i") == 0 || strcmp(word, "-oi") == 0 || strcmp(word, "-t") == 0;
}

bool
options_parse(int argc, char **argv, struct options *o, char **recipients, struct error *err)
{
    struct parsing p = { o, err };
    bool ended = false;

    memset(o, 0, sizeof *o);
    o->recipients = recipients;
    if (argc > 0)
        name_decides(argv[0], o);
    for (int i = 1, used; i < argc; i += used) {
        used = 1;
        if (!ended && strcmp(argv[i], "--") == 0) {
            ended = true;
        } else if (!ended && strcmp(argv[i], "--version") == 0) {
            o->action = OPTIONS_VERSION;
        } else if (!ended && strcmp(argv[i], "--help") == 0) {
            o->action = OPTIONS_HELP;
        } else if (!ended && argv[i][0] == '-' && argv[i][1] &&
                   (o->nrecipients == 0 || is_late_flag(argv[i]))) {
            if (!parse_word(&p, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used))
                return false;
        } else {
            recipients[o->nrecipients++] = argv[i];
        }
    }
    return true;
}
