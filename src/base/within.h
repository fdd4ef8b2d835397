/* SPDX-License-Identifier: ISC */
/* within: paths of another machine whose files lie below a folder of this one: its symbolic links lead to its own files. */
#ifndef BASE_WITHIN_H
#define BASE_WITHIN_H

#include <stdbool.h>

/*
 * Where `path` (absolute, as that machine knows it) lies here: `root` with the path behind it, in which no link is left; what is not
 * there stays as it is written. `root` "" is this machine: `path` as it is. Fresh memory; NULL with errno (ELOOP) where links lead in a
 * circle. To be shown, or for files at rest: who changes links meanwhile could lead it out.
 */
char *within(const char *root, const char *path);

/*
 * The folder that `path` is in, for openat(2) and its kin, and the last component (fresh memory; "." of the root folder itself): below
 * `root` whoever changes links meanwhile, since none is followed after they have been looked at. `make`: with the folders above that are
 * missing (0755). -1 with errno, ELOOP or ENOTDIR where a link came in between. `root` "" is this machine, with its links.
 */
int within_folder(const char *root, const char *path, bool make, char **name);
/* open(2) there, with O_NOFOLLOW unless this is our own root, and O_CLOEXEC. -1 with errno. */
int within_open(const char *root, const char *path, int flags);

#endif
