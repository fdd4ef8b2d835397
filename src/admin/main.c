/* smtprelay: the administrator's program; so far `check`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"
#include "config/file.h"
#include "config/route.h"

extern char **environ;

static const char usage[] =
    "usage: smtprelay [-C FILE] check\n"
    "  check   validate the configuration and show each setting with where it came from\n";

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

/* Options may stand before and behind the command */
static const char *
parse_arguments(int argc, char **argv, struct config_request *req)
{
    const char *command = NULL;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-C", 2) == 0 && (argv[i][2] || i + 1 < argc)) {
            req->file = argv[i][2] ? argv[i] + 2 : argv[++i];
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("smtprelay %s\n", version);
            exit(0);
        } else if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        } else if (argv[i][0] == '-') {
            fatal(EX_USAGE, "unknown option %s; see smtprelay --help", argv[i]);
        } else if (command) {
            fatal(EX_USAGE, "%s: one word too many; see smtprelay --help", argv[i]);
        } else {
            command = argv[i];
        }
    }
    if (!command)
        fatal(EX_USAGE, "a command is missing; see smtprelay --help");
    return command;
}

int
main(int argc, char **argv)
{
    static const char *const later[] = { "test", "setup", "import", "explain", "status", "why", "queue",
        "show", "retry", "hold", "release", "remove" };
    struct config_request req = { .uid = getuid(), .environ_ = environ };
    const char *command;

    mem_program("smtprelay");
    command = parse_arguments(argc, argv, &req);
    if (strcmp(command, "check") == 0)
        return check(&req);
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        if (strcmp(command, later[i]) == 0)
            fatal(EX_CONFIG, "%s: not built yet", command);
    fatal(EX_USAGE, "unknown command %s; see smtprelay --help", command);
}
