/* SPDX-License-Identifier: ISC */
/* setup_text: the settings of an account, and the difference of two sets of lines. */
#include "admin/setup_text.h"

#include <string.h>

#include "admin/import_text.h"
#include "admin/setup_edit.h"
#include "base/mem.h"
#include "base/text.h"

enum { SETTINGS_MAX = 20, VALUE_MAX = 8192 };

struct settings {
    struct setup_setting s[SETTINGS_MAX];
    char *value[SETTINGS_MAX]; /* the same, to be freed */
    size_t n;
};

/* NULL: it goes */
static void
add_bare(struct settings *all, const char *name, const char *value)
{
    all->value[all->n] = value ? mem_dup(value) : NULL;
    all->s[all->n] = (struct setup_setting){ name, all->value[all->n] };
    all->n++;
}

static void
add(struct settings *all, const char *name, const char *value)
{
    struct buf b;

    buf_init(&b, VALUE_MAX);
    if (value)
        import_text_quote(&b, value);
    add_bare(all, name, value ? buf_str(&b) : NULL);
    buf_wipe(&b);
}

/* true and false are no texts there */
static void
add_tls(struct settings *all, const char *tls)
{
    if (tls && (strcmp(tls, "true") == 0 || strcmp(tls, "false") == 0))
        add_bare(all, "UseTLS", tls);
    else
        add(all, "UseTLS", tls);
}

/*
 * Of another smarthost's: what only holds for that one goes. An account would inherit it from above, so there it says the opposite.
 */
static void
add_tls_settings(struct settings *all, struct slice before, const struct setup_account *a)
{
    bool below = a->account != NULL;

    if (a->tls || !a->keeps_hub)
        add_tls(all,
            a->tls ? a->tls
            : below && (setup_edit_has(before, NULL, "UseTLS") || setup_edit_has(before, NULL, "UseSTARTTLS"))
                ? "true"
                : NULL);
    if (a->ca_file || !a->keeps_hub)
        add(all, "TLS_CA_File",
            a->ca_file                                             ? a->ca_file
            : below && setup_edit_has(before, NULL, "TLS_CA_File") ? ""
                                                                   : NULL);
    if (a->keeps_hub)
        return;
    add_bare(all, "UseSTARTTLS", NULL);
    add_bare(all, "TLSFingerprint", below && setup_edit_has(before, NULL, "TLSFingerprint") ? "( )" : NULL);
    add_bare(all, "TLSVerify", below && setup_edit_has(before, NULL, "TLSVerify") ? "true" : NULL);
}

static void
add_login(struct settings *all, struct slice before, const struct setup_account *a)
{
    bool inherits = a->account && setup_edit_has(before, NULL, "AuthUser");

    add(all, "AuthUser", a->user ? a->user : inherits ? "" : NULL);
    add(all, "AuthPassFile", a->secret_file);
    add(all, "AuthPass", a->secret);
    add(all, "AuthPassCommand", a->command);
}

static void
add_hub(struct settings *all, struct slice before, const struct setup_account *a)
{
    bool chosen =
        setup_edit_has(before, a->account, "sender") || setup_edit_has(before, a->account, "user") ||
        setup_edit_has(before, a->account, "recipient") || setup_edit_has(before, a->account, "name");

    if (a->account && !chosen)
        add(all, "sender", a->address);
    if (a->keeps_hub)
        return;
    add(all, "provider", a->provider);
    add(all, "mailhub", a->mailhub);
}

bool
setup_text_write(struct slice before, const struct setup_account *a, struct buf *out)
{
    struct settings all = { .n = 0 };
    bool ok;

    if (slice_trim(before).len == 0) {
        buf_add_str(out, "# Made by `smtprelay setup ");
        text_add_escaped(out, slice_of(a->address));
        buf_add_str(out, "`; smtprelay.conf(5) has all settings.\n\n");
    }
    add_hub(&all, before, a);
    add_tls_settings(&all, before, a);
    add_login(&all, before, a);
    add(&all, "From", a->address);
    ok = setup_edit(before, a->account, all.s, all.n, out);
    while (all.n)
        mem_free_secret(all.value[--all.n]);
    return ok;
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

/* Octets of whole lines that are the same at the beginning of both */
static size_t
count_same(struct slice a, struct slice b)
{
    size_t same = 0;

    for (size_t i = 0; i < a.len && i < b.len && a.p[i] == b.p[i]; i++)
        if (a.p[i] == '\n')
            same = i + 1;
    return same;
}

static size_t
count_same_end(struct slice a, struct slice b)
{
    size_t same = 0;

    for (size_t i = 1; i < a.len && i < b.len && a.p[a.len - i] == b.p[b.len - i]; i++)
        if (a.p[a.len - i - 1] == '\n' && b.p[b.len - i - 1] == '\n')
            same = i;
    return same;
}

void
setup_text_compare(struct slice before, struct slice after, struct buf *out)
{
    size_t same = count_same(before, after), end;

    before = slice_from(before, same);
    after = slice_from(after, same);
    end = count_same_end(before, after);
    before.len -= end;
    after.len -= end;
    add_missing(before, after, '-', out);
    add_missing(after, before, '+', out);
}
