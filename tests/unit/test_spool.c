/* SPDX-License-Identifier: ISC */
/* spool: exit 0 after a commit is a promise; nothing torn, foreign or failed to sync is ever taken for mail. */
#include "unit/suite.h"
#include "unit/watched.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

START_TEST(a_committed_message_is_there_after_file_and_folder_were_synced)
{
    struct spool *s = watched_open(&watched_io);
    struct record r;
    struct error err;
    char id[SPOOL_ID_MAX + 1];

    ck_assert_msg(watched_commit(s, "A1", &err), "%s", err.text);
    ck_assert_str_eq(watched.calls, "twsld"); /* the file before its name, the folder after it */
    spool_rewind(s);
    ck_assert(spool_next(s, id));
    ck_assert_str_eq(id, "A1");
    ck_assert(!spool_next(s, id));
    int fd = spool_take(s, "A1", &r, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_uint_eq(r.envelope.n, 2);
    record_clear(&r);
    file_close(&fd);
    watched_close(s);
}
END_TEST

START_TEST(without_unnamed_files_a_message_is_renamed_into_the_queue)
{
    struct spool *s = watched_open(&watched_named);
    struct error err;

    ck_assert_msg(watched_commit(s, "A1", &err), "%s", err.text);
    ck_assert_str_eq(watched.calls, "cwsrd");
    ck_assert_uint_eq(watched_count("queue"), 1);
    ck_assert_uint_eq(watched_count("tmp"), 0);
    watched_close(s);
}
END_TEST

START_TEST(where_an_unnamed_file_is_given_no_name_the_message_is_written_again_with_one)
{
    static const int refusals[] = { EPERM, EACCES, EOPNOTSUPP, ENOSYS, EXDEV, ENOENT };

    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct spool *s = watched_open(&watched_io);
        struct error err;
        watched.fail_at = 'l';
        watched.fails_with = refusals[i];
        ck_assert_msg(watched_commit(s, "A1", &err), "%s", err.text);
        ck_assert_str_eq(watched.calls, "twslcwsrd");
        watched.calls[0] = '\0';
        ck_assert_msg(watched_commit(s, "A2", &err), "%s", err.text); /* it has learned */
        ck_assert_str_eq(watched.calls, "cwsrd");
        ck_assert_uint_eq(watched_count("queue"), 2);
        ck_assert_uint_eq(watched_count("tmp"), 0);
        watched_close(s);
    }
}
END_TEST

START_TEST(whatever_fails_on_the_way_nothing_is_accepted_and_nothing_is_left)
{
    static const struct spool_io *const kinds[] = { &watched_io, &watched_named };

    for (size_t k = 0; k < 2; k++) {
        for (const char *c = k ? "cwsrdk" : "twsldk"; *c; c++) {
            struct spool *s = watched_open(kinds[k]);
            struct error err;
            watched.fail_at = *c;
            ck_assert_msg(!watched_commit(s, "A1", &err), "accepted though '%c' failed", *c);
            ck_assert_int_eq(err.class, ERROR_IO);
            ck_assert_uint_eq(watched_count("queue"), 0);
            ck_assert_uint_eq(watched_count("tmp"), 0);
            watched_close(s);
        }
    }
}
END_TEST

/* Two machines, or containers, that share a folder */
START_TEST(a_message_never_takes_the_place_of_another_one)
{
    static const struct spool_io *const kinds[] = { &watched_io, &watched_named };

    for (size_t k = 0; k < 2; k++) {
        struct spool *s = watched_open(kinds[k]);
        struct error err;
        char *path = mem_format("%s/queue/A1", watched.dir);
        struct stat before, after;
        ck_assert(watched_commit(s, "A1", &err));
        ck_assert_int_eq(stat(path, &before), 0);
        ck_assert(!watched_commit(s, "A1", &err));
        ck_assert_int_eq(err.class, ERROR_IO);
        ck_assert_int_eq(stat(path, &after), 0);
        ck_assert(before.st_ino == after.st_ino);
        ck_assert_uint_eq(watched_count("queue"), 1);
        ck_assert_uint_eq(watched_count("tmp"), 0);
        free(path);
        watched_close(s);
    }
}
END_TEST

START_TEST(a_message_is_taken_by_one_at_a_time)
{
    struct spool *s = watched_open(&watched_io);
    struct record r, again;
    struct error err;

    ck_assert(watched_commit(s, "A1", &err));
    int fd = spool_take(s, "A1", &r, &err);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_lt(spool_take(s, "A1", &again, &err), 0);
    ck_assert_int_eq(err.class, ERROR_TEMP);
    ck_assert_uint_eq(watched_count("queue"), 1);
    record_clear(&r);
    file_close(&fd);
    watched_close(s);
}
END_TEST

START_TEST(marks_and_hints_are_found_again)
{
    struct spool *s = watched_open(&watched_io);
    struct record r;
    struct error err;

    ck_assert(watched_commit(s, "A1", &err));
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
    watched_close(s);
}
END_TEST

START_TEST(a_torn_or_foreign_file_is_moved_aside)
{
    struct spool *s = watched_open(&watched_io);
    struct record r;
    struct error err;
    char *path = mem_format("%s/queue/B2", watched.dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    ck_assert(file_write(fd, "smtprelay-record 1 ", 19));
    file_close(&fd);
    ck_assert_int_lt(spool_take(s, "B2", &r, &err), 0);
    ck_assert_int_eq(err.class, ERROR_DATA);
    ck_assert_uint_eq(watched_count("queue"), 0);
    ck_assert_uint_eq(watched_count("corrupt"), 1);
    free(path);
    watched_close(s);
}
END_TEST

START_TEST(links_in_the_queue_are_not_followed)
{
    struct spool *s = watched_open(&watched_io);
    struct record r;
    struct error err;
    char *path = mem_format("%s/queue/C3", watched.dir);

    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_lt(spool_take(s, "C3", &r, &err), 0);
    ck_assert_int_lt(spool_take(s, "../lock", &r, &err), 0);
    free(path);
    watched_close(s);
}
END_TEST

START_TEST(what_is_stored_has_its_whole_content_and_hints_and_is_locked)
{
    static const size_t sizes[] = { 0, 1, 999, 65535, 65536, 65537, 200000 };
    static const struct spool_io *const kinds[] = { &watched_io, &watched_named, &watched_short };

    for (size_t k = 0; k < 3; k++) {
        struct spool *s = watched_open(kinds[k]);
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
            watched_record(&r, id);
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
        watched_close(s);
    }
}
END_TEST

START_TEST(content_that_cannot_be_read_to_its_end_is_not_stored)
{
    struct spool *s = watched_open(&watched_io);
    struct record r;
    struct draft d;
    struct error err;
    int fd = watched_content();

    watched_record(&r, "A1");
    ck_assert(!spool_store(s, &r, fd, 7, 100, &d, &err));
    ck_assert_int_eq(err.class, ERROR_IO);
    ck_assert_uint_eq(watched_count("queue"), 0);
    record_clear(&r);
    file_close(&fd);
    watched_close(s);
}
END_TEST

/* The kernel forgets what it could not write; the second fsync says all is well */
START_TEST(a_sync_that_failed_is_not_tried_again_and_the_record_is_no_mail)
{
    static const char *const want[2][2] = { { "tws", "twsldu" }, { "cwsu", "cwsrdu" } };
    static const struct spool_io *const kinds[] = { &watched_io, &watched_named };

    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < 2; i++) {
            struct spool *s = watched_open(kinds[k]);
            struct error err;
            watched.fail_at = i ? 'd' : 's';
            ck_assert(!watched_commit(s, "A1", &err));
            ck_assert_str_eq(watched.calls, want[k][i]);
            ck_assert_uint_eq(watched_count("queue"), 0);
            watched.fail_at = 0;
            ck_assert_msg(watched_commit(s, "A2", &err), "%s", err.text); /* the next one is one of its own */
            ck_assert_uint_eq(watched_count("queue"), 1);
            watched_close(s);
        }
    }
}
END_TEST

START_TEST(a_record_that_was_not_accepted_and_cannot_be_removed_is_no_mail)
{
    struct spool *s = watched_open(&watched_io);
    struct record r;
    struct error err;

    watched.fail_at = 'd';
    watched.fail_unlink = true;
    ck_assert(!watched_commit(s, "A1", &err));
    watched.fail_at = 0;
    watched.fail_unlink = false;
    ck_assert_uint_eq(watched_count("queue"), 1);
    ck_assert(!spool_head(s, "A1", &r, &err));
    ck_assert_int_lt(spool_take(s, "A1", &r, &err), 0);
    ck_assert_int_eq(err.class, ERROR_DATA);
    ck_assert_uint_eq(watched_count("queue"), 0);
    watched_close(s);
}
END_TEST

SUITE_MAIN("spool", a_committed_message_is_there_after_file_and_folder_were_synced,
    without_unnamed_files_a_message_is_renamed_into_the_queue,
    where_an_unnamed_file_is_given_no_name_the_message_is_written_again_with_one,
    whatever_fails_on_the_way_nothing_is_accepted_and_nothing_is_left,
    a_message_never_takes_the_place_of_another_one, a_message_is_taken_by_one_at_a_time,
    marks_and_hints_are_found_again, a_torn_or_foreign_file_is_moved_aside,
    links_in_the_queue_are_not_followed, what_is_stored_has_its_whole_content_and_hints_and_is_locked,
    content_that_cannot_be_read_to_its_end_is_not_stored,
    a_sync_that_failed_is_not_tried_again_and_the_record_is_no_mail,
    a_record_that_was_not_accepted_and_cannot_be_removed_is_no_mail)
