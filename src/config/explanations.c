/* SPDX-License-Identifier: ISC */
/* explanations: reads files whole; what stands in them is mail/explain's. */
#include "config/explanations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ask.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"

enum { FILES = 3 };

/* "/etc/smtprelay.conf" -> "/etc/smtprelay/explanations" */
static char *
beside_system(void)
{
    size_t n = strlen(path_config) - strlen(".conf");

    return mem_format("%.*s/explanations", (int)n, path_config);
}

/* ".../smtprelay/config" -> ".../smtprelay/explanations"; NULL: there is no own configuration */
static char *
beside_own(uid_t uid)
{
    char *own = ask_own_config(uid), *path = NULL;

    if (own)
        path = mem_format("%.*s/explanations", (int)(strrchr(own, '/') - own), own);
    free(own);
    return path;
}

static void
warn(struct buf *warnings, const char *text)
{
    if (warnings)
        buf_add_format(warnings, "%s\n", text);
}

/* False: it is not there, or cannot be read, which is warned of */
static bool
read_file(const char *path, struct buf *text, struct buf *warnings)
{
    struct stat st;
    struct error err;
    int fd = file_open_regular(path, &st, &err);
    bool ok;

    if (fd < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            warn(warnings, err.text);
        return false;
    }
    ok = file_read_all(fd, text, path, &err);
    file_close(&fd);
    if (!ok)
        warn(warnings, err.text);
    return ok;
}

/* Each that is there to `t`, and its text to `c` (may be NULL) */
static void
load_all(struct explain *t, struct config *c, uid_t uid, struct buf *warnings)
{
    char *path[FILES] = { mem_format("%s/explanations", path_data), beside_system(), beside_own(uid) };
    struct error err;
    struct buf text;

    buf_init(&text, EXPLAIN_TEXT_MAX);
    for (size_t i = 0; i < FILES; i++) {
        buf_reset(&text);
        if (path[i] && read_file(path[i], &text, warnings)) {
            if (!explain_add(t, path[i], buf_slice(&text), &err))
                warn(warnings, err.text);
            if (c && !config_set(c, 0, CONFIG_EXPLANATIONS, buf_slice(&text), false, path[i], &err))
                warn(warnings, err.text);
        }
        free(path[i]);
    }
    buf_clear(&text);
}

struct explain *
explanations_load(uid_t uid, struct buf *warnings)
{
    struct explain *t = explain_new();

    load_all(t, NULL, uid, warnings);
    return t;
}

void
explanations_fetch(struct config *c, uid_t uid)
{
    struct explain *t = explain_new();

    load_all(t, c, uid, &c->warnings);
    explain_free(t);
}

struct explain *
explanations_of(const struct config *c)
{
    const struct config_value *v = config_value(c, 0, CONFIG_EXPLANATIONS);
    struct explain *t = explain_new();
    struct error warned_before;

    for (size_t i = 0; i < v->n; i++)
        (void)explain_add(t, "explanations", slice_of(v->item[i]), &warned_before);
    return t;
}
