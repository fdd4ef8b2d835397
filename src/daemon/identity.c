/* SPDX-License-Identifier: ISC */
/* identity: users, capabilities and one folder; knows no queue. */
#include "daemon/identity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rights.h"
#include "base/slice.h"

static bool
find_user(const char *user, struct identity *id, struct error *err)
{
    struct passwd *pw;
    uint64_t number;

    errno = 0;
    pw = getpwnam(user);
    if (!pw && slice_number(slice_of(user), INT32_MAX, &number)) {
        /* a container may run a number that has no name */
        pw = getpwuid((uid_t)number);
        id->uid = (uid_t)number;
        id->gid = pw ? pw->pw_gid : (gid_t)number;
        return true;
    }
    if (!pw && (errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EINTR))
        return error_sys(err, ERROR_TEMP, errno, "User: %s cannot be looked up", user);
    if (!pw)
        return error_set(err, ERROR_CONFIG, "User: there is no user %s; make it or name another one", user);
    id->uid = pw->pw_uid;
    id->gid = pw->pw_gid;
    return true;
}

bool
identity_find(const char *user, struct identity *id, struct error *err)
{
    *id = (struct identity){ rights_may_change_user(), geteuid(), getegid() };
    if (!id->change)
        return true;
    if (!find_user(user, id, err))
        return false;
    return id->uid != 0 ||
           error_set(err, ERROR_CONFIG, "User: the daemon does not run as root; name another user");
}

bool
identity_become(const struct identity *id)
{
    return !id->change || (setgroups(1, &id->gid) == 0 && setresgid(id->gid, id->gid, id->gid) == 0 &&
                              setresuid(id->uid, id->uid, id->uid) == 0);
}

static bool
is_empty(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    bool empty = d != NULL;
    struct dirent *e;

    while (empty && (e = readdir(d)) != NULL)
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
                strcmp(e->d_name, "lost+found") == 0;
    if (d)
        (void)closedir(d); /* only read */
    else
        file_close(&fd);
    return empty;
}

static bool
hand_over(const struct identity *id, int dir, const char *path, bool made, bool is_link, struct error *err)
{
    struct stat st;

    if (fstat(dir, &st) != 0)
        return error_sys(err, ERROR_TEMP, errno, "QueueDir %s", path);
    if (st.st_uid == id->uid)
        return true;
    if (is_link)
        return error_set(err, ERROR_CONFIG,
            "QueueDir %s: a link to a folder of user %ld's; where a link leads has to belong to user %ld "
            "(User) already",
            path, (long)st.st_uid, (long)id->uid);
    if (st.st_uid != geteuid() || !(made || is_empty(dir)))
        return error_set(err, ERROR_CONFIG,
            "QueueDir %s: belongs to user %ld and not to %ld, who the daemon is (User)", path,
            (long)st.st_uid, (long)id->uid);
    if (fchown(dir, id->uid, id->gid) != 0 || fchmod(dir, 0700) != 0)
        return error_sys(
            err, ERROR_CONFIG, errno, "QueueDir %s: cannot be given to user %ld", path, (long)id->uid);
    return true;
}

/* *is_link: it is a link's, which somebody may have put there, and to change */
static int
open_folder(const char *path, bool *is_link)
{
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    *is_link = dir < 0 && (errno == ELOOP || errno == ENOTDIR);
    return *is_link ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : dir;
}

bool
identity_own_folder(const struct identity *id, const char *path, struct error *err)
{
    bool made, is_link, ok;
    int dir;

    file_make_parents(path);
    made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST)
        return error_sys(err, errno == ENOSPC || errno == EDQUOT ? ERROR_TEMP : ERROR_CONFIG, errno,
            "QueueDir %s: cannot be made", path);
    dir = open_folder(path, &is_link);
    if (dir < 0)
        return error_sys(err, ERROR_CONFIG, errno, "QueueDir %s", path);
    ok = hand_over(id, dir, path, made, is_link, err);
    file_close(&dir);
    return ok;
}
