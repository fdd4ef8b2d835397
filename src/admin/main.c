/* smtprelay: the administrator's program; so far `check`, `status`, `queue`, `show`, `why` and `log`. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/queue.h"
#include "admin/why.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/rights.h"
#include "base/text.h"
#include "config/file.h"
#include "config/route.h"

extern char **environ;

static const char usage[] =
    "usage: smtprelay [-C FILE] check | status | queue | show ID | why ID|ADDRESS|--last [N] | log [-f] [-n "
    "N]\n"
    "  check     validate the configuration and show each setting with where it came from\n"
    "  status    what waits and why, account by account, and what to do\n"
    "  queue     what waits, a line a message\n"
    "  show ID   one message of the queue\n"
    "  why       what became of a message, attempt by attempt, with the smarthost's words\n"
    "  log       what happened last; with -f go on with what happens\n";

/* ---------------------------------------------------------------- check */

/* A text as libconfig reads it */
static void
print_quoted(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
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

static void
print_account(const struct config *c, size_t account)
{
    printf("%s# account %s\n", account ? "\n" : "", config_account_name(c, account));
    for (size_t i = 0; i < CONFIG_CA_PEM; i++) {
        const struct config_value *v = config_value(c, account, (enum config_key)i);
        if (!v->set || (account > 0 && i > CONFIG_LAST_OF_ACCOUNT && i < CONFIG_NAME) ||
            (account == 0 && i >= CONFIG_NAME))
            continue;
        printf("%s = ", config_info((enum config_key)i)->name);
        print_value(v, config_info((enum config_key)i));
        printf(";  # %s\n", v->origin ? v->origin : "default");
    }
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
    ok = config_check_files(&c, &err) && route_check_aliases(&c, &aliases, &err);
    if (ok)
        printf("# configuration: %s\n\n", c.path ? c.path : "the environment alone");
    for (size_t a = 0; ok && a < c.n; a++)
        print_account(&c, a);
    print_warnings(&c);
    config_end(&c);
    if (!ok)
        return fail(&err);
    if (fflush(stdout) != 0)
        fatal(EX_IOERR, "cannot write to standard output");
    return 0;
}

/* ---------------------------------------------------------------- the command line */

struct arguments {
    struct config_request request;
    const char *word[5]; /* the command and what it takes */
    size_t n;
};

/* What only some commands take is looked at by them */
static bool
is_word(const struct arguments *a, const char *text)
{
    return (a->n == 1 && strcmp(a->word[0], "why") == 0 && strcmp(text, "--last") == 0) ||
           (a->n > 0 && strcmp(a->word[0], "log") == 0);
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
            exit(0);
        } else if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        } else if (argv[i][0] == '-' && !is_word(a, argv[i])) {
            fatal(EX_USAGE, "unknown option %s; see smtprelay --help", argv[i]);
        } else if (a->n == sizeof a->word / sizeof a->word[0]) {
            fatal(EX_USAGE, "%s: one word too many; see smtprelay --help", argv[i]);
        } else {
            a->word[a->n++] = argv[i];
        }
    }
    if (a->n == 0)
        fatal(EX_USAGE, "a command is missing; see smtprelay --help");
}

static bool
is_command(const struct arguments *a, const char *name, size_t words)
{
    if (strcmp(a->word[0], name) != 0)
        return false;
    if (a->n > words)
        fatal(EX_USAGE, "%s: one word too many; see smtprelay --help", a->word[words]);
    if (a->n < words)
        fatal(EX_USAGE, "%s: the id of a message is missing; see smtprelay queue", name);
    return true;
}

int
main(int argc, char **argv)
{
    static const char *const later[] = { "test", "setup", "import", "explain", "retry", "hold", "release",
        "remove" };
    struct arguments a = { .request = { .uid = getuid(), .environ_ = environ } };

    mem_program("smtprelay");
    if (!file_open_standard() || !rights_drop() || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return EX_OSERR;
    parse_arguments(argc, argv, &a);
    if (strcmp(a.word[0], "queue") == 0 && a.n > 1 && strcmp(a.word[1], "show") == 0) {
        a.word[0] = "show"; /* both ways to say it */
        a.word[1] = a.word[2];
        a.n--;
    }
    if (is_command(&a, "check", 1))
        return check(&a.request);
    if (is_command(&a, "status", 1) || is_command(&a, "queue", 1) || is_command(&a, "show", 2))
        return queue_ask(&a.request, a.word, a.n);
    if (strcmp(a.word[0], "why") == 0)
        return why_ask(&a.request, a.word, a.n);
    if (strcmp(a.word[0], "log") == 0)
        return why_log(&a.request, a.word, a.n);
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        if (strcmp(a.word[0], later[i]) == 0)
            fatal(EX_CONFIG, "%s: not built yet", a.word[0]);
    fatal(EX_USAGE, "unknown command %s; see smtprelay --help", a.word[0]);
}
