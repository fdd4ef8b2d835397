/* SPDX-License-Identifier: ISC */
/* within: whatever links another root has, and whoever changes them meanwhile, only its own files are reached. */
#include "base/within.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "unit/suite.h"

enum { TRIES = 4000 };

static void
put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert(fd >= 0 && file_write(fd, text, strlen(text)));
    file_close(&fd);
}

/* root/etc/file says "inside", outside/file "outside". In a folder of the test's own */
static void
make_roots(void)
{
    char *folder = mem_dup("within.XXXXXX");

    ck_assert(mkdtemp(folder) && chdir(folder) == 0);
    ck_assert(mkdir("root", 0700) == 0 && mkdir("root/etc", 0700) == 0 && mkdir("outside", 0700) == 0);
    put("root/etc/file", "inside");
    put("outside/file", "outside");
    free(folder);
}

/* What is read there, "" where nothing is */
static void
read_there(const char *path, char out[20])
{
    int fd = within_open("root", path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, out, 19) : 0;

    out[n > 0 ? n : 0] = '\0';
    file_close(&fd);
}

START_TEST(links_lead_to_files_of_that_root)
{
    static const struct {
        const char *link, *target, *path, *text;
    } cases[] = {
        { "root/a", "/etc", "/a/file", "inside" },
        { "root/b", "../../../etc/file", "/b", "inside" },
        { "root/c", "../outside", "/c/file", "" },
        { "root/etc/d", "../a/../a/file", "/etc/d", "inside" },
        { "root/e", "e", "/e", "" },
    };
    char text[20], *name;
    int dir;

    make_roots();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(symlink(cases[i].target, cases[i].link), 0);
        read_there(cases[i].path, text);
        ck_assert_msg(strcmp(text, cases[i].text) == 0, "%s: '%s'", cases[i].path, text);
    }
    read_there("/../../outside/file", text);
    ck_assert_str_eq(text, "");
    dir = within_folder("root", "/var/spool/x", true, &name);
    ck_assert(dir >= 0 && access("root/var/spool", F_OK) == 0);
    ck_assert_str_eq(name, "x");
    file_close(&dir);
    free(name);
    ck_assert_int_eq(within_folder("root", "/not/there", false, &name), -1);
    ck_assert_int_eq(errno, ENOENT);
    free(name);
}
END_TEST

START_TEST(links_of_our_own_machine_are_followed)
{
    char here[2000], *path, *name;
    int dir;

    make_roots();
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_int_eq(symlink("outside", "link"), 0);
    path = mem_format("%s/link/file", here);
    dir = within_folder("", path, false, &name);
    ck_assert_msg(dir >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(faccessat(dir, name, R_OK, 0), 0);
    file_close(&dir);
    free(name);
    free(path);
}
END_TEST

static void
flip_for_ever(const char *outside)
{
    for (;;) {
        if (rename("root/etc", "root/etc.kept") != 0 || symlink(outside, "root/etc") != 0 ||
            unlink("root/etc") != 0 || rename("root/etc.kept", "root/etc") != 0)
            _exit(1);
    }
}

START_TEST(a_folder_that_becomes_a_link_meanwhile_leads_nowhere)
{
    char here[2000], *outside, text[20];
    pid_t pid;

    make_roots();
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    outside = mem_format("%s/outside", here);
    pid = fork();
    if (pid == 0)
        flip_for_ever(outside);
    ck_assert_int_gt(pid, 0);
    for (size_t i = 0; i < TRIES; i++) {
        read_there("/etc/file", text);
        if (strcmp(text, "outside") == 0)
            break;
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    ck_assert_str_ne(text, "outside");
    free(outside);
}
END_TEST

SUITE_MAIN("within", links_lead_to_files_of_that_root, links_of_our_own_machine_are_followed,
    a_folder_that_becomes_a_link_meanwhile_leads_nowhere)
