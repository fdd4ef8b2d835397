/* SPDX-License-Identifier: ISC */
/* trouble: what is told is short, harmless and said in order; a command that hangs is killed and gets nothing that is ours. */
#include "unit/suite.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/alarm.h"
#include "daemon/trouble.h"
#include "ipc/start.h"

/* ---------------------------------------------------------------- the text */

static const struct {
    struct trouble_news news;
    const char *text;
} texts[] = {
    { { .kind = TROUBLE_FROZEN,
          .host = "web1",
          .account = "gmail",
          .reason = "hub:25: AUTH: 535 no",
          .waiting = 2 },
        "smtprelay on web1: account gmail is frozen\n\nhub:25: AUTH: 535 no\n\nIts mail waits and does not "
        "age; in the "
        "queue: 2 messages. Mend it in smtprelay.conf (smtprelay check) or at the smarthost, then reload "
        "smtprelayd "
        "(SIGHUP) or run sendmail -q.\n" },
    { { .kind = TROUBLE_THAWED, .host = "web1", .account = "gmail", .duration_s = 8100 },
        "smtprelay on web1: over: account gmail works again\n\nIt was frozen for 2h15m.\n" },
    { { .kind = TROUBLE_GONE, .host = "web1", .account = "gmail", .duration_s = 5 },
        "smtprelay on web1: over: account gmail is not configured any more\n\nIt was frozen for 5s.\n" },
    { { .kind = TROUBLE_LATE, .host = "web1", .waiting = 1, .oldest_s = 14460, .limit_s = 14400 },
        "smtprelay on web1: mail waits for more than 4h\n\nThe oldest of 1 message has waited for 4h1m. "
        "smtprelay status "
        "says why and what to do.\n" },
    { { .kind = TROUBLE_ON_TIME, .host = "web1", .duration_s = 60 },
        "smtprelay on web1: over: no mail waits for long any more\n\nThat lasted for 1m.\n" },
    { { .kind = TROUBLE_RUNAWAY,
          .host = "web1",
          .account = "uid 33 (www-data), unit php-fpm.service",
          .uid = 33,
          .limit = 1000,
          .count = 1001,
          .duration_s = 360 },
        "smtprelay on web1: uid 33 (www-data), unit php-fpm.service hands in too much mail: it is held\n\n"
        "That was 1001 messages in 6 minutes; RunawayLimit is 1000/h. What it hands in from now on is safe "
        "in the queue and not sent until you say so:\n\n"
        "    smtprelay queue --held --uid 33      shows it\n"
        "    smtprelay release --held --uid 33    sends it, and lets it go on\n"
        "    smtprelay remove --held --uid 33     drops it\n\n"
        "Mail of others goes on. If so much is meant, raise RunawayLimit in smtprelay.conf (0: no "
        "limit).\n" },
    { { .kind = TROUBLE_BROKEN, .host = "web1", .reason = "/etc/smtprelay.conf line 3: syntax error" },
        "smtprelay on web1: the configuration on disk cannot be used\n\n"
        "/etc/smtprelay.conf line 3: syntax error\n\n"
        "smtprelayd was told to read it (SIGHUP) and goes on with the one before; after a restart it would "
        "not start. Mend it (smtprelay check says when it is right), then reload smtprelayd.\n" },
    { { .kind = TROUBLE_MENDED, .host = "web1", .duration_s = 300 },
        "smtprelay on web1: over: the configuration was read again\n\nIt could not be used for 5m.\n" },
    { { .kind = TROUBLE_CALM, .host = "web1", .account = "uid 33" },
        "smtprelay on web1: over: uid 33 hands in no more than usual\n\nWhat was held stays held until it is "
        "released or removed.\n" },
};

START_TEST(trouble_and_its_end_are_told_in_plain_words)
{
    struct buf b;

    buf_init(&b, START_TEXT_MAX - 1);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        trouble_write(&b, &texts[i].news);
        ck_assert_str_eq(buf_str(&b), texts[i].text);
        buf_reset(&b);
    }
    buf_clear(&b);
}
END_TEST

START_TEST(whatever_a_peer_says_the_text_is_whole_and_harmless)
{
    char *large = mem_alloc(5001);
    struct trouble_news n = { .kind = TROUBLE_FROZEN,
        .host = large,
        .account = large,
        .reason = large,
        .advice = large,
        .waiting = SIZE_MAX };
    struct buf b;

    memset(large, '\x1b', 5000);
    buf_init(&b, START_TEXT_MAX - 1);
    trouble_write(&b, &n);
    ck_assert(!b.overflow);
    for (size_t i = 0; i < b.len; i++)
        ck_assert(b.data[i] == '\n' || (unsigned char)b.data[i] >= 32);
    ck_assert(b.data[b.len - 1] == '\n');
    buf_clear(&b);
    free(large);
}
END_TEST

/* ---------------------------------------------------------------- the command */

static char dir[64];
static struct config config;

/* A script of these lines, `$out` being where it may write */
static void
set_command(const char *lines)
{
    char *path = mem_format("%s/command", dir), *script = mem_format("#!/bin/sh\nout=%s/out\n%s", dir, lines);
    struct error err;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

    ck_assert(fd >= 0 && file_write(fd, script, strlen(script)));
    file_close(&fd);
    ck_assert(config_set(&config, 0, CONFIG_TROUBLE_COMMAND, slice_of(path), true, "t", &err));
    free(path);
    free(script);
}

static struct alarm *
begin(const char *lines, int64_t limit_ms)
{
    struct identity id = { false, 0, 0 };

    (void)snprintf(dir, sizeof dir, "/tmp/test-trouble-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    config_begin(&config);
    set_command(lines);
    return alarm_new(&id, limit_ms);
}

static void
end(struct alarm *a)
{
    char *command = mem_format("rm -rf %s", dir);

    ck_assert_int_eq(system(command), 0);
    free(command);
    alarm_free(a);
    config_end(&config);
}

/* Until nothing runs any more; the status of the last one */
static int
reap_all(struct alarm *a)
{
    int status = 0;
    pid_t pid;

    while ((pid = waitpid(-1, &status, 0)) > 0)
        alarm_reaped(a, &config, pid, status);
    return status;
}

static void
read_out(struct buf *b)
{
    char *path = mem_format("%s/out", dir);
    struct stat st;
    struct error err;
    int fd = file_open_regular(path, &st, &err);

    buf_init(b, 1u << 20);
    if (fd >= 0)
        ck_assert(file_read_all(fd, b, path, &err));
    file_close(&fd);
    free(path);
}

START_TEST(each_trouble_runs_the_command_once_in_order_one_at_a_time)
{
    struct alarm *a = begin("echo begin >>$out; cat >>$out; echo end >>$out\n", 60000);
    struct buf b;

    alarm_raise(a, &config, "one\n");
    alarm_raise(a, &config, "two\n");
    alarm_raise(a, &config, "three\n");
    (void)reap_all(a);
    read_out(&b);
    ck_assert_slice(buf_slice(&b), "begin\none\nend\nbegin\ntwo\nend\nbegin\nthree\nend\n");
    buf_clear(&b);
    end(a);
}
END_TEST

START_TEST(the_command_gets_no_secret_and_no_descriptor_of_ours)
{
    struct alarm *a = begin("{ env; ls /proc/self/fd/; cat; } >>$out\n", 60000);
    int fd = open("/dev/null", O_RDONLY); /* one that somebody forgot to mark */
    struct buf b;

    ck_assert_int_eq(setenv("SMTPRELAY_AUTHPASS", "s3cret", 1), 0);
    alarm_raise(a, &config, "words\n");
    ck_assert_int_eq(reap_all(a), 0);
    ck_assert_int_eq(unsetenv("SMTPRELAY_AUTHPASS"), 0);
    read_out(&b);
    ck_assert_msg(!strstr(buf_str(&b), "s3cret") && !strstr(buf_str(&b), "SMTPRELAY"), "%s", buf_str(&b));
    /* 3 is that of ls itself */
    ck_assert_msg(strstr(buf_str(&b), "0\n1\n2\n3\nwords\n") != NULL, "%s", buf_str(&b));
    file_close(&fd);
    buf_clear(&b);
    end(a);
}
END_TEST

START_TEST(a_command_that_hangs_is_killed_and_the_next_one_runs)
{
    struct alarm *a = begin("read word; [ \"$word\" = two ] || sleep 1000; echo $word >>$out\n", 300);
    struct buf b;

    alarm_raise(a, &config, "one\n");
    alarm_raise(a, &config, "two\n");
    (void)reap_all(a);
    read_out(&b);
    ck_assert_msg(
        b.len == 0 || slice_is(buf_slice(&b), "two\n"), "%s", buf_str(&b)); /* 300 ms may be short */
    buf_clear(&b);
    end(a);
}
END_TEST

START_TEST(a_command_that_fails_or_is_missing_harms_nothing)
{
    struct alarm *a = begin("exit 3\n", 60000);
    struct error err;

    alarm_raise(a, &config, "one\n");
    ck_assert_int_ne(reap_all(a), 0);
    ck_assert(config_set(&config, 0, CONFIG_TROUBLE_COMMAND, slice_of("/nonexistent/x"), true, "t", &err));
    alarm_raise(a, &config, "two\n");
    ck_assert_int_ne(reap_all(a), 0);
    for (int i = 0; i < 100; i++)
        alarm_raise(a, &config, "many\n"); /* more than are kept */
    (void)reap_all(a);
    end(a);
}
END_TEST

SUITE_MAIN("trouble", trouble_and_its_end_are_told_in_plain_words,
    whatever_a_peer_says_the_text_is_whole_and_harmless,
    each_trouble_runs_the_command_once_in_order_one_at_a_time,
    the_command_gets_no_secret_and_no_descriptor_of_ours,
    a_command_that_hangs_is_killed_and_the_next_one_runs, a_command_that_fails_or_is_missing_harms_nothing)
