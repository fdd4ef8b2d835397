/* SPDX-License-Identifier: ISC */
/* import_run: reads what a parser asks for, shows or writes what it found. Formats are the parsers' matter. */
#include "admin/import_run.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/import.h"
#include "admin/import_spool.h"
#include "admin/import_text.h"
#include "admin/import_write.h"
#include "admin/words.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/within.h"

struct run {
    const struct config_request *req;
    const char *file, *from;
    char *root; /* "" or a folder without a slash at its end */
    bool write, force, spool;
    const struct import_program *program;
    char *path;         /* the main file */
    char *target;       /* our configuration, without root */
    const char *prefix; /* of what is written: root, but what -C names is meant as it stands */
    struct import im;
};

/* ---------------------------------------------------------------- the command line */

static void
parse_words(struct run *r, const char *const words[], size_t n)
{
    const char *root = "";

    for (size_t i = 1; i < n; i++) {
        if (words_take_value(words, n, &i, "--from", &r->from) ||
            words_take_value(words, n, &i, "--root", &root))
            continue;
        if (strcmp(words[i], "--write") == 0)
            r->write = true;
        else if (strcmp(words[i], "--force") == 0)
            r->force = true;
        else if (strcmp(words[i], "--spool") == 0)
            r->spool = true;
        else if (words[i][0] == '-' || r->file)
            fatal(EX_USAGE, "import: %s is not understood; see smtprelay --help", words[i]);
        else
            r->file = words[i];
    }
    if (r->from && !(r->program = import_find_program(slice_of(r->from))))
        fatal(EX_USAGE, "import: --from %s: known are ssmtp, msmtp, nullmailer, dma, esmtp, postfix and exim",
            r->from);
    r->root = mem_dup(root);
    for (size_t len = strlen(r->root); len > 0 && r->root[len - 1] == '/'; len--)
        r->root[len - 1] = '\0';
    r->prefix = r->req->file ? "" : r->root;
}

/* ---------------------------------------------------------------- reading */

/* Where a file of that machine lies here: its links lead to files of its own. Fresh memory. */
static char *
place_of(const char *root, const char *path)
{
    char *full = within(root, path);

    if (!full) /* what is a circle there need not be one to the kernel, which would follow it to files of this machine */
        fatal(EX_CONFIG, "import: %s%s: symbolic links lead in a circle", root, path);
    return full;
}

static bool
read_for_import(struct import *im, const char *path, struct buf *text, struct error *err)
{
    const struct run *r = im->ctx;
    char *full = place_of(r->root, path);
    struct stat st;
    int fd = file_open_regular(full, &st, err);
    bool ok = fd >= 0;

    if (!ok && (errno == ENOENT || errno == ENOTDIR))
        error_init(err);
    ok = ok && file_read_all(fd, text, full, err);
    if (ok && slice_has(buf_slice(text), '\0'))
        ok = error_set(err, ERROR_CONFIG, "%s: there is a NUL byte in it, so it is no configuration", full);
    file_close(&fd);
    free(full);
    return ok;
}

static const char *
find_home(uid_t uid)
{
    const char *home = getenv("HOME");
    const struct passwd *pw = home && *home == '/' ? NULL : getpwuid(uid);

    return home && *home == '/' ? home : pw ? pw->pw_dir : NULL;
}

/* "~/x" and "$/x" */
static char *
expand_path(const struct run *r, const char *path)
{
    const char *base = getenv("XDG_CONFIG_HOME");

    if (*path == '/')
        return mem_dup(path);
    if (*path == '$' && base && *base == '/')
        return mem_format("%s%s", base, path + 1);
    if (!r->im.home)
        return NULL;
    return mem_format("%s%s%s", r->im.home, *path == '$' ? "/.config" : "", path + 1);
}

/* ---------------------------------------------------------------- finding */

static bool
is_there(const struct run *r, const char *path)
{
    char *full = place_of(r->root, path);
    bool there = access(full, F_OK) == 0;

    free(full);
    return there;
}

/* The first of its usual files that is there, of a user's or of the system's; NULL: none. Fresh memory. */
static char *
find_kind(const struct run *r, const struct import_program *p, bool own)
{
    for (const char *const *known = p->paths; *known; known++) {
        char *path = (**known != '/') == own ? expand_path(r, *known) : NULL;
        if (path && is_there(r, path))
            return path;
        free(path);
    }
    return NULL;
}

/* What root asks for is the system's */
static char *
find_file(const struct run *r, const struct import_program *p)
{
    bool own = r->req->uid != 0;
    char *path = find_kind(r, p, own);

    return path ? path : find_kind(r, p, !own);
}

/* The files that programs of this sort have here, into `found`; the last one is the run's. How many. */
static size_t
find_sort(struct run *r, bool server, struct buf *found)
{
    const struct import_program *p;
    size_t n = 0;

    for (size_t i = 0; (p = import_program_at(i)) != NULL; i++) {
        char *path = p->server != server || (r->from && r->program != p) ? NULL : find_file(r, p);
        if (!path)
            continue;
        buf_add_format(found, "%s%s (%s)", found->len ? ", " : "", p->name, path);
        n++;
        free(r->path);
        r->path = path;
        r->program = p;
    }
    return n;
}

/* Without a file being named: exactly one program may have one here. One made for this goes before a mail server that is there, too. */
static bool
find_any(struct run *r, struct error *err)
{
    struct buf found;
    size_t n;

    buf_init(&found, 800);
    n = find_sort(r, false, &found);
    if (n == 0)
        n = find_sort(r, true, &found);
    if (n == 0)
        error_set(err, ERROR_CONFIG, "import: no configuration of %s was found; name the file",
            r->from ? r->from : "a program that is known here");
    else if (n > 1)
        error_set(
            err, ERROR_USAGE, "import: there are several: %s; say which with --from NAME", buf_str(&found));
    buf_clear(&found);
    return n == 1;
}

/* A folder: the one file in it that a program calls its main one */
static char *
find_in_folder(struct run *r, const char *folder)
{
    const struct import_program *p;

    for (size_t i = 0; (p = import_program_at(i)) != NULL; i++) {
        for (const char *const *known = p->paths; *known; known++) {
            char *path = mem_format("%s%s", folder, strrchr(*known, '/'));
            if ((!r->program || r->program == p) && is_there(r, path))
                return path;
            free(path);
        }
    }
    return NULL;
}

static bool
find_named(struct run *r, struct error *err)
{
    char *full;
    struct stat st;
    bool folder;

    r->path = *r->root ? mem_format("%s%s", *r->file == '/' ? "" : "/", r->file) : file_absolute(r->file);
    full = place_of(r->root, r->path);
    folder = stat(full, &st) == 0 && S_ISDIR(st.st_mode);
    free(full);
    if (!folder)
        return true;
    for (size_t len = strlen(r->path); len > 1 && r->path[len - 1] == '/'; len--)
        r->path[len - 1] = '\0';
    full = find_in_folder(r, r->path);
    if (!full)
        return error_set(
            err, ERROR_CONFIG, "import: no configuration that is known here lies in %s", r->file);
    free(r->path);
    r->path = full;
    return true;
}

static bool
load(struct run *r, struct error *err)
{
    struct buf b;
    bool ok;

    if (!(r->file ? find_named(r, err) : find_any(r, err)))
        return false;
    buf_init(&b, IMPORT_TEXT_MAX);
    error_init(err);
    ok = read_for_import(&r->im, r->path, &b, err);
    if (!ok && err->class == ERROR_NONE)
        error_set(err, ERROR_CONFIG, "%s%s: there is no such file", r->root, r->path);
    if (ok && !r->program) {
        r->program = import_recognise(r->path, buf_slice(&b));
        if (!r->program)
            ok = error_set(
                err, ERROR_USAGE, "%s: whose configuration is this? say it with --from NAME", r->path);
    }
    if (ok) {
        r->im.program = r->program->name;
        (void)import_add_source(&r->im, r->path, buf_slice(&b));
    }
    buf_wipe(&b);
    return ok;
}

/* ---------------------------------------------------------------- what cannot hold here */

/* A file that is not there would only stop our configuration from being read */
static void
drop_missing_files(struct run *r)
{
    static const enum config_key keys[] = { CONFIG_TLS_CA_FILE, CONFIG_TLS_CA_DIR, CONFIG_TLS_CERT,
        CONFIG_TLS_KEY };

    for (size_t g = 0; g < r->im.groups; g++)
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            const char *path = import_get(&r->im, g, keys[i]);
            if (!path || !*path || is_there(r, path) || errno != ENOENT)
                continue;
            import_leave(&r->im, (struct import_at){ path, 0 }, slice_of(config_info(keys[i])->name),
                "there is no such file");
            import_unset(&r->im, g, keys[i]);
            if (keys[i] == CONFIG_TLS_CERT)
                import_unset(&r->im, g, CONFIG_TLS_KEY);
        }
}

/* ---------------------------------------------------------------- showing */

static void
show_notes(const char *what, const struct buf *notes)
{
    struct slice rest = buf_slice(notes), line;

    while (slice_cut(&rest, '\n', &line))
        fprintf(stderr, "smtprelay: %s: %.*s\n", what, SLICE_ARG(line));
}

static void
show(struct run *r, struct slice text)
{
    fwrite(text.p, 1, text.len, stdout);
    for (size_t g = 0; g < r->im.groups; g++) {
        char *path = import_text_secret_path(&r->im, g, r->target);
        if (path)
            printf("\n# %s, to be read by nobody else:\n# ***\n", path);
        free(path);
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
collect_files(struct run *r, struct slice text, struct files *f)
{
    for (size_t g = 0; g < r->im.groups; g++) {
        char *path = import_text_secret_path(&r->im, g, r->target);
        char *line = path ? mem_format("%s\n", import_get(&r->im, g, CONFIG_AUTH_PASS)) : NULL;
        if (path)
            add_file(f, place_of(r->prefix, path), slice_of(line));
        mem_free_secret(line);
        free(path);
    }
    add_file(f, place_of(r->prefix, r->target), text);
    for (size_t i = 0; i < f->n; i++)
        f->w[i] = (struct import_write){ .path = f->path[i], .text = buf_slice(&f->text[i]) };
}

/* Secrets that no configuration names */
static void
remove_again(const struct files *f, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (f->w[i].state == IMPORT_WRITE_NEW && unlink(f->w[i].path) == 0)
            printf("%s: removed again\n", f->w[i].path);
}

/* All are looked at before the first is written */
static bool
put_files(struct run *r, struct files *f, struct error *err)
{
    for (size_t i = 0; i < f->n; i++) {
        if (!import_write_look(&f->w[i], err))
            return false;
        if (f->w[i].state == IMPORT_WRITE_OTHER && !r->force)
            return error_set(err, ERROR_CONFIG,
                "%s: there is one already; --force replaces it and keeps the former beside it", f->w[i].path);
    }
    for (size_t i = 0; i < f->n; i++) {
        if (!import_write_put(&f->w[i], err)) {
            remove_again(f, i);
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
check_written(struct run *r, struct error *err)
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

static bool
write_all(struct run *r, struct slice text, struct error *err)
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

static bool
take_spool(struct run *r, struct error *err)
{
    char *folder = place_of(r->root, r->im.spool);
    bool usual = !r->req->file || strcmp(r->target, path_config) == 0;
    char *config = usual && !*r->prefix ? NULL : place_of(r->prefix, r->target);
    struct import_spool s = {
        .program = r->program->name, .folder = folder, .config = config, .dry_run = !r->write
    };
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

/* ---------------------------------------------------------------- all of it */

/* Would this secret take the place of another one? */
static bool
is_taken(struct run *r, size_t group)
{
    char *path = import_text_secret_path(&r->im, group, r->target);
    char *placed = path ? place_of(r->prefix, path) : NULL;
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
static void
choose_secrets(struct run *r)
{
    bool taken = r->force;

    for (unsigned n = 1; taken && n < 1000; n++) {
        taken = false;
        r->im.secrets = n;
        for (size_t g = 0; g < r->im.groups && !taken; g++)
            taken = is_taken(r, g);
    }
}

static bool
make_text(struct run *r, struct buf *text, struct error *err)
{
    struct config c;

    r->target = import_write_target(r->req);
    if (!r->target)
        return error_set(
            err, ERROR_CONFIG, "import: there is no home for a configuration; name it with -C FILE");
    if (!r->program->parse(&r->im, err))
        return false;
    drop_missing_files(r);
    choose_secrets(r);
    import_text_write(&r->im, r->target, text);
    if (text->overflow)
        return error_set(err, ERROR_CONFIG, "%s: too large for a configuration", r->path);
    if (!import_text_check(buf_slice(text), r->target, &c, err))
        return error_context(err, "import: what was found makes no configuration");
    config_end(&c);
    return true;
}

static bool
run(struct run *r, struct error *err)
{
    struct buf text;
    bool ok;

    if (!load(r, err))
        return false;
    buf_init(&text, IMPORT_TEXT_MAX * 4);
    ok = make_text(r, &text, err);
    if (ok && r->spool && !r->im.spool)
        ok = error_set(
            err, ERROR_USAGE, "import: --spool: %s has no queue that can be taken over", r->program->name);
    show_notes("different now", &r->im.told);
    show_notes("not taken over", &r->im.left);
    if (ok && r->write)
        ok = write_all(r, buf_slice(&text), err);
    else if (ok)
        show(r, buf_slice(&text));
    if (ok && r->spool)
        ok = take_spool(r, err);
    if (ok && !r->write)
        fprintf(stderr, "smtprelay: nothing was written; --write makes it %s%s\n", r->prefix, r->target);
    if (fflush(stdout) != 0 && ok)
        ok = error_set(err, ERROR_IO, "cannot write to standard output");
    buf_clear(&text);
    return ok;
}

int
import_run(const struct config_request *req, const char *const words[], size_t n)
{
    struct run r = { .req = req };
    struct error err;
    bool ok;

    error_init(&err);
    import_begin(&r.im);
    r.im.read = read_for_import;
    r.im.ctx = &r;
    r.im.home = find_home(req->uid);
    parse_words(&r, words, n);
    ok = run(&r, &err);
    if (!ok)
        fprintf(stderr, "smtprelay: %s\n", err.text);
    import_end(&r.im);
    free(r.path);
    free(r.root);
    free(r.target);
    return ok ? 0 : (int)err.class;
}
