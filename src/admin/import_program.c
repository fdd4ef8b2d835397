/* SPDX-License-Identifier: ISC */
/* import_program: which programs there are, where their files lie, and how they look. */
#include <string.h>

#include "admin/import.h"

static const char *const ssmtp_paths[] = { "/etc/ssmtp/ssmtp.conf", "/etc/ssmtp.conf",
    "/usr/local/etc/ssmtp/ssmtp.conf", NULL };
static const char *const msmtp_paths[] = { "~/.msmtprc", "$/msmtp/config", "/etc/msmtprc",
    "/usr/local/etc/msmtprc", NULL };
static const char *const nullmailer_paths[] = { "/etc/nullmailer/remotes",
    "/usr/local/etc/nullmailer/remotes", NULL };
static const char *const dma_paths[] = { "/etc/dma/dma.conf", "/usr/local/etc/dma/dma.conf", NULL };
static const char *const esmtp_paths[] = { "~/.esmtprc", "/etc/esmtprc", NULL };
static const char *const postfix_paths[] = { "/etc/postfix/main.cf", "/usr/local/etc/postfix/main.cf", NULL };
static const char *const exim_paths[] = { "/etc/exim4/update-exim4.conf.conf", NULL };

static const struct import_program programs[] = {
    { "ssmtp", ssmtp_paths, import_ssmtp, NULL, false },
    { "msmtp", msmtp_paths, import_msmtp, NULL, false },
    { "nullmailer", nullmailer_paths, import_nullmailer, "/var/spool/nullmailer", false },
    { "dma", dma_paths, import_dma, "/var/spool/dma", false },
    { "esmtp", esmtp_paths, import_esmtp, NULL, false },
    { "postfix", postfix_paths, import_postfix, NULL, true },
    { "exim", exim_paths, import_exim, NULL, true },
};

const struct import_program *
import_program_at(size_t i)
{
    return i < sizeof programs / sizeof programs[0] ? &programs[i] : NULL;
}

const struct import_program *
import_find_program(struct slice name)
{
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (slice_is_nocase(name, programs[i].name))
            return &programs[i];
    return slice_is_nocase(name, "exim4") ? import_find_program(slice_of("exim")) : NULL;
}

/* ---------------------------------------------------------------- by path */

static struct slice
last_part(struct slice path)
{
    size_t slash = slice_find_last(path, '/');

    return slash < path.len ? slice_from(path, slash + 1) : path;
}

/* The last part of one of its usual paths; "config" and "remotes" only with the folder before it */
static bool
fits_path(const struct import_program *p, struct slice path)
{
    for (const char *const *known = p->paths; *known; known++) {
        struct slice name = last_part(slice_of(*known));
        if (slice_is(name, "config") ? slice_ends_nocase(path, "/msmtp/config")
                                     : slice_eq(last_part(path), name))
            return true;
    }
    return false;
}

/* ---------------------------------------------------------------- by content */

/* The first word of a line tells it; several programs have `hostname`, so that is no sign */
static const struct sign {
    const char *key, *program;
} signs[] = {
    { "mailhub=", "ssmtp" },
    { "FromLineOverride=", "ssmtp" },
    { "AuthPass=", "ssmtp" },
    { "UseSTARTTLS=", "ssmtp" },
    { "dc_smarthost=", "exim" },
    { "dc_eximconfig_configtype=", "exim" },
    { "relayhost=", "postfix" },
    { "smtp_sasl_password_maps=", "postfix" },
    { "myorigin=", "postfix" },
    { "SMARTHOST ", "dma" },
    { "MAILNAME ", "dma" },
    { "MASQUERADE ", "dma" },
    { "account ", "msmtp" },
    { "tls_starttls ", "msmtp" },
    { "passwordeval ", "msmtp" },
    { "defaults ", "msmtp" },
    { "tls_trust_file ", "msmtp" },
    { "identity=", "esmtp" },
    { "identity ", "esmtp" },
    { "starttls=", "esmtp" },
    { "username=", "esmtp" },
};

/* `line` begins with the sign's word, and "=" behind blanks if the sign has one */
static bool
has_sign(struct slice line, const char *key)
{
    size_t n = strlen(key) - 1;
    struct slice rest = slice_from(line, n);

    if (!slice_eq_nocase(slice_sub(line, 0, n), slice_make(key, n)))
        return false;
    if (key[n] == '=')
        return slice_starts(slice_trim(rest), "=");
    return rest.len == 0 || rest.p[0] == ' ' || rest.p[0] == '\t';
}

const struct import_program *
import_recognise(const char *path, struct slice text)
{
    struct import_source s = { .path = NULL };
    struct import_lines l;

    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (fits_path(&programs[i], slice_of(path)))
            return &programs[i];
    import_lines_begin(&l, &s);
    l.rest = text;
    while (import_lines_next_content(&l))
        for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
            if (has_sign(l.line, signs[i].key))
                return import_find_program(slice_of(signs[i].program));
    return NULL;
}
