/* SPDX-License-Identifier: ISC */
/*
 * The power may go after any system call, and any call may fail before: whatever the disk has kept then, no torn file is mail,
 * what was acknowledged is there with its whole content and its marks, and one restart cleans up (src/queue/README.md).
 */
#include "unit/suite.h"

#include <dirent.h>
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
#include "queue/spool.h"
#include "unit/shadow.h"

/* What the program was told of a message; `+ i` for recipient i */
enum { BEGUN, STORED, REFUSED, REMOVING, FAILING, FAILED, MARKING = 10, MARKED = 20 };

static const char *const ids[] = { "A1", "B2", "C3", "D4" };
#define NIDS (sizeof ids / sizeof ids[0])
#define NRCPT 3

struct fate {
    bool begun, stored, refused, removing, failing, failed, marking[NRCPT], marked[NRCPT];
};

static char work[64], live[80],
    disk[80];       /* the folder of the test, the queue at work, the queue after the crash */
static pid_t owner; /* of the folder */
static size_t size; /* of the content */
static struct spool *spool;

/* ---------------------------------------------------------------- the program */

static char *
text_of(const char *id)
{
    char *text = mem_alloc(size + 1);

    for (size_t i = 0; i < size; i++)
        text[i] = (char)(id[0] + (char)(i % 13));
    return text;
}

static bool
store(const char *id, struct draft *d)
{
    char *text = text_of(id);
    int fd = memfd_create("content", MFD_CLOEXEC);
    struct record r;
    struct error err;
    bool ok;

    ck_assert(file_pwrite(fd, text, size, 0));
    record_init(&r);
    r.id = mem_dup(id);
    r.account = mem_dup("default");
    r.reason = mem_dup("busy");
    envelope_set_sender(&r.envelope, "a@example.org");
    envelope_add(&r.envelope, "b@example.net", 0, NULL);
    envelope_add(&r.envelope, "c@example.net", 0, NULL);
    envelope_add(&r.envelope, "d@example.net", 0, NULL);
    shadow_tell(BEGUN, id);
    ok = spool_store(spool, &r, fd, 0, size, d, &err);
    shadow_tell(ok ? STORED : REFUSED, id);
    record_clear(&r);
    file_close(&fd);
    free(text);
    return ok;
}

static void
put(const char *id)
{
    struct draft d;

    if (store(id, &d))
        spool_drop(spool, &d);
}

/* An attempt: recipient `i` has it now */
static void
mark(const char *id, size_t i)
{
    struct record r;
    struct error err;
    int fd = spool_take(spool, id, &r, &err);

    if (fd < 0)
        return;
    r.attempts++;
    (void)spool_note(spool, fd, &r);
    r.envelope.rcpt[i].state = ENVELOPE_DONE;
    shadow_tell(MARKING + (int)i, id);
    if (spool_mark(spool, fd, &r, &err))
        shadow_tell(MARKED + (int)i, id);
    record_clear(&r);
    file_close(&fd);
}

static void
drop(const char *id)
{
    struct error err;

    shadow_tell(REMOVING, id);
    (void)spool_remove(spool, id, &err);
}

static void
give_up(const char *id)
{
    struct error err;

    shadow_tell(FAILING, id);
    if (spool_fail(spool, id, &err))
        shadow_tell(FAILED, id);
}

/* A file that was damaged long ago */
static void
damage(const char *name)
{
    const struct spool_io *io = shadow_io();
    char *path = mem_format("%s/queue", live);
    int dir = open(path, O_RDONLY | O_DIRECTORY), fd = io->create(dir, name);

    if (fd >= 0 && io->write(fd, "smtprelay-record 1 ", 19, 0) == 19 && io->sync(fd) == 0)
        (void)io->sync_dir(dir);
    file_close(&fd);
    file_close(&dir);
    free(path);
}

static void
all_at_work(void)
{
    put("A1");
    put("B2");
    mark("A1", 0);
    put("C3");
    mark("A1", 2);
    drop("B2");
    mark("C3", 1);
    give_up("C3");
    put("D4");
    mark("D4", 0);
    mark("D4", 1);
    drop("A1");
}

static void
with_damage(void)
{
    struct record r;
    struct error err;

    put("A1");
    damage("X9");
    ck_assert_int_lt(spool_take(spool, "X9", &r, &err), 0);
    mark("A1", 0);
}

/* ---------------------------------------------------------------- after the crash */

struct view {
    struct fate fate[NIDS];
    bool damaged;     /* X9 is there by intent */
    bool sync_failed; /* of a folder: what was refused may be there */
    size_t from, to;  /* the crash points */
};

static void
learn(struct view *v, size_t n)
{
    memset(v->fate, 0, sizeof v->fate);
    for (size_t i = 0; i < n; i++) {
        const struct shadow_event *e = shadow_event(i);
        for (size_t k = 0; k < NIDS && e->kind == SHADOW_TOLD; k++) {
            struct fate *f = &v->fate[k];
            if (strcmp(ids[k], e->name) != 0)
                continue;
            f->begun = f->begun || e->told == BEGUN;
            f->stored = f->stored || e->told == STORED;
            f->refused = f->refused || e->told == REFUSED;
            f->removing = f->removing || e->told == REMOVING;
            f->failing = f->failing || e->told == FAILING;
            f->failed = f->failed || e->told == FAILED;
            if (e->told >= MARKED)
                f->marked[e->told - MARKED] = true;
            else if (e->told >= MARKING)
                f->marking[e->told - MARKING] = true;
        }
    }
}

/* The call is as good as done: the disk is the shadow's */
static int
no_sync(int fd)
{
    (void)fd;
    return 0;
}

static size_t
count(const char *folder)
{
    char *path = mem_format("%s/%s", disk, folder);
    DIR *d = opendir(path);
    size_t n = 0;

    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    free(path);
    return n;
}

static void
check_record(int fd, const struct record *r, const char *id, const struct fate *f)
{
    char *text = text_of(id), *got = mem_alloc(size + 1);

    ck_assert_str_eq(r->id, id);
    ck_assert_str_eq(r->account, "default");
    ck_assert_str_eq(r->envelope.sender, "a@example.org");
    ck_assert_uint_eq(r->envelope.n, NRCPT);
    ck_assert_uint_eq(r->content_size, size);
    ck_assert(file_pread(fd, got, size, (off_t)r->content_offset) && memcmp(got, text, size) == 0);
    for (size_t i = 0; i < NRCPT; i++) {
        char state = r->envelope.rcpt[i].state;
        ck_assert_msg(!f->marked[i] || state == ENVELOPE_DONE, "%s: the mark of %zu is lost", id, i);
        ck_assert_msg(f->marking[i] || state == ENVELOPE_OPEN, "%s: %zu was marked by nobody", id, i);
    }
    free(text);
    free(got);
}

static bool
is_kept(const char *id, const struct fate *f)
{
    char *path = mem_format("%s/failed/%s", disk, id);
    int fd = open(path, O_RDONLY);
    struct record r;
    struct error err;

    free(path);
    if (fd < 0)
        return false;
    ck_assert_msg(record_read(fd, &r, &err), "failed/%s: %s", id, err.text);
    check_record(fd, &r, id, f);
    record_clear(&r);
    file_close(&fd);
    return true;
}

static void
check_fate(const char *id, const struct fate *f, bool queued, bool kept, bool sync_failed)
{
    ck_assert_msg(f->begun || !queued, "%s is there before it was handed in", id);
    ck_assert_msg(!f->refused || sync_failed || !queued, "%s is there though it was refused", id);
    ck_assert_msg(!f->stored || f->removing || f->failing || queued, "%s was accepted and is lost", id);
    ck_assert_msg(!kept || f->failing, "%s is in failed/", id);
    ck_assert_msg(!(kept && queued), "%s is there twice", id);
    ck_assert_msg(
        !f->stored || !f->failing || f->removing || kept || queued, "%s was given up and is lost", id);
    ck_assert_msg(!f->failed || kept, "%s is not in failed/", id);
}

/* The daemon starts: what does it find? */
static void
restart(const struct view *v, const struct spool_io *io, bool again)
{
    bool queued[NIDS] = { false };
    char id[SPOOL_ID_MAX + 1];
    struct error err;
    struct spool *s = spool_open(disk, io, &err);

    ck_assert_msg(s != NULL, "%s", err.text);
    ck_assert_msg(spool_lock(s, &err), "%s", err.text);
    spool_rewind(s);
    while (spool_next(s, id)) {
        struct record r;
        size_t k = 0;
        int fd = spool_take(s, id, &r, &err);
        if (v->damaged && strcmp(id, "X9") == 0) {
            ck_assert(fd < 0 && !again);
            continue;
        }
        while (k < NIDS && strcmp(ids[k], id) != 0)
            k++;
        ck_assert_msg(k < NIDS, "'%s' is nobody's", id);
        ck_assert_msg(fd >= 0, "a torn file in the queue: %s", err.text);
        check_record(fd, &r, id, &v->fate[k]);
        queued[k] = true;
        record_clear(&r);
        file_close(&fd);
    }
    for (size_t k = 0; k < NIDS; k++)
        check_fate(ids[k], &v->fate[k], queued[k], is_kept(ids[k], &v->fate[k]), v->sync_failed);
    ck_assert_uint_eq(count("tmp"), 0);
    ck_assert_uint_le(count("corrupt"), v->damaged);
    ck_assert_uint_eq(count("."), 6); /* version, lock and four folders */
    spool_close(s);
}

static void
look(void *ctx)
{
    struct spool_io io = spool_io_system;

    io.sync = io.sync_dir = no_sync;
    restart(ctx, &io, false);
    restart(ctx, &io, true);
}

/* ---------------------------------------------------------------- the tests */

static void
clean(const char *what)
{
    char *command = mem_format("rm -rf %s", what);

    ensure(system(command) == 0);
    free(command);
}

static void
end(void)
{
    if (getpid() == owner)
        clean(work);
}

/* Before any test, in the process that outlives them all, however they end */
__attribute__((constructor)) static void
begin(void)
{
    /* nothing here has to survive: in memory where that is possible */
    (void)snprintf(
        work, sizeof work, "%s/test-crash-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ensure(mkdtemp(work) && atexit(end) == 0);
    owner = getpid();
}

static void
setup(void)
{
    (void)snprintf(live, sizeof live, "%s/live", work);
    (void)snprintf(disk, sizeof disk, "%s/disk", work);
    clean(live);
    clean(disk);
    ck_assert_int_eq(mkdir(disk, 0700), 0);
}

/* The story from an empty folder on; call number `fail` of it fails (-1 = none). Was there such a call? */
static bool
tell(void (*story)(void), bool unnamed_files, int fail, struct view *v)
{
    enum shadow_kind kind = SHADOW_TOLD;
    struct error err;
    bool failed;

    ck_assert_int_eq(mkdir(live, 0700), 0);
    shadow_begin(live, unnamed_files);
    shadow_fail(fail);
    spool = spool_open(live, shadow_io(), &err);
    if (spool)
        story();
    spool_close(spool);
    failed = shadow_has_failed(&kind, &v->from);
    v->to = shadow_count();
    if (failed && v->to > v->from + 12)
        v->to = v->from + 12; /* what comes later is the story without a failure again */
    v->sync_failed = failed && kind == SHADOW_SYNC_DIR;
    clean(live);
    return failed;
}

/* The states at all crash points */
static size_t
crash_everywhere(struct view *v)
{
    size_t states = 0;

    for (size_t n = v->from; n <= v->to; n++) {
        learn(v, n);
        states += shadow_states(n, disk, look, v);
    }
    return states;
}

START_TEST(whatever_the_disk_kept_of_a_story_nothing_acknowledged_is_lost_and_nothing_torn_is_mail)
{
    static const size_t sizes[] = { 100, 150000 };

    setup();
    for (int k = 0; k < 4; k++) {
        struct view v = { .damaged = false };
        size = sizes[k / 2];
        ck_assert(!tell(all_at_work, k % 2 == 0, -1, &v));
        ck_assert_uint_gt(crash_everywhere(&v), 200);
        shadow_end();
    }
}
END_TEST

START_TEST(a_damaged_file_harms_no_other)
{
    struct view v = { .damaged = true };

    setup();
    size = 100;
    ck_assert(!tell(with_damage, true, -1, &v));
    ck_assert_uint_gt(crash_everywhere(&v), 50);
    shadow_end();
}
END_TEST

START_TEST(so_it_is_when_one_call_fails_before)
{
    struct view v = { .damaged = false };
    int tried = 0;

    setup();
    size = 100;
    for (int k = 0; k < 2; k++) {
        for (int fail = 0; tell(all_at_work, k == 0, fail, &v); fail++) {
            (void)crash_everywhere(&v);
            shadow_end();
            tried++;
        }
        shadow_end();
    }
    ck_assert_int_gt(tried, 60);
}
END_TEST

SUITE_MAIN("crash states",
    whatever_the_disk_kept_of_a_story_nothing_acknowledged_is_lost_and_nothing_torn_is_mail,
    a_damaged_file_harms_no_other, so_it_is_when_one_call_fails_before)
