/* SPDX-License-Identifier: ISC */
/* import_put: secrets, then the configuration that names them, then the mail that waits. */
#include "admin/import_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/import_spool.h"
#include "admin/import_text.h"
#include "admin/import_write.h"
#include "base/file.h"
#include "base/filesys.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/within.h"

/* ---------------------------------------------------------------- names of secrets */

/* Would this secret take the place of another one? */
static bool
is_taken(struct import_run *r, size_t group)
{
    char *path = import_text_secret_path(&r->im, group, r->target);
    char *placed = path ? import_find_place(r->prefix, path) : NULL;
    char *text = path ? mem_format("%s\n", import_get(&r->im, group, CONFIG_AUTH_PASS)) : NULL;
    struct import_write w = { .path = placed, .text = slice_of(text) };
    struct error ignored; /* whoever writes it will meet that, too */
    bool taken = path && import_write_look(&w, &ignored) && w.state == IMPORT_WRITE_OTHER;

    mem_free_secret(text);
    free(placed);
    free(path);
    return taken;
}

/*
 * With --force the configuration that is there keeps its passwords until the new one stands in its place, and goes with them as FILE.bak:
 * the new one's go into files of other names.
 */
void
import_put_choose(struct import_run *r)
{
    bool taken = r->force;

    for (unsigned n = 1; taken && n < 1000; n++) {
        taken = false;
        r->im.secrets = n;
        for (size_t g = 0; g < r->im.groups && !taken; g++)
            taken = is_taken(r, g);
    }
}

/* ---------------------------------------------------------------- writing */

struct files {
    struct import_write *w;
    char **path;
    struct buf *text;
    size_t n;
};

static void
add_file(struct files *f, char *path, struct slice text)
{
    f->w = mem_resize(f->w, f->n + 1, sizeof *f->w);
    f->path = mem_resize(f->path, f->n + 1, sizeof(char *));
    f->text = mem_resize(f->text, f->n + 1, sizeof *f->text);
    f->path[f->n] = path;
    buf_init(&f->text[f->n], IMPORT_TEXT_MAX * 8);
    buf_add_slice(&f->text[f->n], text);
    f->n++;
}

static void
files_clear(struct files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        buf_wipe(&f->text[i]);
        free(f->path[i]);
        free(f->w[i].backup);
    }
    free(f->w);
    free(f->path);
    free(f->text);
}

/* Secrets first: a configuration never names one that is not there yet */
static void
collect_files(struct import_run *r, struct slice text, struct files *f)
{
    for (size_t g = 0; g < r->im.groups; g++) {
        char *path = import_text_secret_path(&r->im, g, r->target);
        char *line = path ? mem_format("%s\n", import_get(&r->im, g, CONFIG_AUTH_PASS)) : NULL;
        if (path)
            add_file(f, import_find_place(r->prefix, path), slice_of(line));
        mem_free_secret(line);
        free(path);
    }
    add_file(f, import_find_place(r->prefix, r->target), text);
    for (size_t i = 0; i < f->n; i++)
        f->w[i] = (struct import_write){ .path = f->path[i], .text = buf_slice(&f->text[i]) };
}

/* Below another root, where links may change at any time, a file is reached from the folder it is in. -1 with err */
static int
enter_folder(const struct import_run *r, const struct files *f, size_t i, char **name, struct error *err)
{
    int dir = within_folder(r->prefix, f->path[i] + strlen(r->prefix), true, name);

    if (dir >= 0 && fchdir(dir) == 0)
        return dir;
    error_sys(err, ERROR_IO, errno, "cannot reach the folder of %s", f->path[i]);
    file_close(&dir);
    free(*name);
    *name = NULL;
    return -1;
}

static bool
put_below(const struct import_run *r, struct files *f, size_t i, struct error *err)
{
    int here = filesys_folder(AT_FDCWD, ".", false), dir; /* which need not be one we may list */
    struct import_write w = f->w[i];
    char *name, *local;
    bool ok;

    if (here < 0)
        return error_sys(err, ERROR_OS, errno, "the folder this began in");
    dir = enter_folder(r, f, i, &name, err);
    local = mem_format("./%s", name ? name : "");
    w.path = local;
    ok = dir >= 0 && (import_write_put(&w, err) || error_context(err, "%s", f->path[i]));
    if (w.backup)
        f->w[i].backup = mem_format("%s%s", f->path[i], w.backup + strlen(local));
    if (fchdir(here) != 0)
        ok = error_sys(err, ERROR_OS, errno, "cannot go back to the folder this began in");
    file_close(&here);
    file_close(&dir);
    free(w.backup);
    free(local);
    free(name);
    return ok;
}

static bool
put_one(const struct import_run *r, struct files *f, size_t i, struct error *err)
{
    return *r->prefix ? put_below(r, f, i, err) : import_write_put(&f->w[i], err);
}

static bool
remove_file(const struct import_run *r, const char *path)
{
    char *name;
    int dir = within_folder(r->prefix, path + strlen(r->prefix), false, &name);
    bool ok = dir >= 0 && unlinkat(dir, name, 0) == 0;

    file_close(&dir);
    free(name);
    return ok;
}

/* Secrets that no configuration names */
static void
remove_again(const struct import_run *r, const struct files *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (f->w[i].state == IMPORT_WRITE_NEW && remove_file(r, f->w[i].path))
            printf("%s: removed again\n", f->w[i].path);
}

/* All are looked at before the first is written */
static bool
put_files(struct import_run *r, struct files *f, struct error *err)
{
    for (size_t i = 0; i < f->n; i++) {
        if (!import_write_look(&f->w[i], err))
            return false;
        if (f->w[i].state == IMPORT_WRITE_OTHER && !r->force)
            return error_set(err, ERROR_CONFIG,
                "%s: there is one already; --force replaces it and keeps the former beside it", f->w[i].path);
    }
    for (size_t i = 0; i < f->n; i++) {
        if (!put_one(r, f, i, err)) {
            remove_again(r, f, i);
            return false;
        }
        printf("%s: %s", f->w[i].path,
            f->w[i].state == IMPORT_WRITE_SAME ? "it is the same already" : "written");
        if (f->w[i].backup)
            printf("; the former is %s", f->w[i].backup);
        putchar('\n');
    }
    return true;
}

/* What was written, as `smtprelay check` reads it */
static bool
check_written(struct import_run *r, struct error *err)
{
    struct config_request req = *r->req;
    struct config c;
    bool ok;

    if (*r->prefix)
        return true; /* it is for another machine, or for this one later */
    req.file = r->target;
    if (!config_load(&req, &c, err))
        return false;
    ok = config_check_files(&c, err);
    config_end(&c);
    return ok;
}

bool
import_put_all(struct import_run *r, struct slice text, struct error *err)
{
    struct files f = { 0 };
    bool ok;

    collect_files(r, text, &f);
    ok = put_files(r, &f, err) && check_written(r, err);
    files_clear(&f);
    if (ok)
        printf("Try it with: smtprelay test you@example.com\n");
    return ok;
}

/* ---------------------------------------------------------------- mail that waits */

bool
import_put_spool(struct import_run *r, struct error *err)
{
    char *folder = import_find_place(r->root, r->im.spool);
    bool usual = !r->req->file || strcmp(r->target, path_config) == 0;
    char *config = usual && !*r->prefix ? NULL : import_find_place(r->prefix, r->target);
    struct import_spool s = { .program = r->program->name,
        .root = r->root,
        .path = r->im.spool,
        .folder = folder,
        .config = config,
        .dry_run = !r->write };
    bool ok = import_spool_take(&s, err);

    if (ok && s.dry_run)
        fprintf(stderr, "smtprelay: %s: %zu message%s would be taken over, %zu left there\n", folder,
            s.found - s.kept, s.found - s.kept == 1 ? "" : "s", s.kept);
    else if (ok)
        printf("%s: %zu message%s taken over, %zu left there\n", folder, s.taken, s.taken == 1 ? "" : "s",
            s.kept);
    if (ok && s.kept && !s.dry_run)
        ok = error_set(
            err, ERROR_TEMP, "import: some messages were left in %s; the lines above say why", folder);
    free(config);
    free(folder);
    return ok;
}
