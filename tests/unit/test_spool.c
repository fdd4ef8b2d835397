/* spool: exit 0 after a commit is a promise; nothing torn, foreign or failed to sync is ever taken for mail. */
#include "unit/suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "queue/spool.h"

static char dir[64];
static char calls[256]; /* a letter for each call that changed something */
static char fail_at;    /* this one fails */

static bool
noted(char c)
{
    size_t n = strlen(calls);

    calls[n] = c;
    calls[n + 1] = '\0';
    errno = EIO;
    return c == fail_at;
}

static int
t_temp(int d)
{
    return noted('t') ? -1 : spool_io_system.temp(d);
}

static int
t_no_temp(int d)
{
    (void)d;
    errno = EOPNOTSUPP;
    return -1;
}

static int
t_create(int d, const char *name)
{
    return noted('c') ? -1 : spool_io_system.create(d, name);
}

static int
t_sync(int fd)
{
    return noted('s') ? -1 : spool_io_system.sync(fd);
}

static int
t_sync_dir(int d)
{
    return noted('d') ? -1 : spool_io_system.sync_dir(d);
}

static int
t_link(int fd, int d, const char *name)
{
    return noted('l') ? -1 : spool_io_system.link(fd, d, name);
}

static int
t_rename(int a, const char *n, int b, const char *m)
{
    return noted('r') ? -1 : spool_io_system.rename(a, n, b, m);
}

static int
t_unlink(int d, const char *name)
{
    return noted('u') ? -1 : spool_io_system.unlink(d, name);
}

static const struct spool_io io = { t_temp, t_create, t_sync, t_sync_dir, t_link, t_rename, t_unlink };
static const struct spool_io io_named = { t_no_temp, t_create, t_sync, t_sync_dir, t_link, t_rename,
    t_unlink };

static struct spool *
fresh(const struct spool_io *with)
{
    struct error err;
    struct spool *s;

    (void)snprintf(dir, sizeof dir, "/tmp/test-spool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    fail_at = 0;
    s = spool_open(dir, with, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    calls[0] = '\0';
    return s;
}

static void
gone(struct spool *s)
{
    char *command = mem_format("rm -rf %s", dir);

    spool_close(s);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

static size_t
count(const char *folder)
{
    char *path = mem_format("%s/%s", dir, folder);
    DIR *d = opendir(path);
    size_t n = 0;

    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    free(path);
    return n;
}

/* Draft, write, commit a message to two recipients */
static bool
commit(struct spool *s, const char *id, struct error *err)
{
    struct record r;
    struct draft d;
    bool ok;

    record_init(&r);
    r.id = mem_dup(id);
    r.account = mem_dup("default");
    envelope_set_sender(&r.envelope, "a@example.org");
    envelope_add(&r.envelope, "b@example.net", 0, NULL);
    envelope_add(&r.envelope, "c@example.net", 0, NULL);
    ok = spool_draft(s, id, &d, err);
    if (ok) {
        ok = record_begin(d.fd, &r, err) && file_pwrite(d.fd, "hi\r\n", 4, (off_t)r.content_offset) &&
             record_finish(d.fd, &r, 4, err) && spool_commit(s, id, &d, err);
        spool_drop(s, &d);
    }
    record_clear(&r);
    return ok;
}

START_TEST(a_committed_message_is_there_after_file_and_folder_were_synced)
{
    struct spool *s = fresh(&io);
    struct record r;
    struct error err;
    char id[SPOOL_ID_MAX + 1];

    ck_assert_msg(commit(s, "A1", &err), "%s", err.text);
    ck_assert_str_eq(calls, "tsld"); /* the file before its name, the folder after it */
    spool_rewind(s);
    ck_assert(spool_next(s, id));
    ck_assert_str_eq(id, "A1");
    ck_assert(!spool_next(s, id));
    int fd = spool_take(s, "A1", &r, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_uint_eq(r.envelope.n, 2);
    record_clear(&r);
    file_close(&fd);
    gone(s);
}
END_TEST

START_TEST(without_unnamed_files_a_message_is_renamed_into_the_queue)
{
    struct spool *s = fresh(&io_named);
    struct error err;

    ck_assert_msg(commit(s, "A1", &err), "%s", err.text);
    ck_assert_str_eq(calls, "csrd");
    ck_assert_uint_eq(count("queue"), 1);
    ck_assert_uint_eq(count("tmp"), 0);
    gone(s);
}
END_TEST

START_TEST(whatever_fails_on_the_way_nothing_is_accepted_and_nothing_is_left)
{
    static const struct spool_io *const kinds[] = { &io, &io_named };

    for (size_t k = 0; k < 2; k++) {
        for (const char *c = k ? "csrd" : "tsld"; *c; c++) {
            struct spool *s = fresh(kinds[k]);
            struct error err;
            fail_at = *c;
            ck_assert_msg(!commit(s, "A1", &err), "accepted though '%c' failed", *c);
            ck_assert_int_eq(err.class, ERROR_IO);
            ck_assert_uint_eq(count("queue"), 0);
            ck_assert_uint_eq(count("tmp"), 0);
            gone(s);
        }
    }
}
END_TEST

START_TEST(a_message_is_taken_by_one_at_a_time)
{
    struct spool *s = fresh(&io);
    struct record r, again;
    struct error err;

    ck_assert(commit(s, "A1", &err));
    int fd = spool_take(s, "A1", &r, &err);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_lt(spool_take(s, "A1", &again, &err), 0);
    ck_assert_int_eq(err.class, ERROR_TEMP);
    ck_assert_uint_eq(count("queue"), 1);
    record_clear(&r);
    file_close(&fd);
    gone(s);
}
END_TEST

START_TEST(marks_and_hints_are_found_again)
{
    struct spool *s = fresh(&io);
    struct record r;
    struct error err;

    ck_assert(commit(s, "A1", &err));
    int fd = spool_take(s, "A1", &r, &err);
    r.envelope.rcpt[1].state = ENVELOPE_DONE;
    r.attempts = 7;
    r.last_try = 1234567890;
    free(r.reason);
    r.reason = mem_dup("hub:25: greeting: 421 \xc3\xa4 100% busy");
    ck_assert(spool_mark(s, fd, &r, &err));
    ck_assert(record_note(fd, &r));
    record_clear(&r);
    file_close(&fd);
    fd = spool_take(s, "A1", &r, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_int_eq(r.envelope.rcpt[0].state, ENVELOPE_OPEN);
    ck_assert_int_eq(r.envelope.rcpt[1].state, ENVELOPE_DONE);
    ck_assert(r.attempts == 7 && r.last_try == 1234567890);
    ck_assert_str_eq(r.reason, "hub:25: greeting: 421 \xc3\xa4 100% busy");
    record_clear(&r);
    file_close(&fd);
    gone(s);
}
END_TEST

START_TEST(a_torn_or_foreign_file_is_moved_aside)
{
    struct spool *s = fresh(&io);
    struct record r;
    struct error err;
    char *path = mem_format("%s/queue/B2", dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    ck_assert(file_write(fd, "smtprelay-record 1 ", 19));
    file_close(&fd);
    ck_assert_int_lt(spool_take(s, "B2", &r, &err), 0);
    ck_assert_int_eq(err.class, ERROR_DATA);
    ck_assert_uint_eq(count("queue"), 0);
    ck_assert_uint_eq(count("corrupt"), 1);
    free(path);
    gone(s);
}
END_TEST

START_TEST(links_in_the_queue_are_not_followed)
{
    struct spool *s = fresh(&io);
    struct record r;
    struct error err;
    char *path = mem_format("%s/queue/C3", dir);

    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_lt(spool_take(s, "C3", &r, &err), 0);
    ck_assert_int_lt(spool_take(s, "../lock", &r, &err), 0);
    free(path);
    gone(s);
}
END_TEST

START_TEST(a_queue_others_can_write_to_or_of_another_version_is_not_opened)
{
    struct spool *s = fresh(&io);
    struct error err;
    char *path = mem_format("%s/version", dir);
    int fd = open(path, O_WRONLY | O_TRUNC);

    ck_assert(file_write(fd, "smtprelay-queue 2\n", 18));
    file_close(&fd);
    ck_assert_ptr_null(spool_open(dir, &io, &err));
    ck_assert_int_eq(err.class, ERROR_CONFIG);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(chmod(dir, 0770), 0);
    ck_assert_ptr_null(spool_open(dir, &io, &err));
    free(path);
    gone(s);
}
END_TEST

START_TEST(the_lock_is_one_process_s)
{
    struct spool *s = fresh(&io), *t;
    struct error err;

    t = spool_open(dir, &io, &err);
    ck_assert(spool_lock(s, &err));
    ck_assert(!spool_lock(t, &err));
    spool_close(t);
    gone(s);
}
END_TEST

SUITE_MAIN("spool", a_committed_message_is_there_after_file_and_folder_were_synced,
    without_unnamed_files_a_message_is_renamed_into_the_queue,
    whatever_fails_on_the_way_nothing_is_accepted_and_nothing_is_left, a_message_is_taken_by_one_at_a_time,
    marks_and_hints_are_found_again, a_torn_or_foreign_file_is_moved_aside,
    links_in_the_queue_are_not_followed, a_queue_others_can_write_to_or_of_another_version_is_not_opened,
    the_lock_is_one_process_s)
