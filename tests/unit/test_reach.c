/* SPDX-License-Identifier: ISC */
/* reach: what a worker can open once it is confined. Each test is a process of its own (libcheck). */
#include "unit/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/reach.h"

#include "base/confine.h"
#include "base/file.h"

/* What one child found out comes back as its exit code: 0 = as it should be, 99 = this kernel lacks the piece */
enum { RIGHT = 0, LACKING = 99 };

static void
expect_right(int (*act)(void))
{
    int status = 0;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct config none;
        config_begin(&none);
        _exit((reach_confine(&none) & CONFINE_FILES) ? act() : LACKING);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == RIGHT || WEXITSTATUS(status) == LACKING),
        "wait status %x", (unsigned)status);
}

/* 0, or errno */
static int
try_to_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    file_close(&fd);
    return 0;
}

/* Any other file there may be the configuration, which has the secrets of other accounts, too */
static int
read_of_etc(void)
{
    if (try_to_read("/etc/passwd") != EACCES || try_to_read("/etc") != EACCES)
        return 1;
    return try_to_read("/etc/hosts") == EACCES ? 2 : RIGHT;
}

START_TEST(a_worker_reads_of_etc_what_it_needs_and_no_configuration)
{
    expect_right(read_of_etc);
}
END_TEST

START_TEST(files_that_stay_are_not_lost)
{
    struct reach_kept kept;

    reach_keep(&kept);
    ck_assert(!reach_is_lost(&kept));
}
END_TEST

SUITE_MAIN("reach", a_worker_reads_of_etc_what_it_needs_and_no_configuration, files_that_stay_are_not_lost)
