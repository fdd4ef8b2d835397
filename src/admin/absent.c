/* SPDX-License-Identifier: ISC */
/* absent: a look at each, as the caller; what cannot be looked at is not said to be missing. */
#include "admin/absent.h"

#include <errno.h>
#include <libgen.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/run.h"

static bool
is_chosen(const struct config_value *v)
{
    return v->set && v->n && v->origin && strcmp(v->origin, "default") != 0;
}

static void
warn(struct config *c, size_t a, enum config_key key, const char *what, const char *why)
{
    buf_add_format(&c->warnings, "%s: %s: %s%s%s\n", config_value(c, a, key)->origin, config_info(key)->name,
        what, *what ? ": " : "", why);
}

/* ---------------------------------------------------------------- one thing each */

/* A name service that cannot be asked has not said no */
static bool
is_user(const char *name)
{
    uint64_t number;

    if (slice_number(slice_of(name), UINT32_MAX, &number))
        return true;
    errno = 0;
    return getpwnam(name) || (errno && errno != ENOENT && errno != ESRCH && errno != EBADF && errno != EPERM);
}

static bool
is_missing(const char *path)
{
    struct stat st;

    return *path == '/' && stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static bool
has_folder(const char *path)
{
    char *copy = mem_dup(path);
    bool missing = is_missing(dirname(copy));

    free(copy);
    return !missing;
}

/* An address of this machine; of "ADDRESS:PORT", too */
static bool
is_own_address(const char *text)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM }, *list = NULL;
    struct slice s = slice_of(text);
    char *host;
    bool own = true;

    if (slice_starts(s, "["))
        s = slice_sub(s, 1, slice_find(s, ']') - 1);
    else if (slice_find(s, ':') == slice_find_last(s, ':'))
        s = slice_sub(s, 0, slice_find(s, ':'));
    host = slice_dup(s);
    if (getaddrinfo(host, NULL, &hints, &list) == 0) {
        int fd = socket(list->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        own = fd < 0 || bind(fd, list->ai_addr, list->ai_addrlen) == 0 || errno != EADDRNOTAVAIL;
        file_close(&fd);
        freeaddrinfo(list);
    }
    free(host);
    return own;
}

/* ---------------------------------------------------------------- each setting */

static void
check_users(struct config *c, size_t a, enum config_key key, const char *why)
{
    const struct config_value *v = config_value(c, a, key);

    for (size_t i = 0; is_chosen(v) && i < v->n; i++)
        if (!is_user(v->item[i]))
            warn(c, a, key, v->item[i], why);
}

static void
check_command(struct config *c, size_t a, enum config_key key)
{
    struct error err;

    if (is_chosen(config_value(c, a, key)) && !run_is_there(config_text(c, a, key), &err))
        warn(c, a, key, "", err.text);
}

static void
check_folder(struct config *c, enum config_key key)
{
    const char *path = config_text(c, 0, key);

    if (is_chosen(config_value(c, 0, key)) && *path == '/' && !has_folder(path))
        warn(c, 0, key, path, "its folder is not there");
}

static void
check_addresses(struct config *c, size_t a, enum config_key key, const char *why)
{
    const struct config_value *v = config_value(c, a, key);

    for (size_t i = 0; is_chosen(v) && i < v->n; i++)
        if (!is_own_address(v->item[i]))
            warn(c, a, key, v->item[i], why);
}

static void
check_aliases(struct config *c, size_t a)
{
    const struct config_value *v = config_value(c, a, CONFIG_ALIASES);

    for (size_t i = 0; is_chosen(v) && i < v->n; i++)
        if (is_missing(v->item[i]))
            warn(c, a, CONFIG_ALIASES, v->item[i], "it is not there; without it there are no aliases of it");
}

/* What an account has from above is said once */
static bool
is_inherited(const struct config *c, size_t a, enum config_key key)
{
    const struct config_value *own = config_value(c, a, key), *above = config_value(c, 0, key);

    return a > 0 && own->origin && above->origin && strcmp(own->origin, above->origin) == 0;
}

static void
check_account(struct config *c, size_t a)
{
    check_users(c, a, CONFIG_FOR_USER, "there is no such user; its mail goes by another account");
    if (!is_inherited(c, a, CONFIG_AUTH_PASS_COMMAND))
        check_command(c, a, CONFIG_AUTH_PASS_COMMAND);
    if (!is_inherited(c, a, CONFIG_SOURCE_ADDRESS))
        check_addresses(
            c, a, CONFIG_SOURCE_ADDRESS, "this machine has no such address, so nothing can be sent from it");
    if (!is_inherited(c, a, CONFIG_ALIASES))
        check_aliases(c, a);
}

void
absent_check(struct config *c)
{
    check_users(c, 0, CONFIG_USER, "there is no such user, so the daemon does not start as root");
    check_users(c, 0, CONFIG_ALLOW_USERS, "there is no such user; nobody is let in by it");
    check_users(c, 0, CONFIG_DENY_USERS, "there is no such user; nobody is kept out by it");
    check_command(c, 0, CONFIG_TROUBLE_COMMAND);
    check_folder(c, CONFIG_METRICS_FILE);
    check_folder(c, CONFIG_LOG_FILE);
    check_addresses(c, 0, CONFIG_LISTEN, "this machine has no such address to listen at");
    for (size_t a = 0; a < c->n; a++)
        check_account(c, a);
}
