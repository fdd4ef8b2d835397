/* SPDX-License-Identifier: ISC */
/* identity: who the daemon's process is, and that the queue's folder is its own. */
#ifndef DAEMON_IDENTITY_H
#define DAEMON_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct identity {
    bool change; /* false: it stays what this process is */
    uid_t uid;
    gid_t gid;
};

/*
 * Who `user` (a login or a number) is, when this process is root and may change who it is; else nobody changes. False with err:
 * there is no such user (78), or it cannot be found out now (75).
 */
bool identity_find(const char *user, struct identity *id, struct error *err);
/* Become that, for good, with no other groups. False with errno. */
bool identity_become(const struct identity *id);
/*
 * Make the folder `path` where it is missing, for `id` alone. An empty one of root's is handed over; any other owner is an error
 * (78), and so is a link to one of root's. What is in it is not looked at.
 */
bool identity_own_folder(const struct identity *id, const char *path, struct error *err);

#endif
