/* SPDX-License-Identifier: ISC */
/*
 * reach: a worker reads name service settings, CA certificates and what libraries load late; no mail, no home, no secret.
 *
 * Of /etc it gets the files one by one: its user may read the configuration there, which has the passwords of all accounts. A
 * rule stands for the file that is there now, so a worker ends when another one has taken the place of such a file.
 */
#include "worker/reach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/file.h"
#include "base/mem.h"
#include "smtp/tls.h"

#define PATHS_MAX 1000

struct reach {
    struct confine_path path[PATHS_MAX];
    char *text[PATHS_MAX];
    size_t n;
};

static const char *const files[] = {
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/etc/pki/tls/openssl.d",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/lib",
    "/lib64",
    "/nix/store",
    "/proc/sys/crypto",
    "/sys/devices/system/cpu",
    "/usr",
    "/var/lib/ca-certificates",
};

/* Those that change while a worker lives; CAs change in folders */
static const char *const kept[REACH_KEPT] = { "/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf" };

static void
add(struct reach *r, const char *path)
{
    if (!path || !*path || r->n == PATHS_MAX)
        return;
    r->text[r->n] = mem_dup(path);
    r->path[r->n] = (struct confine_path){ r->text[r->n], CONFINE_READ };
    r->n++;
}

/* /etc/resolv.conf is often a link into a folder of its own below /run, where files come and go */
static void
add_folder_of_link(struct reach *r, const char *path)
{
    char *real = realpath(path, NULL), *slash = real ? strrchr(real, '/') : NULL;

    if (slash && strncmp(real, "/run/", 5) == 0 && slash > real + 5) {
        *slash = '\0';
        add(r, real);
    }
    free(real);
}

/* Links of Debian's folder lead to /usr, hash names to their neighbours: both are open already */
static bool
leads_out(const char *name)
{
    char target[PATH_MAX];
    ssize_t n = readlink(name, target, sizeof target - 1);

    if (n <= 0)
        return false;
    target[n] = '\0';
    return strchr(target, '/') && strncmp(target, "/usr/", 5) != 0;
}

/* The folder, and what the links in it lead to */
static void
add_ca_dir(struct reach *r, const char *dir)
{
    DIR *d = dir && *dir ? opendir(dir) : NULL;
    const struct dirent *e;

    add(r, dir);
    while (d && (e = readdir(d))) {
        char *name = mem_format("%s/%s", dir, e->d_name);
        if (leads_out(name))
            add(r, name);
        free(name);
    }
    if (d)
        (void)closedir(d);
}

unsigned
reach_confine(const struct config *c)
{
    struct reach *r = mem_alloc(sizeof *r);
    const char *file, *dir;
    unsigned bits;

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        add(r, files[i]);
    add_folder_of_link(r, "/etc/resolv.conf");
    add_folder_of_link(r, "/etc/hosts");
    tls_system_store(&file, &dir);
    add(r, file);
    add_ca_dir(r, dir);
    add_ca_dir(r, config_text(c, 0, CONFIG_TLS_CA_DIR));
    bits = confine_enter(CONFINE_WORKER, r->path, r->n);
    for (size_t i = 0; i < r->n; i++)
        free(r->text[i]);
    free(r);
    return bits;
}

/* ---------------------------------------------------------------- what takes their place */

static void
look(const char *path, struct stat *st)
{
    if (stat(path, st) != 0)
        memset(st, 0, sizeof *st);
}

void
reach_keep(struct reach_kept *k)
{
    for (size_t i = 0; i < REACH_KEPT; i++)
        look(kept[i], &k->file[i]);
}

/* Is it another file, and one that is out of reach? One that nobody may read is none for the next worker, either. */
static bool
is_lost(const char *path, const struct stat *before)
{
    struct stat now;
    int fd;

    look(path, &now);
    if (now.st_dev == before->st_dev && now.st_ino == before->st_ino)
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == EACCES;
    file_close(&fd);
    return false;
}

bool
reach_is_lost(const struct reach_kept *k)
{
    for (size_t i = 0; i < REACH_KEPT; i++)
        if (is_lost(kept[i], &k->file[i]))
            return true;
    return false;
}
