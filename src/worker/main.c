/* SPDX-License-Identifier: ISC */
/*
 * smtprelay-worker: speaks with one smarthost for one account. Started by smtprelayd with its socket on descriptor 3 and its
 * settings, secret included, in a sealed file on descriptor 4; of no use to anybody else.
 */
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/process.h"
#include "config/config.h"
#include "worker/deliver.h"
#include "worker/reach.h"
#include "worker/standing.h"

enum { SOCKET_FD = 3, SETTINGS_FD = 4, LOOK_MS = 15000, FIND_MS = 10000 };

/* It holds a secret: no core, no debugger of the same user's */
static void
keep_secrets(void)
{
    struct rlimit none = { 0, 0 };

    if (setrlimit(RLIMIT_CORE, &none) != 0)
        fatal(EX_OSERR, "cannot switch off core files");
#ifndef __SANITIZE_ADDRESS__
    if (!process_keep_secrets())
        fatal(EX_OSERR, "cannot protect this process");
#endif
}

/* Root's work is done before the first question to a name server. Where there is no such user it is nobody, as daemon/spawn has it. */
static void
become(const char *user)
{
    struct passwd *pw;
    uint64_t number = 0;
    uid_t uid = 65534;
    gid_t gid = 65534;

    if (geteuid() != 0)
        return;
    pw = getpwnam(user);
    if (!pw && !slice_number(slice_of(user), INT32_MAX, &number))
        pw = getpwnam("nobody");
    if (pw || number) {
        uid = pw ? pw->pw_uid : (uid_t)number;
        gid = pw ? pw->pw_gid : (gid_t)number;
    }
    if (uid == 0 || setgroups(1, &gid) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        fatal(EX_OSERR, "cannot become %s", user);
}

/* Look-ups for smtprelay, as USER, lines to standard output: --standing USER HOSTNAME DOMAIN [SOURCE], or --hubs USER DOMAIN */
static int
look(int argc, char **argv)
{
    struct config none;
    struct buf lines;
    bool ok;

    become(argv[2]);
    keep_secrets();
    config_begin(&none);
    (void)reach_confine(&none); /* see main() */
    buf_init(&lines, 100000);
    if (argc > 4)
        standing_look(argv[3], argv[4], argc > 5 ? argv[5] : NULL, clock_deadline(LOOK_MS), &lines);
    else
        deliver_find(argv[3], clock_deadline(FIND_MS), &lines);
    ok = fwrite(lines.data, 1, lines.len, stdout) == lines.len && fflush(stdout) == 0;
    buf_clear(&lines);
    config_end(&none);
    return ok ? 0 : EX_IOERR;
}

int
main(int argc, char **argv)
{
    struct reach_kept kept;
    struct buf flat;
    struct config c;
    struct error err;
    int fd = SETTINGS_FD;

    mem_program("smtprelay-worker");
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("smtprelay-worker %s\n", version);
        fatal_unless_printed();
        return 0;
    }
    if ((argc > 4 && strcmp(argv[1], "--standing") == 0) || (argc == 4 && strcmp(argv[1], "--hubs") == 0))
        return look(argc, argv);
    if (argc > 1)
        fatal(EX_USAGE, "is started by smtprelayd");
    descriptors_close_from(SETTINGS_FD + 1);
    keep_secrets();
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        fatal(EX_OSERR, "cannot ignore SIGPIPE");
    buf_init(&flat, 16u << 20);
    if (!file_read_all(fd, &flat, "settings", &err) || !config_decode(&c, buf_slice(&flat), &err))
        fatal(EX_SOFTWARE, "%s", err.text);
    buf_wipe(&flat);
    file_close(&fd);
    reach_keep(&kept);
    (void)reach_confine(&c); /* what this kernel has of it; mail goes out with less, too */
    deliver_run(SOCKET_FD, &c, &kept);
    config_end(&c);
    return 0;
}
