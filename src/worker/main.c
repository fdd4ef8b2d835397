/*
 * smtprelay-worker: speaks with one smarthost for one account. Started by smtprelayd with its socket on descriptor 3 and its
 * settings, secret included, in a sealed file on descriptor 4; of no use to anybody else.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "config/config.h"
#include "worker/deliver.h"
#include "worker/reach.h"

enum { SOCKET_FD = 3, SETTINGS_FD = 4 };

/* It holds a secret: no core, no debugger of the same user's */
static void
keep_secrets(void)
{
    struct rlimit none = { 0, 0 };

    if (setrlimit(RLIMIT_CORE, &none) != 0)
        fatal(EX_OSERR, "cannot switch off core files");
#ifndef __SANITIZE_ADDRESS__
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        fatal(EX_OSERR, "cannot protect this process");
#endif
}

int
main(int argc, char **argv)
{
    struct buf flat;
    struct config c;
    struct error err;
    int fd = SETTINGS_FD;

    mem_program("smtprelay-worker");
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("smtprelay-worker %s\n", version);
        return 0;
    }
    if (argc > 1)
        fatal(EX_USAGE, "is started by smtprelayd");
    keep_secrets();
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        fatal(EX_OSERR, "cannot ignore SIGPIPE");
    buf_init(&flat, 16u << 20);
    if (!file_read_all(fd, &flat, "settings", &err) || !config_decode(&c, buf_slice(&flat), &err))
        fatal(EX_SOFTWARE, "%s", err.text);
    buf_wipe(&flat);
    file_close(&fd);
    (void)reach_confine(&c); /* what this kernel has of it; mail goes out with less, too */
    deliver_run(SOCKET_FD, &c);
    config_end(&c);
    return 0;
}
