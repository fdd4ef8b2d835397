/* SPDX-License-Identifier: ISC */
/*
 * confine: a process gives up, for good, what its part of the work never needs: system calls (seccomp) and files (Landlock).
 *
 * Defence behind the defences: nothing else in the program relies on it, and a kernel, an architecture or a container that
 * lacks a piece gives less of it, never an error.
 */
#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

#include <stddef.h>

enum confine_profile {
    /* Speaks with the network: sockets of AF_INET and AF_INET6 only, no listening, files for reading only, no process. */
    CONFINE_WORKER,
    /* Keeps mail: sockets of AF_UNIX only (and descriptors it got before), files, threads; no process. */
    CONFINE_DAEMON,
};

enum confine_access {
    CONFINE_READ,  /* open for reading, list folders */
    CONFINE_WRITE, /* and make, write, rename, link and remove regular files, sockets and folders */
};

/* The file, or the folder with all that is in it; symbolic links are followed now. One that is missing is passed over. */
struct confine_path {
    const char *path;
    enum confine_access access;
};

/* What holds now, as bits: CONFINE_FILES needs Landlock, CONFINE_CALLS seccomp. */
enum { CONFINE_NO_NEW_PRIVS = 1, CONFINE_FILES = 2, CONFINE_CALLS = 4 };
#define CONFINE_ALL (CONFINE_NO_NEW_PRIVS | CONFINE_FILES | CONFINE_CALLS)

/*
 * confine_enter - confine this process and all it becomes; there is no way back
 *
 * To be called before the first thread is started. Files can be opened below `paths` only; descriptors that are open stay as
 * they are. Afterwards execve(2), ptrace(2) and their like kill the process (SIGSYS); socket(2) of another family fails with
 * EAFNOSUPPORT, opening files elsewhere with EACCES, every other call that is not in the profile with ENOSYS.
 * Comes back with the bits of what took effect.
 */
unsigned confine_enter(enum confine_profile profile, const struct confine_path *paths, size_t n);

/* "no-new-privileges, files" or "nothing": such bits in words, for a log line. The text is static. */
const char *confine_text(unsigned bits);

#endif
