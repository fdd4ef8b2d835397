/* SPDX-License-Identifier: ISC */
/* setup_text: a few lines of libconfig, and the difference of two sets of lines. */
#include "admin/setup_text.h"

#include <string.h>

#include "admin/import_text.h"
#include "base/text.h"

static void
add(struct buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    buf_add_format(out, "%s = ", name);
    import_text_quote(out, value);
    buf_add_str(out, ";\n");
}

/* true and false are no texts there */
static void
add_tls(struct buf *out, const char *tls)
{
    if (tls && (strcmp(tls, "true") == 0 || strcmp(tls, "false") == 0))
        buf_add_format(out, "UseTLS = %s;\n", tls);
    else
        add(out, "UseTLS", tls);
}

void
setup_text_write(const struct setup_account *a, struct buf *out)
{
    buf_add_str(out, "# Made by `smtprelay setup ");
    text_add_escaped(out, slice_of(a->address));
    buf_add_str(out, "`; smtprelay.conf(5) has all settings.\n\n");
    add(out, "provider", a->provider);
    add(out, "mailhub", a->mailhub);
    add_tls(out, a->tls);
    add(out, "TLS_CA_File", a->ca_file);
    add(out, "AuthUser", a->user);
    add(out, "AuthPassFile", a->secret_file);
    add(out, "AuthPass", a->secret);
    add(out, "AuthPassCommand", a->command);
    add(out, "From", a->address);
}

/* ---------------------------------------------------------------- comparing */

static bool
has_line(struct slice text, struct slice line)
{
    struct slice other;

    while (slice_cut(&text, '\n', &other))
        if (slice_eq(slice_trim(other), line))
            return true;
    return false;
}

/* Some way below a group, in a comment: wherever AuthPass stands, a password may follow */
static bool
has_secret(struct slice line)
{
    for (size_t i = 0; i + 8 <= line.len; i++)
        if (slice_starts_nocase(slice_from(line, i), "authpass") &&
            !slice_starts_nocase(slice_from(line, i), "authpassfile"))
            return true;
    return false;
}

static void
add_missing(struct slice text, struct slice other, char sign, struct buf *out)
{
    struct slice line;
    bool secret = false; /* its value may stand on the next line */

    while (slice_cut(&text, '\n', &line)) {
        line = slice_trim(line);
        secret = secret || has_secret(line);
        if (line.len && !has_line(other, line)) {
            buf_add_format(out, "%c ", sign);
            if (secret)
                buf_add_str(out, "AuthPass... ***");
            else
                text_add_escaped(out, line);
            buf_add_char(out, '\n');
        }
        secret = secret && !(line.len && line.p[0] == '#') && !slice_has(line, ';');
    }
}

void
setup_text_compare(struct slice before, struct slice after, struct buf *out)
{
    add_missing(before, after, '-', out);
    add_missing(after, before, '+', out);
}
