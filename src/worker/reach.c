/* SPDX-License-Identifier: ISC */
/*
 * reach: a worker reads name service settings, CA certificates and what libraries load late; no mail, no home, no secret.
 *
 * A rule stands for the file that is there now. The worker of an ordinary user gets all of /etc, so that a resolv.conf
 * put in place later is still read by a warm worker; as root that would be every secret in /etc, so root's workers get the
 * files one by one.
 */
#include "worker/reach.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/mem.h"
#include "smtp/tls.h"

#define PATHS_MAX 1000

struct reach {
    struct confine_path path[PATHS_MAX];
    char *text[PATHS_MAX];
    size_t n;
};

static const char *const for_all[] = {
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/lib",
    "/lib64",
    "/nix/store",
    "/proc/sys/crypto",
    "/sys/devices/system/cpu",
    "/usr",
    "/var/lib/ca-certificates",
};

static const char *const of_etc[] = {
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
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
};

static void
add(struct reach *r, const char *path)
{
    if (!path || !*path || r->n == PATHS_MAX)
        return;
    r->text[r->n] = mem_dup(path);
    r->path[r->n] = (struct confine_path){ r->text[r->n], CONFINE_READ };
    r->n++;
}

static void
add_all(struct reach *r, const char *const *paths, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(r, paths[i]);
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

    add_all(r, for_all, sizeof for_all / sizeof for_all[0]);
    if (geteuid() == 0)
        add_all(r, of_etc, sizeof of_etc / sizeof of_etc[0]);
    else
        add(r, "/etc");
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
