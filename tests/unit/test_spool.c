/* SPDX-License-Identifier: ISC */
/* spool: exit 0 after a commit is a promise; nothing torn, foreign or failed to sync is ever taken for mail. */
#include "unit/suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "queue/spool.h"
#include "queue/spool_order.h"

static char dir[64];
static char calls[256]; /* a letter for each call that changed something, in order */
static char fail_at;    /* this one fails */
static int fails_with = EIO;
static bool fail_unlink;
static size_t opens, reads;

static bool
noted(char c)
{
    size_t n = strlen(calls);

    if (n + 1 < sizeof calls) {
        calls[n] = c;
        calls[n + 1] = '\0';
    }
    errno = fails_with;
    return c == fail_at || (c == 'u' && fail_unlink);
}

static int
t_mkdir(int d, const char *name)
{
    return noted('m') ? -1 : spool_io_system.mkdir(d, name);
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

static ssize_t
t_write(int fd, const void *data, size_t len, off_t offset)
{
    return noted('w') ? -1 : spool_io_system.write(fd, data, len, offset);
}

/* A disk may take less than it is given */
static ssize_t
t_write_short(int fd, const void *data, size_t len, off_t offset)
{
    return spool_io_system.write(fd, data, len > 999 ? 999 : len, offset);
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
t_rename(int from, int to, const char *name)
{
    return noted('r') ? -1 : spool_io_system.rename(from, to, name);
}

static int
t_enter(int from, int to, const char *name)
{
    return noted('r') ? -1 : spool_io_system.enter(from, to, name);
}

static int
t_unlink(int d, const char *name)
{
    return noted('u') ? -1 : spool_io_system.unlink(d, name);
}

static int
t_open(int d, const char *name, int flags)
{
    opens++;
    errno = fails_with;
    return fail_at == 'o' ? -1 : spool_io_system.open(d, name, flags);
}

static ssize_t
t_read(int fd, void *data, size_t len, off_t offset)
{
    reads++;
    errno = fails_with;
    return fail_at == 'R' ? -1 : spool_io_system.read(fd, data, len, offset);
}

static int
t_lock(int fd)
{
    errno = fails_with;
    return fail_at == 'k' ? -1 : spool_io_system.lock(fd);
}

static const struct spool_io io = { t_mkdir, t_temp, t_create, t_write, t_sync, t_sync_dir, t_link, t_rename,
    t_enter, t_unlink, t_open, t_read, t_lock };
static const struct spool_io io_named = { t_mkdir, t_no_temp, t_create, t_write, t_sync, t_sync_dir, t_link,
    t_rename, t_enter, t_unlink, t_open, t_read, t_lock };
static const struct spool_io io_short = { t_mkdir, t_temp, t_create, t_write_short, t_sync, t_sync_dir,
    t_link, t_rename, t_enter, t_unlink, t_open, t_read, t_lock };

static struct spool *
fresh(const struct spool_io *with)
{
    struct error err;
    struct spool *s;

    (void)snprintf(dir, sizeof dir, "/tmp/test-spool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    fail_at = 0;
    fails_with = EIO;
    fail_unlink = false;
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

#define TEXT "Subject: x\r\n\r\nhi\r\n"

/* The content of all messages here, behind 7 other bytes */
static int
content(void)
{
    int fd = memfd_create("content", MFD_CLOEXEC);

    ck_assert(file_pwrite(fd, "1234567" TEXT "more", strlen("1234567" TEXT "more"), 0));
    return fd;
}

static void
message(struct record *r, const char *id)
{
    record_init(r);
    r->id = mem_dup(id);
    r->account = mem_dup("default");
    envelope_set_sender(&r->envelope, "a@example.org");
    envelope_add(&r->envelope, "b@example.net", 0, NULL);
    envelope_add(&r->envelope, "c@example.net", 0, NULL);
}

/* Store a message to two recipients */
static bool
commit(struct spool *s, const char *id, struct error *err)
{
    struct record r;
    struct draft d;
    int fd = content();
    bool ok;

    message(&r, id);
    ok = spool_store(s, &r, fd, 7, strlen(TEXT), &d, err);
    ck_assert(ok == (d.fd >= 0));
    spool_drop(s, &d);
    file_close(&fd);
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
    ck_assert_str_eq(calls, "twsld"); /* the file before its name, the folder after it */
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
    ck_assert_str_eq(calls, "cwsrd");
    ck_assert_uint_eq(count("queue"), 1);
    ck_assert_uint_eq(count("tmp"), 0);
    gone(s);
}
END_TEST

START_TEST(where_an_unnamed_file_is_given_no_name_the_message_is_written_again_with_one)
{
    static const int refusals[] = { EPERM, EACCES, EOPNOTSUPP, ENOSYS, EXDEV, ENOENT };

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct spool *s = fresh(&io);
        struct error err;
        fail_at = 'l';
        fails_with = refusals[i];
        ck_assert_msg(commit(s, "A1", &err), "%s", err.text);
        ck_assert_str_eq(calls, "twslcwsrd");
        calls[0] = '\0';
        ck_assert_msg(commit(s, "A2", &err), "%s", err.text); /* it has learned */
        ck_assert_str_eq(calls, "cwsrd");
        ck_assert_uint_eq(count("queue"), 2);
        ck_assert_uint_eq(count("tmp"), 0);
        gone(s);
    }
}
END_TEST

START_TEST(whatever_fails_on_the_way_nothing_is_accepted_and_nothing_is_left)
{
    static const struct spool_io *const kinds[] = { &io, &io_named };

    for (size_t k = 0; k < 2; k++) {
        for (const char *c = k ? "cwsrdk" : "twsldk"; *c; c++) {
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

/* Two machines, or containers, that share a folder */
START_TEST(a_message_never_takes_the_place_of_another_one)
{
    static const struct spool_io *const kinds[] = { &io, &io_named };

    for (size_t k = 0; k < 2; k++) {
        struct spool *s = fresh(kinds[k]);
        struct error err;
        char *path = mem_format("%s/queue/A1", dir);
        struct stat before, after;
        ck_assert(commit(s, "A1", &err));
        ck_assert_int_eq(stat(path, &before), 0);
        ck_assert(!commit(s, "A1", &err));
        ck_assert_int_eq(err.class, ERROR_IO);
        ck_assert_int_eq(stat(path, &after), 0);
        ck_assert(before.st_ino == after.st_ino);
        ck_assert_uint_eq(count("queue"), 1);
        ck_assert_uint_eq(count("tmp"), 0);
        free(path);
        gone(s);
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
    r.is_warned = true;
    r.last_try = 1234567890;
    free(r.reason);
    r.reason = mem_dup("hub:25: greeting: 421 \xc3\xa4 100% busy");
    ck_assert(spool_mark(s, fd, &r, &err));
    ck_assert(spool_note(s, fd, &r));
    record_clear(&r);
    file_close(&fd);
    fd = spool_take(s, "A1", &r, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_int_eq(r.envelope.rcpt[0].state, ENVELOPE_OPEN);
    ck_assert_int_eq(r.envelope.rcpt[1].state, ENVELOPE_DONE);
    ck_assert(r.attempts == 7 && r.last_try == 1234567890 && r.is_warned);
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

START_TEST(what_is_stored_has_its_whole_content_and_hints_and_is_locked)
{
    static const size_t sizes[] = { 0, 1, 999, 65535, 65536, 65537, 200000 };
    static const struct spool_io *const kinds[] = { &io, &io_named, &io_short };

    for (size_t k = 0; k < 3; k++) {
        struct spool *s = fresh(kinds[k]);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct record r, got;
            struct draft d;
            struct error err;
            char *text = mem_alloc(sizes[i] + 1), *back = mem_alloc(sizes[i] + 1), id[20];
            int from = memfd_create("content", MFD_CLOEXEC), fd;
            for (size_t n = 0; n < sizes[i]; n++)
                text[n] = (char)('a' + n * 31 % 57);
            ck_assert(file_pwrite(from, text, sizes[i], 0));
            (void)snprintf(id, sizeof id, "A%zu", i);
            message(&r, id);
            r.attempts = 1;
            r.reason = mem_dup("busy");
            ck_assert_msg(spool_store(s, &r, from, 0, sizes[i], &d, &err), "%s", err.text);
            ck_assert_int_lt(spool_take(s, id, &got, &err), 0); /* locked */
            r.envelope.rcpt[1].state = ENVELOPE_DONE;
            ck_assert(spool_mark(s, d.fd, &r, &err));
            spool_drop(s, &d);
            fd = spool_take(s, id, &got, &err);
            ck_assert_msg(fd >= 0, "%s", err.text);
            ck_assert_uint_eq(got.content_size, sizes[i]);
            ck_assert_uint_eq(got.content_offset, r.content_offset);
            ck_assert(file_pread(fd, back, sizes[i], (off_t)got.content_offset));
            ck_assert(memcmp(text, back, sizes[i]) == 0);
            ck_assert_int_eq(got.attempts, 1);
            ck_assert_str_eq(got.reason, "busy");
            ck_assert_int_eq(got.envelope.rcpt[1].state, ENVELOPE_DONE);
            record_clear(&r);
            record_clear(&got);
            file_close(&fd);
            file_close(&from);
            free(text);
            free(back);
        }
        gone(s);
    }
}
END_TEST

START_TEST(content_that_cannot_be_read_to_its_end_is_not_stored)
{
    struct spool *s = fresh(&io);
    struct record r;
    struct draft d;
    struct error err;
    int fd = content();

    message(&r, "A1");
    ck_assert(!spool_store(s, &r, fd, 7, 100, &d, &err));
    ck_assert_int_eq(err.class, ERROR_IO);
    ck_assert_uint_eq(count("queue"), 0);
    record_clear(&r);
    file_close(&fd);
    gone(s);
}
END_TEST

/* The kernel forgets what it could not write; the second fsync says all is well */
START_TEST(a_sync_that_failed_is_not_tried_again_and_the_record_is_no_mail)
{
    static const char *const want[2][2] = { { "tws", "twsldu" }, { "cwsu", "cwsrdu" } };
    static const struct spool_io *const kinds[] = { &io, &io_named };

    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < 2; i++) {
            struct spool *s = fresh(kinds[k]);
            struct error err;
            fail_at = i ? 'd' : 's';
            ck_assert(!commit(s, "A1", &err));
            ck_assert_str_eq(calls, want[k][i]);
            ck_assert_uint_eq(count("queue"), 0);
            fail_at = 0;
            ck_assert_msg(commit(s, "A2", &err), "%s", err.text); /* the next one is one of its own */
            ck_assert_uint_eq(count("queue"), 1);
            gone(s);
        }
    }
}
END_TEST

START_TEST(a_record_that_was_not_accepted_and_cannot_be_removed_is_no_mail)
{
    struct spool *s = fresh(&io);
    struct record r;
    struct error err;

    fail_at = 'd';
    fail_unlink = true;
    ck_assert(!commit(s, "A1", &err));
    fail_at = 0;
    fail_unlink = false;
    ck_assert_uint_eq(count("queue"), 1);
    ck_assert(!spool_head(s, "A1", &r, &err));
    ck_assert_int_lt(spool_take(s, "A1", &r, &err), 0);
    ck_assert_int_eq(err.class, ERROR_DATA);
    ck_assert_uint_eq(count("queue"), 0);
    gone(s);
}
END_TEST

/* No descriptor, no memory, a disk that fails for a moment */
START_TEST(what_cannot_be_opened_or_read_now_stays_where_it_is)
{
    static const struct {
        char at;
        int with;
    } cases[] = { { 'k', ENOLCK }, { 'o', EMFILE }, { 'o', ENFILE }, { 'o', ENOMEM }, { 'o', EIO },
        { 'R', EIO }, { 'R', ESTALE } };
    struct spool *s = fresh(&io);
    struct record r, none;
    struct error err;

    ck_assert(commit(s, "A1", &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fail_at = cases[i].at;
        fails_with = cases[i].with;
        ck_assert_int_lt(spool_take(s, "A1", &r, &err), 0);
        ck_assert_int_eq(err.class, ERROR_IO);
        if (fail_at != 'k') {
            ck_assert(!spool_head(s, "A1", &r, &err));
            ck_assert_int_eq(err.class, ERROR_IO);
        }
        ck_assert_uint_eq(count("queue"), 1);
    }
    fail_at = 0;
    int fd = spool_take(s, "A1", &r, &err);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_lt(spool_take(s, "A2", &none, &err), 0);
    ck_assert_int_eq(err.class, ERROR_TEMP);
    record_clear(&r);
    file_close(&fd);
    gone(s);
}
END_TEST

START_TEST(the_head_of_a_record_is_one_open_and_one_read)
{
    struct spool *s = fresh(&io);
    struct record r;
    struct error err;

    ck_assert(commit(s, "A1", &err));
    opens = reads = 0;
    ck_assert_msg(spool_head(s, "A1", &r, &err), "%s", err.text);
    ck_assert(opens == 1 && reads == 1);
    ck_assert_str_eq(r.account, "default");
    ck_assert_uint_eq(r.envelope.n, 2);
    record_clear(&r);
    gone(s);
}
END_TEST

START_TEST(drafts_that_nobody_writes_any_more_are_removed_by_who_has_the_queue)
{
    struct spool *s = fresh(&io_named), *t = spool_open(dir, &io, &(struct error){ 0 });
    struct error err;
    char *path[2] = { mem_format("%s/tmp/A1", dir), mem_format("%s/tmp/B2", dir) };
    int fd[2];

    for (int i = 0; i < 2; i++) {
        fd[i] = open(path[i], O_RDWR | O_CREAT, 0600);
        ck_assert_int_ge(fd[i], 0);
        free(path[i]);
    }
    ck_assert_int_eq(flock(fd[1], LOCK_EX), 0); /* B2 is being written */
    ck_assert(spool_lock(s, &err));
    ck_assert_uint_eq(count("tmp"), 1);
    ck_assert(!spool_lock(t, &err));
    file_close(&fd[0]);
    file_close(&fd[1]);
    spool_close(t);
    ck_assert_uint_eq(count("tmp"), 1); /* who does not have the queue removes nothing */
    spool_clean(s);
    ck_assert_uint_eq(count("tmp"), 0);
    gone(s);
}
END_TEST

/* A draft is locked an instant after it was made: who cleans up may have been faster */
static struct spool *cleaner;
static bool cleaned;

static int
create_and_be_cleaned(int d, const char *name)
{
    struct error err;
    int fd = spool_io_system.create(d, name);

    if (!cleaned) {
        cleaned = true;
        ck_assert(spool_lock(cleaner, &err));
    }
    return fd;
}

START_TEST(a_draft_that_was_taken_for_an_abandoned_one_is_begun_again)
{
    struct spool_io with = io_named;
    struct spool *s = fresh(&io_named), *t;
    struct error err;

    with.create = create_and_be_cleaned;
    cleaned = false;
    cleaner = s;
    t = spool_open(dir, &with, &err);
    ck_assert_msg(commit(t, "A1", &err), "%s", err.text);
    ck_assert(cleaned);
    ck_assert_uint_eq(count("queue"), 1);
    ck_assert_uint_eq(count("tmp"), 0);
    spool_close(t);
    gone(s);
}
END_TEST

START_TEST(a_queue_whose_making_was_cut_off_is_made)
{
    struct spool *s = fresh(&io), *t;
    struct error err;
    char *path = mem_format("%s/version", dir), *folder = mem_format("%s/failed", dir);

    for (off_t n = 0; n < 17; n++) {
        ck_assert_int_eq(truncate(path, n), 0);
        ck_assert_int_eq(rmdir(folder), 0);
        calls[0] = '\0';
        t = spool_open(dir, &io, &err);
        ck_assert_msg(t != NULL, "%ld bytes: %s", (long)n, err.text);
        ck_assert_str_eq(calls, "mmmmcdws"); /* complete only when the folders are durable */
        spool_close(t);
        calls[0] = '\0';
        t = spool_open(dir, &io, &err);
        ck_assert_ptr_nonnull(t);
        ck_assert_str_eq(calls, "");
        spool_close(t);
    }
    free(path);
    free(folder);
    gone(s);
}
END_TEST

START_TEST(what_could_not_be_returned_is_kept_for_its_time)
{
    struct spool *s = fresh(&io);
    struct error err;
    struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
    char *path = mem_format("%s/failed/A1", dir);

    ck_assert(commit(s, "A1", &err) && commit(s, "B2", &err) && commit(s, "C3", &err));
    ck_assert(spool_fail(s, "A1", &err) && spool_fail(s, "B2", &err));
    ck_assert_int_eq(utimensat(AT_FDCWD, path, old, 0), 0);
    ck_assert_uint_eq(spool_expire(s, 1000), 0);
    ck_assert_uint_eq(spool_expire(s, 1001), 1);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_uint_eq(count("failed"), 1);
    ck_assert_uint_eq(count("queue"), 1);
    free(path);
    gone(s);
}
END_TEST

START_TEST(the_size_of_the_queue_is_kept_up_with_what_is_added_and_removed)
{
    struct spool *s = fresh(&io), *t;
    struct error err;
    char *path = mem_format("%s/queue/A1", dir);
    struct stat st;
    uint64_t one;

    ck_assert(spool_has_room(s, 0, 1, &err)); /* counted now */
    ck_assert(commit(s, "A1", &err));
    ck_assert_int_eq(stat(path, &st), 0);
    one = (uint64_t)st.st_size;
    for (uint64_t n = 1; n <= 3; n++) {
        char id[8];
        ck_assert(spool_has_room(s, 0, n * one + 1, &err));
        ck_assert(!spool_has_room(s, 0, n * one, &err));
        (void)snprintf(id, sizeof id, "B%d", (int)n);
        ck_assert(commit(s, id, &err));
    }
    ck_assert(spool_remove(s, "A1", &err) && spool_fail(s, "B1", &err));
    ck_assert(!spool_remove(s, "A1", &err));
    ck_assert(spool_has_room(s, 0, 2 * one + 1, &err));
    ck_assert(!spool_has_room(s, 0, 2 * one, &err));
    t = spool_open(dir, &io, &err); /* who comes new counts what is there */
    ck_assert(!spool_has_room(t, 0, 2 * one, &err));
    ck_assert(spool_has_room(t, 0, 2 * one + 1, &err));
    ck_assert(!spool_has_room(t, UINT64_MAX, 0, &err));
    spool_close(t);
    free(path);
    gone(s);
}
END_TEST

struct storer {
    struct spool *spool;
    int n;
};

static void *
store_many(void *arg)
{
    struct storer *w = arg;
    struct error err;
    char id[20];

    for (int i = 0; i < 40; i++) {
        (void)snprintf(id, sizeof id, "T%dN%d", w->n, i);
        ck_assert_msg(commit(w->spool, id, &err), "%s", err.text);
        if (i % 4 == 0)
            ck_assert(spool_remove(w->spool, id, &err));
    }
    return NULL;
}

START_TEST(the_queue_is_walked_oldest_first_however_few_ids_are_held)
{
    static const size_t windows[] = { 1, 2, 7, 29, 30, 31, 1000 };
    struct spool *s = fresh(&spool_io_system);
    char id[SPOOL_ID_MAX + 1], last[SPOOL_ID_MAX + 1];
    struct error err;

    for (unsigned i = 0; i < 30; i++) {
        char *name = mem_format("1M5Z%02u%05X", i * 7 % 30, i * 2654435761u & 0xfffff);
        ck_assert_msg(commit(s, name, &err), "%s", err.text);
        free(name);
    }
    for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
        struct spool_order *o = spool_order_new(s, spool_rewind, windows[w]);
        size_t n = 0;
        for (last[0] = '\0'; spool_order_next(o, id); n++) {
            ck_assert_msg(strcmp(id, last) > 0, "%s behind %s, %zu held", id, last, windows[w]);
            memcpy(last, id, sizeof last);
        }
        ck_assert_uint_eq(n, 30);
        spool_order_free(o);
    }
    gone(s);
}
END_TEST

START_TEST(several_threads_store_and_remove_at_once)
{
    for (size_t k = 0; k < 2; k++) {
        struct spool_io with = spool_io_system;
        if (k)
            with.temp = t_no_temp;
        struct spool *s = fresh(&with);
        struct storer w[4];
        pthread_t t[4];
        struct record r;
        struct error err;
        char id[SPOOL_ID_MAX + 1];
        size_t n = 0;
        fail_at = 0;
        for (int i = 0; i < 4; i++) {
            w[i] = (struct storer){ s, i };
            ck_assert_int_eq(pthread_create(&t[i], NULL, store_many, &w[i]), 0);
        }
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(pthread_join(t[i], NULL), 0);
        spool_rewind(s);
        while (spool_next(s, id)) {
            int fd = spool_take(s, id, &r, &err);
            ck_assert_msg(fd >= 0, "%s", err.text);
            record_clear(&r);
            file_close(&fd);
            n++;
        }
        ck_assert_uint_eq(n, 4 * 30);
        gone(s);
    }
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
    ck_assert_ptr_nonnull(strstr(err.text, "another process"));
    fail_at = 'k';
    fails_with = ENOLCK; /* a file system without locks says so */
    ck_assert(!spool_lock(t, &err));
    ck_assert_ptr_nonnull(strstr(err.text, strerror(ENOLCK)));
    spool_close(t);
    gone(s);
}
END_TEST

SUITE_MAIN("spool", a_committed_message_is_there_after_file_and_folder_were_synced,
    without_unnamed_files_a_message_is_renamed_into_the_queue,
    where_an_unnamed_file_is_given_no_name_the_message_is_written_again_with_one,
    whatever_fails_on_the_way_nothing_is_accepted_and_nothing_is_left,
    a_message_never_takes_the_place_of_another_one, a_message_is_taken_by_one_at_a_time,
    marks_and_hints_are_found_again, a_torn_or_foreign_file_is_moved_aside,
    links_in_the_queue_are_not_followed, a_queue_others_can_write_to_or_of_another_version_is_not_opened,
    the_lock_is_one_process_s, what_is_stored_has_its_whole_content_and_hints_and_is_locked,
    content_that_cannot_be_read_to_its_end_is_not_stored,
    a_sync_that_failed_is_not_tried_again_and_the_record_is_no_mail,
    a_record_that_was_not_accepted_and_cannot_be_removed_is_no_mail,
    what_cannot_be_opened_or_read_now_stays_where_it_is, the_head_of_a_record_is_one_open_and_one_read,
    drafts_that_nobody_writes_any_more_are_removed_by_who_has_the_queue,
    a_draft_that_was_taken_for_an_abandoned_one_is_begun_again, a_queue_whose_making_was_cut_off_is_made,
    what_could_not_be_returned_is_kept_for_its_time,
    the_size_of_the_queue_is_kept_up_with_what_is_added_and_removed,
    the_queue_is_walked_oldest_first_however_few_ids_are_held, several_threads_store_and_remove_at_once)
