/* SPDX-License-Identifier: ISC */
/* explanations: reads files whole; what stands in them is mail/explain's. */
#include "config/explanations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ask.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"

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

/* Each that is there, in its order; warnings as lines */
static void
read_all(
    uid_t uid, void (*take)(void *ctx, const char *path, struct slice text), void *ctx, struct buf *warnings)
{
    char *path[FILES] = { mem_format("%s/explanations", path_data), beside_system(), beside_own(uid) };
    struct buf text;

    buf_init(&text, EXPLAIN_TEXT_MAX);
    for (size_t i = 0; i < FILES; i++) {
        buf_reset(&text);
        if (path[i] && read_file(path[i], &text, warnings))
            take(ctx, path[i], buf_slice(&text));
        free(path[i]);
    }
    buf_clear(&text);
}

struct loading {
    struct explain *table;
    struct buf *warnings;
};

static void
load_one(void *ctx, const char *path, struct slice text)
{
    struct loading *l = ctx;
    struct error err;

    if (!explain_add(l->table, path, text, &err))
        warn(l->warnings, err.text);
}

struct explain *
explanations_load(uid_t uid, struct buf *warnings)
{
    struct loading l = { explain_new(), warnings };

    read_all(uid, load_one, &l, warnings);
    return l.table;
}

void
explanations_check(struct config *c, uid_t uid)
{
    explain_free(explanations_load(uid, &c->warnings));
}

static void
encode_one(void *ctx, const char *path, struct slice text)
{
    struct buf *flat = ctx;

    (void)path;
    if (slice_has(text, '\0')) /* a warning has said so */
        return;
    buf_add_str(flat, CONFIG_FLAT_EXPLANATIONS "=");
    text_percent_encode(flat, text);
    buf_add_char(flat, '\n');
}

void
explanations_encode(uid_t uid, struct buf *flat)
{
    read_all(uid, encode_one, flat, NULL);
}

static void
add_line(struct explain *t, struct slice line)
{
    struct slice name = slice_of("");
    struct error warned_before;
    struct buf text;

    if (!slice_cut(&line, '=', &name) || !slice_is(name, CONFIG_FLAT_EXPLANATIONS))
        return;
    buf_init(&text, EXPLAIN_TEXT_MAX);
    if (text_percent_decode(&text, line))
        (void)explain_add(t, "explanations", buf_slice(&text), &warned_before);
    buf_clear(&text);
}

/* Its offset is of no matter: several may read it, one after the other */
struct explain *
explanations_of(const struct config *c)
{
    struct explain *t = explain_new();
    struct slice rest, line;
    struct stat st;
    char *flat;

    if (c->handed_over <= 0 || fstat(c->handed_over, &st) != 0 || st.st_size <= 0)
        return t;
    flat = mem_alloc((size_t)st.st_size);
    rest = slice_make(flat, (size_t)st.st_size);
    if (file_pread(c->handed_over, flat, rest.len, 0))
        while (slice_cut(&rest, '\n', &line))
            add_line(t, line);
    free(flat);
    return t;
}
