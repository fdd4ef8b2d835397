/* SPDX-License-Identifier: ISC */
/* secret and run: where a password may come from, and what a command may do to us. */
#include "unit/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/run.h"
#include "config/secret.h"

static char path_env[] = "PATH=/usr/bin:/bin", greeting_env[] = "GREETING=hello";
static char *const path_only[] = { path_env, greeting_env, NULL };

/* ---------------------------------------------------------------- commands */

static const struct {
    const char *command, *out, *why;
} commands[] = {
    { "echo one two", "one two\n", NULL },
    { "  printf '%s|' \"a b\" 'c\"d' e'f g'", "a b|c\"d|ef g|", NULL },
    { "/bin/sh -c 'echo $GREETING'", "hello\n", NULL },
    { "echo $GREETING;true", "$GREETING;true\n", NULL },
    { "cat", "", NULL },
    { "sh -c 'exit 3'", NULL, "exit code 3" },
    { "sh -c 'kill -9 $$'", NULL, "signal 9" },
    { "/nosuch/command", NULL, "cannot be run" },
    { "", NULL, "empty" },
    { "echo 'open", NULL, "quote is not closed" },
};

START_TEST(a_command_is_words_and_no_shell)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct buf out;
        struct error err;
        bool ok;

        buf_init(&out, 1000);
        ok = run_command(commands[i].command, path_only, 30000, &out, NULL, &err);
        ck_assert_msg(ok == !commands[i].why, "%s: %s", commands[i].command, ok ? "ran" : err.text);
        if (ok)
            ck_assert_str_eq(buf_str(&out), commands[i].out);
        else
            ck_assert_msg(err.class == ERROR_ADMIN && strstr(err.text, commands[i].why), "%s", err.text);
        buf_clear(&out);
    }
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no zombie is left */
}
END_TEST

START_TEST(a_command_that_closes_its_output_does_not_hold_us)
{
    struct buf out;
    struct error err;

    buf_init(&out, 1000);
    ck_assert(!run_command("sh -c 'exec >&-; exec sleep 1000'", path_only, 100, &out, NULL, &err));
    ck_assert_msg(strstr(err.text, "did not end within 1 s"), "%s", err.text);
    buf_clear(&out);
}
END_TEST

START_TEST(a_child_that_keeps_the_output_does_not_hold_us)
{
    struct buf out;
    struct error err;

    buf_init(&out, 1000);
    ck_assert_msg(
        run_command("sh -c 'sleep 1000 & echo $!'", path_only, 30000, &out, NULL, &err), "%s", err.text);
    ck_assert_int_gt(atoi(buf_str(&out)), 1);
    ck_assert_int_eq(kill((pid_t)atoi(buf_str(&out)), SIGKILL), 0);
    buf_clear(&out);
}
END_TEST

/* Gone, or a zombie that whoever inherited it has not reaped */
static bool
is_gone(pid_t pid)
{
    char path[64], text[256] = "";
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    f = fopen(path, "r");
    if (!f)
        return true;
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' && end[2] == 'Z';
}

START_TEST(a_command_over_its_time_is_killed_with_its_children)
{
    pid_t child = 0;

    /* a slow machine needs a longer limit until the child has said who it is */
    for (int64_t limit_ms = 200; limit_ms < 30000 && child <= 1; limit_ms *= 2) {
        struct buf out;
        struct error err;
        buf_init(&out, 1000);
        ck_assert(!run_command("sh -c 'sleep 1000 & echo $!; wait'", path_only, limit_ms, &out, NULL, &err));
        child = (pid_t)atoi(buf_str(&out));
        buf_clear(&out);
    }
    ck_assert_int_gt(child, 1);
    for (int i = 0; i < 3000 && !is_gone(child); i++)
        (void)usleep(10000);
    ck_assert(is_gone(child));
}
END_TEST

START_TEST(a_command_inherits_no_descriptor)
{
    struct buf out;
    struct error err;
    int fd = open("/dev/null", O_RDONLY);

    ck_assert_int_ge(dup2(fd, 77), 0);
    buf_init(&out, 1000);
    ck_assert_msg(
        run_command("sh -c 'test ! -e /proc/self/fd/77 && echo none'", path_only, 30000, &out, NULL, &err),
        "%s", err.text);
    ck_assert_str_eq(buf_str(&out), "none\n");
    buf_clear(&out);
    ck_assert_int_eq(close(77) | close(fd), 0);
}
END_TEST

/* ---------------------------------------------------------------- files */

static void
begin(struct config *c, enum config_key key, const char *text)
{
    struct error err;

    config_begin(c);
    c->uid = getuid();
    ck_assert_msg(config_set(c, 0, key, slice_of(text), true, "f.conf line 1", &err), "%s", err.text);
}

static char *
write_secret(const void *text, size_t len, mode_t mode)
{
    char path[] = "secret.XXXXXX", here[4096];
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    ck_assert_int_eq(fchmod(fd, mode) | close(fd), 0);
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    return mem_format("%s/%s", here, path);
}

static const struct {
    const char *text;
    size_t len;
    const char *secret, *why;
} contents[] = {
    { "s3cret\n", 7, "s3cret", NULL },
    { "s3cret", 6, "s3cret", NULL },
    { "s3cret\r\nsecond\n", 15, "s3cret", NULL },
    { " a b \n", 6, " a b ", NULL },
    { "", 0, NULL, "empty" },
    { "\nsecond\n", 8, NULL, "empty" },
    { "\r\n", 2, NULL, "empty" },
    { "s3\0cret\n", 8, NULL, "control characters" },
};

START_TEST(a_secret_is_the_first_line_of_its_file)
{
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        char *path = write_secret(contents[i].text, contents[i].len, 0600);
        struct config c;
        struct error err;
        bool ok;

        begin(&c, CONFIG_AUTH_PASS_FILE, path);
        ok = secret_check(&c, &err) && secret_fetch(&c, 0, &err);
        ck_assert_msg(ok == !contents[i].why, "%zu: %s", i, ok ? "taken" : err.text);
        if (ok) {
            ck_assert_str_eq(config_text(&c, 0, CONFIG_AUTH_PASS), contents[i].secret);
        } else {
            const char *said = strstr(err.text, path); /* its name may have any letters in it */
            ck_assert_msg(said && err.class == ERROR_CONFIG && strstr(err.text, contents[i].why) &&
                              !strstr(said + strlen(path), "cret\n") && !strstr(said + strlen(path), "s3"),
                "%s", err.text);
        }
        config_end(&c);
        ck_assert_int_eq(unlink(path), 0);
        free(path);
    }
}
END_TEST

START_TEST(a_credential_is_found_where_the_service_manager_put_it)
{
    char *path = write_secret("cred\n", 5, 0600), *name = strrchr(path, '/');
    struct config c;
    struct error err;

    begin(&c, CONFIG_AUTH_PASS_FILE, name + 1);
    ck_assert_int_eq(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    ck_assert(secret_check(&c, &err) && strstr(buf_str(&c.warnings), "CREDENTIALS_DIRECTORY"));
    ck_assert(!secret_fetch(&c, 0, &err));
    ck_assert_msg(err.class == ERROR_CONFIG && strstr(err.text, "CREDENTIALS_DIRECTORY"), "%s", err.text);
    *name = '\0';
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", path, 1), 0);
    ck_assert_msg(secret_check(&c, &err) && secret_fetch(&c, 0, &err), "%s", err.text);
    ck_assert_str_eq(config_text(&c, 0, CONFIG_AUTH_PASS), "cred");
    *name = '/';
    config_end(&c);
    ck_assert_int_eq(unlink(path) | unsetenv("CREDENTIALS_DIRECTORY"), 0);
    free(path);
}
END_TEST

START_TEST(what_is_no_file_is_never_waited_for)
{
    static const char *const paths[] = { "/dev/zero", "/dev", "/nosuch/file" };
    struct config c;
    struct error err;

    for (size_t i = 0; i < 3; i++) {
        begin(&c, CONFIG_AUTH_PASS_FILE, paths[i]);
        ck_assert(!secret_check(&c, &err));
        ck_assert_msg(
            err.class == ERROR_CONFIG && strstr(err.text, "f.conf line 1: AuthPassFile: /"), "%s", err.text);
        ck_assert(!secret_fetch(&c, 0, &err));
        config_end(&c);
    }
}
END_TEST

/* Who may read a secret file decides; `foreign` is a configuration that may have been injected */
static const struct {
    mode_t mode;
    uid_t owner; /* 0 needs root to make */
    bool foreign, ok, warned;
} permissions[] = {
    { 0600, 0, false, true, false },
    { 0640, 0, false, true, false },
    { 0644, 0, false, true, true },
    { 0644, 12345, false, false, false },
    { 0600, 12345, false, true, false },
    { 0600, 0, true, true, false },
    { 0640, 0, true, false, false },
    { 0644, 0, true, false, false },
    { 0600, 12345, true, false, false },
};

START_TEST(who_else_may_read_a_secret_decides)
{
    for (size_t i = 0; getuid() == 0 && i < sizeof permissions / sizeof permissions[0]; i++) {
        char *path = write_secret("x\n", 2, permissions[i].mode);
        struct config c;
        struct error err;
        bool ok, warned;

        ck_assert_int_eq(chown(path, permissions[i].owner, 0) | chmod(path, permissions[i].mode), 0);
        begin(&c, CONFIG_AUTH_PASS_FILE, path);
        c.foreign = permissions[i].foreign;
        ok = secret_check(&c, &err);
        warned = c.warnings.len > 0;
        if (strncmp(path, "/home/", 6) != 0 && strncmp(path, "/root/", 6) != 0) {
            ck_assert_msg(ok == permissions[i].ok, "%zu: %s", i, ok ? "taken" : err.text);
            ck_assert_msg(warned == permissions[i].warned, "%zu: %s", i, buf_str(&c.warnings));
            ck_assert(ok == secret_fetch(&c, 0, &err)); /* the same when it is read, should it have changed */
        }
        config_end(&c);
        ck_assert_int_eq(unlink(path), 0);
        free(path);
    }
}
END_TEST

START_TEST(only_the_callers_own_command_sees_all_of_the_environment)
{
    static const char command[] = "sh -c 'echo \"$HOME,$SMTPRELAY_X\"'";
    struct config c;
    struct error err;

    ck_assert_int_eq(setenv("SMTPRELAY_X", "hidden", 1) | setenv("HOME", "/h", 1), 0);
    begin(&c, CONFIG_AUTH_PASS_COMMAND, command);
    ck_assert_msg(secret_fetch(&c, 0, &err), "%s", err.text);
    ck_assert_str_eq(config_text(&c, 0, CONFIG_AUTH_PASS), "/h,");
    c.own_commands = true;
    ck_assert_msg(secret_fetch(&c, 0, &err), "%s", err.text);
    ck_assert_str_eq(config_text(&c, 0, CONFIG_AUTH_PASS), "/h,hidden");
    config_end(&c);
}
END_TEST

START_TEST(a_first_line_without_end_is_refused_not_cut)
{
    struct config c;
    struct error err;

    begin(&c, CONFIG_AUTH_PASS_COMMAND, "head -c 100000 /dev/zero");
    ck_assert(!secret_fetch(&c, 0, &err));
    ck_assert_msg(err.class == ERROR_ADMIN && strstr(err.text, "too long"), "%s", err.text);
    config_end(&c);
}
END_TEST

SUITE_MAIN("secret", a_command_is_words_and_no_shell, a_command_that_closes_its_output_does_not_hold_us,
    a_child_that_keeps_the_output_does_not_hold_us, a_command_over_its_time_is_killed_with_its_children,
    a_command_inherits_no_descriptor, a_secret_is_the_first_line_of_its_file,
    a_credential_is_found_where_the_service_manager_put_it, what_is_no_file_is_never_waited_for,
    who_else_may_read_a_secret_decides, only_the_callers_own_command_sees_all_of_the_environment,
    a_first_line_without_end_is_refused_not_cut)
