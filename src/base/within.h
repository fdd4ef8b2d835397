/* SPDX-License-Identifier: ISC */
/* within: paths of another machine whose files lie below a folder of this one: its symbolic links lead to its own files. */
#ifndef BASE_WITHIN_H
#define BASE_WITHIN_H

/*
 * Where `path` (absolute, as that machine knows it) lies here: `root` with the path behind it, in which no link is left; what is not
 * there stays as it is written. `root` "" is this machine: `path` as it is. Fresh memory; NULL with errno (ELOOP) where links lead in a
 * circle. For files at rest: who could change links meanwhile could lead it out.
 */
char *within(const char *root, const char *path);

#endif
