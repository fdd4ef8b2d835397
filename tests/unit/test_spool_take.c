/* SPDX-License-Identifier: ISC */
/* spool_take: what lies in a queue stays mail whatever fails, and is counted, cleaned and locked by who may. */
#include "unit/suite.h"
#include "unit/watched.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "queue/spool_order.h"

/* No descriptor, no memory, a disk that fails for a moment */
START_TEST(what_cannot_be_opened_or_read_now_stays_where_it_is)
{
    static const struct {
        char at;
        int with;
    } cases[] = { { 'k', ENOLCK }, { 'o', EMFILE }, { 'o', ENFILE }, { 'o', ENOMEM }, { 'o', EIO },
        { 'R', EIO }, { 'R', ESTALE } };
    struct spool *s = watched_open(&watched_io);
    struct record r, none;
    struct error err;

    ck_assert(watched_commit(s, "A1", &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        watched.fail_at = cases[i].at;
        watched.fails_with = cases[i].with;
        ck_assert_int_lt(spool_take(s, "A1", &r, &err), 0);
        ck_assert_int_eq(err.class, ERROR_IO);
        if (watched.fail_at != 'k') {
            ck_assert(!spool_head(s, "A1", &r, &err));
            ck_assert_int_eq(err.class, ERROR_IO);
        }
        ck_assert_uint_eq(watched_count("queue"), 1);
    }
    watched.fail_at = 0;
    int fd = spool_take(s, "A1", &r, &err);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_lt(spool_take(s, "A2", &none, &err), 0);
    ck_assert_int_eq(err.class, ERROR_TEMP);
    record_clear(&r);
    file_close(&fd);
    watched_close(s);
}
END_TEST

START_TEST(the_head_of_a_record_is_one_open_and_one_read)
{
    struct spool *s = watched_open(&watched_io);
    struct record r;
    struct error err;

    ck_assert(watched_commit(s, "A1", &err));
    watched.opens = watched.reads = 0;
    ck_assert_msg(spool_head(s, "A1", &r, &err), "%s", err.text);
    ck_assert(watched.opens == 1 && watched.reads == 1);
    ck_assert_str_eq(r.account, "default");
    ck_assert_uint_eq(r.envelope.n, 2);
    record_clear(&r);
    watched_close(s);
}
END_TEST

START_TEST(drafts_that_nobody_writes_any_more_are_removed_by_who_has_the_queue)
{
    struct spool *s = watched_open(&watched_named),
                 *t = spool_open(watched.dir, &watched_io, &(struct error){ 0 });
    struct error err;
    char *path[2] = { mem_format("%s/tmp/A1", watched.dir), mem_format("%s/tmp/B2", watched.dir) };
    int fd[2];

    for (int i = 0; i < 2; i++) {
        fd[i] = open(path[i], O_RDWR | O_CREAT, 0600);
        ck_assert_int_ge(fd[i], 0);
        free(path[i]);
    }
    ck_assert_int_eq(flock(fd[1], LOCK_EX), 0); /* B2 is being written */
    ck_assert(spool_lock(s, &err));
    ck_assert_uint_eq(watched_count("tmp"), 1);
    ck_assert(!spool_lock(t, &err));
    file_close(&fd[0]);
    file_close(&fd[1]);
    spool_close(t);
    ck_assert_uint_eq(watched_count("tmp"), 1); /* who does not have the queue removes nothing */
    spool_clean(s);
    ck_assert_uint_eq(watched_count("tmp"), 0);
    watched_close(s);
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
    struct spool_io with = watched_named;
    struct spool *s = watched_open(&watched_named), *t;
    struct error err;

    with.create = create_and_be_cleaned;
    cleaned = false;
    cleaner = s;
    t = spool_open(watched.dir, &with, &err);
    ck_assert_msg(watched_commit(t, "A1", &err), "%s", err.text);
    ck_assert(cleaned);
    ck_assert_uint_eq(watched_count("queue"), 1);
    ck_assert_uint_eq(watched_count("tmp"), 0);
    spool_close(t);
    watched_close(s);
}
END_TEST

START_TEST(a_queue_whose_making_was_cut_off_is_made)
{
    struct spool *s = watched_open(&watched_io), *t;
    struct error err;
    char *path = mem_format("%s/version", watched.dir), *folder = mem_format("%s/failed", watched.dir);

    for (off_t n = 0; n < 17; n++) {
        ck_assert_int_eq(truncate(path, n), 0);
        ck_assert_int_eq(rmdir(folder), 0);
        watched.calls[0] = '\0';
        t = spool_open(watched.dir, &watched_io, &err);
        ck_assert_msg(t != NULL, "%ld bytes: %s", (long)n, err.text);
        ck_assert_str_eq(watched.calls, "mmmmcdws"); /* complete only when the folders are durable */
        spool_close(t);
        watched.calls[0] = '\0';
        t = spool_open(watched.dir, &watched_io, &err);
        ck_assert_ptr_nonnull(t);
        ck_assert_str_eq(watched.calls, "");
        spool_close(t);
    }
    free(path);
    free(folder);
    watched_close(s);
}
END_TEST

START_TEST(what_could_not_be_returned_is_kept_for_its_time)
{
    struct spool *s = watched_open(&watched_io);
    struct error err;
    struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
    char *path = mem_format("%s/failed/A1", watched.dir);

    ck_assert(
        watched_commit(s, "A1", &err) && watched_commit(s, "B2", &err) && watched_commit(s, "C3", &err));
    ck_assert(spool_fail(s, "A1", &err) && spool_fail(s, "B2", &err));
    ck_assert_int_eq(utimensat(AT_FDCWD, path, old, 0), 0);
    ck_assert_uint_eq(spool_expire(s, 1000), 0);
    ck_assert_uint_eq(spool_expire(s, 1001), 1);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_uint_eq(watched_count("failed"), 1);
    ck_assert_uint_eq(watched_count("queue"), 1);
    free(path);
    watched_close(s);
}
END_TEST

START_TEST(the_size_of_the_queue_is_kept_up_with_what_is_added_and_removed)
{
    struct spool *s = watched_open(&watched_io), *t;
    struct error err;
    char *path = mem_format("%s/queue/A1", watched.dir);
    struct stat st;
    uint64_t one;

    ck_assert(spool_has_room(s, 0, 1, &err)); /* counted now */
    ck_assert(watched_commit(s, "A1", &err));
    ck_assert_int_eq(stat(path, &st), 0);
    one = (uint64_t)st.st_size;
    for (uint64_t n = 1; n <= 3; n++) {
        char id[8];
        ck_assert(spool_has_room(s, 0, n * one + 1, &err));
        ck_assert(!spool_has_room(s, 0, n * one, &err));
        (void)snprintf(id, sizeof id, "B%d", (int)n);
        ck_assert(watched_commit(s, id, &err));
    }
    ck_assert(spool_remove(s, "A1", &err) && spool_fail(s, "B1", &err));
    ck_assert(!spool_remove(s, "A1", &err));
    ck_assert(spool_has_room(s, 0, 2 * one + 1, &err));
    ck_assert(!spool_has_room(s, 0, 2 * one, &err));
    t = spool_open(watched.dir, &watched_io, &err); /* who comes new counts what is there */
    ck_assert(!spool_has_room(t, 0, 2 * one, &err));
    ck_assert(spool_has_room(t, 0, 2 * one + 1, &err));
    ck_assert(!spool_has_room(t, UINT64_MAX, 0, &err));
    spool_close(t);
    free(path);
    watched_close(s);
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
        ck_assert_msg(watched_commit(w->spool, id, &err), "%s", err.text);
        if (i % 4 == 0)
            ck_assert(spool_remove(w->spool, id, &err));
    }
    return NULL;
}

START_TEST(the_queue_is_walked_oldest_first_however_few_ids_are_held)
{
    static const size_t windows[] = { 1, 2, 7, 29, 30, 31, 1000 };
    struct spool *s = watched_open(&spool_io_system);
    char id[SPOOL_ID_MAX + 1], last[SPOOL_ID_MAX + 1];
    struct error err;

    for (unsigned i = 0; i < 30; i++) {
        char *name = mem_format("1M5Z%02u%05X", i * 7 % 30, i * 2654435761u & 0xfffff);
        ck_assert_msg(watched_commit(s, name, &err), "%s", err.text);
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
    watched_close(s);
}
END_TEST

START_TEST(several_threads_store_and_remove_at_once)
{
    for (size_t k = 0; k < 2; k++) {
        struct spool_io with = spool_io_system;
        if (k)
            with.temp = watched_named.temp;
        struct spool *s = watched_open(&with);
        struct storer w[4];
        pthread_t t[4];
        struct record r;
        struct error err;
        char id[SPOOL_ID_MAX + 1];
        size_t n = 0;
        watched.fail_at = 0;
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
        watched_close(s);
    }
}
END_TEST

START_TEST(a_queue_others_can_write_to_or_of_another_version_is_not_opened)
{
    struct spool *s = watched_open(&watched_io);
    struct error err;
    char *path = mem_format("%s/version", watched.dir);
    int fd = open(path, O_WRONLY | O_TRUNC);

    ck_assert(file_write(fd, "smtprelay-queue 2\n", 18));
    file_close(&fd);
    ck_assert_ptr_null(spool_open(watched.dir, &watched_io, &err));
    ck_assert_int_eq(err.class, ERROR_CONFIG);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(chmod(watched.dir, 0770), 0);
    ck_assert_ptr_null(spool_open(watched.dir, &watched_io, &err));
    free(path);
    watched_close(s);
}
END_TEST

START_TEST(the_lock_is_one_process_s)
{
    struct spool *s = watched_open(&watched_io), *t;
    struct error err;

    t = spool_open(watched.dir, &watched_io, &err);
    ck_assert(spool_lock(s, &err));
    ck_assert(!spool_lock(t, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "another process"));
    watched.fail_at = 'k';
    watched.fails_with = ENOLCK; /* a file system without locks says so */
    ck_assert(!spool_lock(t, &err));
    ck_assert_ptr_nonnull(strstr(err.text, strerror(ENOLCK)));
    spool_close(t);
    watched_close(s);
}
END_TEST

SUITE_MAIN("spool_take", what_cannot_be_opened_or_read_now_stays_where_it_is,
    the_head_of_a_record_is_one_open_and_one_read,
    drafts_that_nobody_writes_any_more_are_removed_by_who_has_the_queue,
    a_draft_that_was_taken_for_an_abandoned_one_is_begun_again, a_queue_whose_making_was_cut_off_is_made,
    what_could_not_be_returned_is_kept_for_its_time,
    the_size_of_the_queue_is_kept_up_with_what_is_added_and_removed,
    the_queue_is_walked_oldest_first_however_few_ids_are_held, several_threads_store_and_remove_at_once,
    a_queue_others_can_write_to_or_of_another_version_is_not_opened, the_lock_is_one_process_s)
