/* SPDX-License-Identifier: ISC */
/* smtprelay: the administrator's program: its command line, and `check`. Each other command has a file of its own. */
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/absent.h"
#include "admin/direct.h"
#include "admin/explain.h"
#include "admin/help.h"
#include "admin/import_run.h"
#include "admin/import_text.h"
#include "admin/queue.h"
#include "admin/service.h"
#include "admin/setup.h"
#include "admin/status.h"
#include "admin/test.h"
#include "admin/why.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/rights.h"
#include "base/text.h"
#include "config/expand.h"
#include "config/explanations.h"
#include "config/file.h"

extern char **environ;

enum { QUOTED_MAX = 1 << 22 };

/* ---------------------------------------------------------------- check */

/* A text as libconfig reads it */
static void
print_quoted(const char *text)
{
    struct buf b;

    buf_init(&b, QUOTED_MAX);
    import_text_quote(&b, text);
    fputs(buf_str(&b), stdout);
    buf_clear(&b);
}

/* Names of accounts and files are the configuration's, too */
static void
print_shown(const char *before, const char *text)
{
    struct buf b;

    buf_init(&b, QUOTED_MAX);
    text_add_escaped(&b, slice_of(text));
    printf("%s%s\n", before, buf_str(&b));
    buf_clear(&b);
}

static void
print_value(const struct config_value *v, const struct config_info *info)
{
    bool list = info->type == CONFIG_LIST && v->n != 1;

    if (list)
        fputs("( ", stdout);
    for (size_t i = 0; i < v->n; i++) {
        fputs(i ? ", " : "", stdout);
        if (info->type == CONFIG_BOOL)
            fputs(v->number ? "true" : "false", stdout);
        else if (info->type == CONFIG_NUMBER)
            printf("%lld", (long long)v->number);
        else
            print_quoted(info->secret ? "***" : v->item[i]);
    }
    if (list)
        fputs(v->n ? " )" : ")", stdout);
}

/* What a preset says that is no setting */
static void
print_preset(const struct config *c, size_t account)
{
    const struct config_value *own = config_value(c, account, CONFIG_OWN_SENDER),
                              *null = config_value(c, account, CONFIG_NO_NULL_SENDER),
                              *most = config_value(c, account, CONFIG_CONNECTIONS);

    if (own->set && own->number)
        print_shown("# sends as From and FromAllowed only  # ", own->origin);
    if (null->set && null->number)
        print_shown("# sends as From in place of the null sender  # ", null->origin);
    if (most->set)
        printf("# at most %lld connections at a time", (long long)most->number);
    if (most->set)
        print_shown("  # ", most->origin);
}

static void
print_account(const struct config *c, size_t account)
{
    print_shown(account ? "\n# account " : "# account ", config_account_name(c, account));
    for (size_t i = 0; i < CONFIG_CA_PEM; i++) {
        const struct config_value *v = config_value(c, account, (enum config_key)i);
        bool preset = v->set && v->origin && strncmp(v->origin, "preset ", 7) == 0;
        if (!v->set || (account > 0 && i > CONFIG_LAST_OF_ACCOUNT && i < CONFIG_NAME && !preset) ||
            (account == 0 && i >= CONFIG_NAME))
            continue;
        printf("%s = ", config_info((enum config_key)i)->name);
        print_value(v, config_info((enum config_key)i));
        print_shown(";  # ", v->origin ? v->origin : "default");
    }
    print_preset(c, account);
}

static void
print_warnings(struct config *c)
{
    struct slice rest = buf_slice(&c->warnings), line;
    char shown[1000];

    while (slice_cut(&rest, '\n', &line)) {
        text_escape(shown, sizeof shown, line);
        fprintf(stderr, "smtprelay: warning: %s\n", shown);
    }
}

static int
fail(const struct error *err)
{
    fprintf(stderr, "smtprelay: %s\n", err->text);
    return (int)err->class;
}

static int
check(const struct config_request *req)
{
    struct config c;
    struct error err;
    size_t aliases;
    bool ok;

    if (!config_load(req, &c, &err))
        return fail(&err);
    ok = config_check_files(&c, &err) && expand_check(&c, &aliases, &err);
    explain_free(explanations_load(req->uid, &c.warnings));
    if (ok)
        service_check(&c);
    if (ok)
        absent_check(&c);
    if (ok)
        print_shown("# configuration: ", c.path ? c.path : "the environment alone");
    if (ok)
        putchar('\n');
    for (size_t a = 0; ok && a < c.n; a++)
        print_account(&c, a);
    print_warnings(&c);
    if (ok)
        direct_check(&c);
    config_end(&c);
    if (!ok)
        return fail(&err);
    fatal_unless_printed();
    return 0;
}

/* ---------------------------------------------------------------- the command line */

struct arguments {
    struct config_request request;
    struct queue_request q;
    char *joined[sizeof((struct queue_request *)NULL)->word / sizeof(char *)]; /* words made of two */
    size_t njoined;
};

/* Options whose value may be a word of its own */
static bool
has_value(const char *option)
{
    static const char *const names[] = { "--sender", "--recipient", "--account", "--unit", "--uid",
        "--older-than", "--larger-than", "--reason", "--from", "--user" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(option, names[i]) == 0)
            return true;
    return false;
}

static void
add_word(struct queue_request *q, const char *word)
{
    if (q->n == sizeof q->word / sizeof q->word[0])
        fatal(EX_USAGE, "too many words; see smtprelay --help");
    q->word[q->n++] = word;
}

/* One for the daemon, which says what is wrong with it; the number of words it took besides its own */
static int
take_option(struct arguments *a, const char *option, const char *next)
{
    if (strcmp(option, "--yes") == 0) {
        a->q.yes = true;
        return 0;
    }
    a->q.json = a->q.json || strcmp(option, "--json") == 0;
    if (has_value(option) && next) {
        char *both = mem_format("%s=%s", option, next);
        add_word(&a->q, both);
        a->joined[a->njoined++] = both;
        return 1;
    }
    add_word(&a->q, option);
    return 0;
}

/* -f and -n are log's and - is explain's, which look at them by themselves */
static bool
is_word(const struct arguments *a, const char *text)
{
    if (a->q.n == 0)
        return false;
    if (strcmp(a->q.word[0], "explain") == 0)
        return text[1] == '\0';
    return strcmp(a->q.word[0], "log") == 0 && (strcmp(text, "-f") == 0 || strcmp(text, "-n") == 0);
}

/* Options may stand before and behind the command */
static void
parse_arguments(int argc, char **argv, struct arguments *a)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-C", 2) == 0 && (argv[i][2] || i + 1 < argc)) {
            a->request.file = argv[i][2] ? argv[i] + 2 : argv[++i];
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("smtprelay %s\n", version);
            fatal_unless_printed();
            exit(0);
        } else if (strcmp(argv[i], "--help") == 0 || (strcmp(argv[i], "help") == 0 && a->q.n == 0)) {
            help_print(a->q.n ? a->q.word[0] : argv[i + 1]);
            fatal_unless_printed();
            exit(0);
        } else if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
            i += take_option(a, argv[i], argv[i + 1]);
        } else if (strcmp(argv[i], "-C") == 0) {
            fatal(EX_USAGE, "-C: the name of a configuration file is missing");
        } else if (argv[i][0] == '-' && !is_word(a, argv[i])) {
            fatal(EX_USAGE, "unknown option %s; see smtprelay --help", argv[i]);
        } else {
            add_word(&a->q, argv[i]);
        }
    }
}

/* The command comes first, wherever the options stood; `queue show` says the same as `show` */
static void
order_words(struct arguments *a)
{
    const char **w = a->q.word;
    size_t at = 0;

    while (at < a->q.n && strncmp(w[at], "--", 2) == 0)
        at++;
    if (at == a->q.n && at > 0)
        fatal(EX_USAGE, "%s: a command is missing; see smtprelay --help", w[0]);
    if (at == a->q.n)
        fatal(EX_USAGE, "a command is missing; see smtprelay --help");
    const char *command = w[at];
    for (; at > 0; at--)
        w[at] = w[at - 1];
    w[0] = command;
    if (strcmp(command, "queue") == 0 && a->q.n > 1 && strcmp(w[1], "show") == 0) {
        for (size_t i = 1; i < a->q.n; i++)
            w[i - 1] = w[i];
        a->q.n--;
    }
}

static bool
is_command(const struct arguments *a, const char *name)
{
    return strcmp(a->q.word[0], name) == 0;
}

/* Those that take no message's id */
static void
expect_no_words(const struct arguments *a)
{
    for (size_t i = 1; i < a->q.n; i++)
        if (strcmp(a->q.word[i], "--json") != 0 && strcmp(a->q.word[i], "--watch") != 0)
            fatal(EX_USAGE,
                strncmp(a->q.word[i], "--", 2) == 0 ? "status: unknown option %s; see smtprelay --help"
                                                    : "status: %s: one word too many; see smtprelay --help",
                a->q.word[i]);
}

static noreturn void
fail_unknown(const char *command)
{
    static const char *const names[] = { "check", "test", "status", "queue", "show", "retry", "hold",
        "release", "remove", "why", "log", "explain", "setup", "import" };
    const char *nearest = NULL;
    size_t best = strlen(command) < 4 ? 2 : 3; /* farther is no likeness */

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (text_distance(command, names[i]) < best) {
            nearest = names[i];
            best = text_distance(command, names[i]);
        }
    if (nearest)
        fatal(EX_USAGE, "unknown command %s; did you mean %s?", command, nearest);
    fatal(EX_USAGE, "unknown command %s; see smtprelay --help", command);
}

static const char *
value_of(const char *word, const char *option)
{
    size_t n = strlen(option);

    return strncmp(word, option, n) == 0 && word[n] == '=' && word[n + 1] ? word + n + 1 : NULL;
}

/* check ADDRESS: as root by the configuration as it is now, else by what the daemon has */
static int
check_addresses(const struct arguments *a)
{
    struct queue_request q = { .word = { "trace", "-", "-" }, .n = 3, .direct = a->request.uid == 0 };
    char uid[24];

    for (size_t i = 1; i < a->q.n; i++) {
        const char *word = a->q.word[i], *from = value_of(word, "--from"), *user = value_of(word, "--user");
        struct passwd *pw = user ? getpwnam(user) : NULL;
        if (user && !pw && user[strspn(user, "0123456789")])
            fatal(EX_NOUSER, "%s: there is no such user", user);
        if (user)
            (void)snprintf(uid, sizeof uid, "%s", user);
        if (pw)
            (void)snprintf(uid, sizeof uid, "%lu", (unsigned long)pw->pw_uid);
        if (from)
            q.word[1] = from;
        else if (user)
            q.word[2] = uid;
        else if (strncmp(word, "--", 2) == 0)
            fatal(EX_USAGE, "check: unknown option %s; see smtprelay --help", word);
        else
            add_word(&q, word);
    }
    if (q.n == 3)
        fatal(EX_USAGE, "check: --from and --user need an address; see smtprelay --help");
    return queue_ask(&a->request, &q);
}

/* `queue` and what is done with what it lists */
static int
run_messages(struct arguments *a)
{
    static const char *const commands[] = { "queue", "show", "retry", "hold", "release", "remove" };

    a->q.removes = is_command(a, "remove");
    a->q.progress = true;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (is_command(a, commands[i]))
            return queue_ask(&a->request, &a->q);
    fail_unknown(a->q.word[0]);
}

/* The command's exit code */
static int
run(struct arguments *a)
{
    if (is_command(a, "check"))
        return a->q.n > 1 ? check_addresses(a) : check(&a->request);
    if (is_command(a, "status")) {
        expect_no_words(a);
        return status_ask(&a->request, &a->q);
    }
    if (is_command(a, "explain"))
        return explain_ask(a->request.uid, a->q.word, a->q.n);
    if (is_command(a, "import"))
        return import_run(&a->request, a->q.word, a->q.n);
    if (is_command(a, "test"))
        return test_ask(&a->request, a->q.word, a->q.n);
    if (is_command(a, "setup"))
        return setup_run(&a->request, a->q.word, a->q.n);
    if (is_command(a, "why"))
        return why_ask(&a->request, a->q.word, a->q.n);
    if (is_command(a, "log"))
        return why_log(&a->request, a->q.word, a->q.n);
    return run_messages(a);
}

int
main(int argc, char **argv)
{
    struct arguments a = { .request = { .uid = getuid(), .environ_ = environ } };
    int code;

    mem_program("smtprelay");
    if (!file_open_standard() || !rights_drop() || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return EX_OSERR;
    parse_arguments(argc, argv, &a);
    order_words(&a);
    code = run(&a);
    while (a.njoined)
        free(a.joined[--a.njoined]);
    return code;
}
