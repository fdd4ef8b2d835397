/* SPDX-License-Identifier: ISC */
/* setup_try: a file in memory that smtprelayd opens by a path without a name, so that no file with the password in it can be left anywhere. */
#include "admin/setup_try.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/filesys.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
enum { SIGNALS = sizeof signals / sizeof signals[0] };

int
setup_try_file(const struct test_options *o)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN }, before[SIGNALS];
    int status = 0;
    pid_t pid;

    (void)fflush(NULL);
    for (size_t i = 0; i < SIGNALS; i++)
        (void)sigaction(signals[i], &ignore, &before[i]);
    pid = fork();
    if (pid == 0) {
        for (size_t i = 0; i < SIGNALS; i++)
            (void)sigaction(signals[i], &before[i], NULL);
        int code = test_run(o);
        (void)fflush(NULL);
        _exit(code);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    for (size_t i = 0; i < SIGNALS; i++)
        (void)sigaction(signals[i], &before[i], NULL);
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

/* As above; what the test knows besides comes from its process by memory that both have */
static int
try_file(struct test_options *o, struct test_outcome *outcome)
{
    struct test_outcome *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int code;

    o->outcome = shared == MAP_FAILED ? NULL : shared;
    code = setup_try_file(o);
    *outcome = o->outcome ? *shared : (struct test_outcome){ false };
    if (o->outcome)
        (void)munmap(shared, sizeof *shared);
    return code;
}

bool
setup_try(const struct test_options *o, struct slice text, int *code, struct test_outcome *outcome,
    struct error *err)
{
    struct test_options of_trial = *o;
    int fd = file_sealed("smtprelay-setup", text, err);
    char *path;
    bool ok;

    if (fd < 0)
        return false;
    path = fchmod(fd, 0600) == 0 ? filesys_path(fd) : NULL;
    ok = path != NULL;
    of_trial.request.file = path;
    if (ok)
        *code = try_file(&of_trial, outcome);
    else
        error_set(err, ERROR_OS, "setup: cannot try it where /proc is missing; --no-test writes it untried");
    file_close(&fd);
    free(path);
    return ok;
}
