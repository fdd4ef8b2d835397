/* SPDX-License-Identifier: ISC */
/* import_run: what is asked for, and what is said about it. Formats are the parsers' matter, files import_find's and import_put's. */
#include "admin/import_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "admin/import_state.h"
#include "admin/import_text.h"
#include "admin/import_write.h"
#include "admin/words.h"
#include "base/mem.h"

/* ---------------------------------------------------------------- the command line */

static void
parse_words(struct import_run *r, const char *const words[], size_t n)
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

/* ---------------------------------------------------------------- what cannot hold here */

/* A file that is not there would only stop our configuration from being read */
static void
drop_missing_files(struct import_run *r)
{
    static const enum config_key keys[] = { CONFIG_TLS_CA_FILE, CONFIG_TLS_CA_DIR, CONFIG_TLS_CERT,
        CONFIG_TLS_KEY };

    for (size_t g = 0; g < r->im.groups; g++)
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            const char *path = import_get(&r->im, g, keys[i]);
            if (!path || !*path || import_find_is_there(r, path) || errno != ENOENT)
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
show(struct import_run *r, struct slice text)
{
    fwrite(text.p, 1, text.len, stdout);
    for (size_t g = 0; g < r->im.groups; g++) {
        char *path = import_text_secret_path(&r->im, g, r->target);
        if (path)
            printf("\n# %s, to be read by nobody else:\n# ***\n", path);
        free(path);
    }
}

/* ---------------------------------------------------------------- all of it */

static bool
make_text(struct import_run *r, struct buf *text, struct error *err)
{
    struct config c;

    r->target = import_write_target(r->req);
    if (!r->target)
        return error_set(
            err, ERROR_CONFIG, "import: there is no home for a configuration; name it with -C FILE");
    if (!r->program->parse(&r->im, err))
        return false;
    drop_missing_files(r);
    import_put_choose(r);
    import_text_write(&r->im, r->target, text);
    if (text->overflow)
        return error_set(err, ERROR_CONFIG, "%s: too large for a configuration", r->path);
    if (!import_text_check(buf_slice(text), r->target, &c, err))
        return error_context(err, "import: what was found makes no configuration");
    config_end(&c);
    return true;
}

static bool
import_all(struct import_run *r, struct error *err)
{
    struct buf text;
    bool ok;

    if (!import_find_load(r, err))
        return false;
    buf_init(&text, IMPORT_TEXT_MAX * 4);
    ok = make_text(r, &text, err);
    if (ok && r->spool && !r->im.spool)
        ok = error_set(
            err, ERROR_USAGE, "import: --spool: %s has no queue that can be taken over", r->program->name);
    show_notes("different now", &r->im.told);
    show_notes("not taken over", &r->im.left);
    if (ok && r->write)
        ok = import_put_all(r, buf_slice(&text), err);
    else if (ok)
        show(r, buf_slice(&text));
    if (ok && r->spool)
        ok = import_put_spool(r, err);
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
    struct import_run r = { .req = req };
    struct error err;
    bool ok;

    error_init(&err);
    import_begin(&r.im);
    r.im.read = import_find_read;
    r.im.ctx = &r;
    r.im.home = import_find_home(req->uid);
    parse_words(&r, words, n);
    ok = import_all(&r, &err);
    if (!ok)
        fprintf(stderr, "smtprelay: %s\n", err.text);
    import_end(&r.im);
    free(r.path);
    free(r.root);
    free(r.target);
    return ok ? 0 : (int)err.class;
}
