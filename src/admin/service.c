/* SPDX-License-Identifier: ISC */
/* service: looks at owners and modes of files only; folders above them, and what LoadCredential= does, it does not know. */
#include "admin/service.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

enum { GROUPS_MAX = 64 };

struct reader {
    const char *name;
    uid_t uid;
    gid_t group[GROUPS_MAX];
    int n;
};

static bool
find_reader(const char *name, struct reader *r)
{
    const struct passwd *pw = getpwnam(name);

    if (!pw || pw->pw_uid == 0)
        return false;
    *r = (struct reader){ .name = name, .uid = pw->pw_uid, .n = GROUPS_MAX };
    return getgrouplist(name, pw->pw_gid, r->group, &r->n) >= 0;
}

/* The first class that fits decides (POSIX.1-2008, 4.5) */
static bool
may_read(const struct reader *r, const struct stat *st)
{
    if (st->st_uid == r->uid)
        return st->st_mode & S_IRUSR;
    for (int i = 0; i < r->n; i++)
        if (r->group[i] == st->st_gid)
            return st->st_mode & S_IRGRP;
    return st->st_mode & S_IROTH;
}

static void
look(struct config *c, const struct reader *r, const char *path)
{
    struct stat st;

    if (path && *path == '/' && stat(path, &st) == 0 && !may_read(r, &st))
        buf_add_format(&c->warnings,
            "%s: a service that is started as %s, as systemd's is, may not read it: chgrp %s, chmod 640\n",
            path, r->name, r->name);
}

void
service_check(struct config *c)
{
    static const enum config_key files[] = { CONFIG_AUTH_PASS_FILE, CONFIG_TLS_KEY };
    const char *user = config_text(c, 0, CONFIG_USER);
    struct reader r;

    if (geteuid() != 0 || c->own_file || !user || !find_reader(user, &r))
        return;
    look(c, &r, c->path);
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
        const char *first = config_text(c, 0, files[k]);
        look(c, &r, first);
        for (size_t a = 1; a < c->n; a++) {
            const char *path = config_text(c, a, files[k]);
            if (path && (!first || strcmp(path, first) != 0))
                look(c, &r, path);
        }
    }
}
