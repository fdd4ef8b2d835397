/* SPDX-License-Identifier: ISC */
/* setup_secret: from a file, a pipe or a person; only a person is asked again. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/setup_ask.h"
#include "admin/setup_state.h"
#include "base/file.h"
#include "base/mem.h"

static bool
first_line(int fd, const char *name, struct buf *out, struct error *err)
{
    bool ok = file_read_all(fd, out, name, err);
    size_t end = slice_find(buf_slice(out), '\n');

    if (!ok)
        return false;
    if (end < out->len)
        buf_truncate(out, end);
    if (out->len && out->data[out->len - 1] == '\r')
        buf_truncate(out, out->len - 1);
    return out->len > 0 || error_set(err, ERROR_USAGE, "the first line of %s is empty", name);
}

static bool
read_secret_file(struct setup *s, struct error *err)
{
    struct stat st;
    int fd = file_open_regular(s->password_file, &st, err);
    bool ok = fd >= 0 && first_line(fd, s->password_file, &s->secret, err);

    file_close(&fd);
    return ok;
}

static bool
ask_person(const struct setup *s, struct buf *secret, struct error *err)
{
    char *prompt = mem_format("Password of %s (it is not shown): ", s->a.user        ? s->a.user
                                                                    : s->preset_user ? s->preset_user
                                                                                     : s->a.address);
    bool ok = setup_ask_secret(prompt, secret, err);

    free(prompt);
    return ok;
}

bool
setup_secret_get(struct setup *s, struct error *err)
{
    if (s->no_login || s->a.command)
        return true;
    if (s->password_file)
        return read_secret_file(s, err);
    if (!isatty(STDIN_FILENO))
        return first_line(STDIN_FILENO, "standard input", &s->secret, err) ||
               error_context(err, "setup: no password was given (there is no terminal to ask at)");
    if (s->hint)
        fprintf(stderr, "The password has to be %s\n", s->hint);
    s->is_typed = true;
    return ask_person(s, &s->secret, err);
}

bool
setup_secret_again(struct setup *s)
{
    struct buf other;
    struct error ignored; /* nothing was typed: that is the end of it */
    bool ok;

    if (!s->is_typed)
        return false;
    buf_init(&other, SETUP_SECRET_MAX);
    (void)fflush(stdout);
    fprintf(stderr, "\nThe smarthost refuses this login. Type the password again, or nothing to stop.\n");
    ok = ask_person(s, &other, &ignored);
    if (ok && slice_eq(buf_slice(&other), buf_slice(&s->secret))) {
        fprintf(stderr, "smtprelay: that is the same password; it was not sent again\n");
        ok = false;
    }
    if (ok) {
        buf_wipe(&s->secret);
        buf_init(&s->secret, SETUP_SECRET_MAX);
        buf_add_slice(&s->secret, buf_slice(&other));
    }
    buf_wipe(&other);
    return ok;
}
