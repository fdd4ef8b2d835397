/* smtprelay: the administrator's program; so far `check`. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"
#include "config/file.h"

extern char **environ;

static const char usage[] =
    "usage: smtprelay [-C FILE] check\n"
    "  check   validate the configuration and show each setting with where it came from\n";

static void
print_value(const struct config_value *v, const struct config_info *info)
{
    for (size_t i = 0; i < v->n; i++) {
        char shown[300];
        text_escape(shown, sizeof shown, slice_of(info->secret ? "***" : v->item[i]));
        printf("%s\"%s\"", i ? ", " : "", shown);
    }
}

static void
print_account(const struct config *c, size_t account)
{
    printf("%s# account %s\n", account ? "\n" : "", config_account_name(c, account));
    for (size_t i = 0; i < CONFIG_CA_PEM; i++) {
        const struct config_value *v = config_value(c, account, (enum config_key)i);
        if (!v->set || (account > 0 && i > CONFIG_LAST_OF_ACCOUNT && i < CONFIG_NAME))
            continue;
        printf("%s = ", config_info((enum config_key)i)->name);
        print_value(v, config_info((enum config_key)i));
        printf(";  # %s\n", v->origin ? v->origin : "default");
    }
}

static int
check(const struct config_request *req)
{
    struct config c;
    struct error err;

    if (!config_load(req, &c, &err)) {
        fprintf(stderr, "smtprelay: %s\n", err.text);
        return (int)err.class;
    }
    for (size_t a = 0; a < c.n; a++)
        print_account(&c, a);
    if (c.warnings.len)
        fprintf(stderr, "smtprelay: warning: %s", buf_str(&c.warnings));
    config_end(&c);
    return 0;
}

int
main(int argc, char **argv)
{
    struct config_request req = { .uid = getuid(), .environ_ = environ };
    int i = 1;

    mem_program("smtprelay");
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-C") == 0 && i + 1 < argc) {
            req.file = argv[++i];
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("smtprelay %s\n", version);
            return 0;
        } else if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        } else {
            fatal(EX_USAGE, "unknown option %s; see smtprelay --help", argv[i]);
        }
    }
    if (i >= argc)
        fatal(EX_USAGE, "a command is missing; see smtprelay --help");
    if (strcmp(argv[i], "check") == 0)
        return check(&req);
    fatal(EX_CONFIG, "%s: not built yet", argv[i]);
}
