/* SPDX-License-Identifier: ISC */
/* direct: runs the worker and shows its lines. */
#include "admin/direct.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/look.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"
#include "config/road.h"

enum { LINES_MAX = 100000, NAME_SHOWN = 200 };

/* The domain that mail of this account comes from */
static const char *
sender_domain(const struct config *c, size_t a)
{
    const char *from = config_text(c, a, CONFIG_FROM), *at = from ? strrchr(from, '@') : NULL;
    const char *domain = config_text(c, a, CONFIG_REWRITE_DOMAIN);

    return at ? at + 1 : domain ? domain : config_text(c, a, CONFIG_HOSTNAME);
}

static void
show(const char *account, struct slice lines)
{
    struct slice line;
    char shown[2000];

    printf("\n# direct delivery, account %s\n", account);
    while (slice_cut(&lines, '\n', &line)) {
        bool missing = line.len > 2 && line.p[0] == '!';
        text_escape(shown, sizeof shown, slice_from(line, 2));
        if (missing)
            fprintf(stderr, "smtprelay: warning: account %s: %s\n", account, shown);
        else
            printf("# %s\n", shown);
    }
}

static void
check_account(const struct config *c, size_t a)
{
    const char *source = config_text(c, a, CONFIG_SOURCE_ADDRESS);
    char *argv[] = { mem_dup(path_worker), mem_dup("--standing"), mem_dup(config_text(c, 0, CONFIG_USER)),
        mem_dup(config_text(c, a, CONFIG_HOSTNAME)), mem_dup(sender_domain(c, a)),
        source ? mem_dup(source) : NULL, NULL };
    char name[NAME_SHOWN];
    struct error err;
    struct buf lines;

    (void)text_escape(name, sizeof name, slice_of(config_account_name(c, a)));
    buf_init(&lines, LINES_MAX);
    if (!look_by_worker(argv, &lines, &err))
        fprintf(stderr, "smtprelay: warning: account %s: %s\n", name, err.text);
    else if (lines.len)
        show(name, buf_slice(&lines));
    else
        fprintf(
            stderr, "smtprelay: warning: account %s: what others see of this machine is not known\n", name);
    buf_clear(&lines);
    for (char **p = argv; *p; p++)
        free(*p);
}

void
direct_check(const struct config *c)
{
    for (size_t a = 0; a < c->n; a++)
        if (road_is_direct(c, a))
            check_account(c, a);
}
