/* SPDX-License-Identifier: ISC */
/* file: the configuration file that counts, the environment, and the secrets they name. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"

struct config_request {
    const char *file; /* -C FILE; NULL: choose (own file of an ordinary user, else the system's) */
    const char *
        name; /* what `file` is called, where it only lies elsewhere for a moment (setup's trial); NULL: as it is */
    bool own;              /* and that is the caller's own file, which it need not be yet */
    bool by_caller;        /* sendmail -C: the rules for a file that may have been injected apply */
    uid_t uid;             /* who calls */
    char *const *environ_; /* where SMTPRELAY_* come from */
};

/*
 * Load, complete and check. False with err (78, naming file and line or variable; 75 for what the caller may not read); *c is then
 * cleared.
 */
bool config_load(const struct config_request *req, struct config *c, struct error *err);
/*
 * Are certificates, key and CA there as files (a folder) that may be read? False with err (78) that names file and line. Secrets
 * were looked at by config_load; none is read and no command run.
 */
bool config_check_files(const struct config *c, struct error *err);
/*
 * Put into `c` what a worker of `account` needs besides: its secret (from wherever it is), CA, certificate and key as text.
 * False with err: 77 for a secret that cannot be had, 78 for files.
 */
bool config_fetch(struct config *c, size_t account, struct error *err);

#endif
