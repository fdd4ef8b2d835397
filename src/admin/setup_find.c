/* SPDX-License-Identifier: ISC */
/* setup_find: before anybody types a password, whether there is somebody to send it to. What cannot be asked is left to the test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/look.h"
#include "admin/setup_edit.h"
#include "admin/setup_state.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"
#include "config/config.h"

enum { LINES_MAX = 10000, SHOWN_MAX = 1000 };

static char *
user_of(const struct setup *s)
{
    struct buf user;
    bool found;

    buf_init(&user, SETUP_TEXT_MAX);
    found = setup_edit_find(buf_slice(&s->before), NULL, "User", &user);
    if (!found)
        buf_add_str(&user, config_info(CONFIG_USER)->standard);
    return buf_steal(&user);
}

/* "found HOST PORT" lines, or "none", or "unknown WHY" */
static bool
take_lines(const struct setup *s, struct slice lines, struct error *err)
{
    const char *domain = s->a.mailhub + strlen("srv:");
    char shown[SHOWN_MAX];
    struct slice line = slice_of("");

    if (slice_is(lines, "none\n"))
        return error_set(err, ERROR_USAGE,
            "setup: %s: the domain names no submission server (SRV); say whose mailboxes they are by "
            "--provider NAME (gmail, office365 and so on), or the smarthost by --mailhub HOST:PORT",
            domain);
    if (slice_cut(&lines, ' ', &line) && slice_is(line, "unknown")) {
        (void)text_escape(shown, sizeof shown, slice_trim(lines));
        return error_set(err, ERROR_TEMP,
            "setup: %s: %s; --mailhub HOST:PORT names the smarthost, --no-test asks nobody", domain, shown);
    }
    if (slice_is(line, "found") && slice_cut(&lines, '\n', &line)) {
        (void)text_escape(shown, sizeof shown, line);
        fprintf(stderr, "smtprelay: srv:%s: %s\n", domain, shown);
    }
    return true;
}

bool
setup_find(const struct setup *s, struct error *err)
{
    char *argv[] = { mem_dup(path_worker), mem_dup("--hubs"), user_of(s),
        mem_dup(s->a.mailhub + strlen("srv:")), NULL };
    struct buf lines;
    bool ok = true;

    buf_init(&lines, LINES_MAX);
    if (look_by_worker(argv, &lines, err))
        ok = take_lines(s, buf_slice(&lines), err);
    buf_clear(&lines);
    for (char **p = argv; *p; p++)
        free(*p);
    return ok;
}
