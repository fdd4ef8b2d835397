/* SPDX-License-Identifier: ISC */
/* shadow: notes system calls and plays them back in every order a disk may have kept them. */
#include "unit/shadow.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define EVENTS_MAX 200
#define FDS_MAX 256
#define NAMES_MAX 40
#define PENDING_MAX 10
#define INODES_MAX 40
#define FILE_MAX 400000

static const char *const folders[] = { ".", "queue", "tmp", "failed", "corrupt" };
#define NFOLDERS 5

struct name {
    int dir, inode;
    char name[48];
};

static struct {
    const char *path;
    bool unnamed_files, failed;
    int fail_in;
    enum shadow_kind failed_kind;
    size_t failed_after;
    struct shadow_event event[EVENTS_MAX];
    size_t n;
    int inode_of[FDS_MAX], inodes;
    struct name now[NAMES_MAX]; /* as the program sees them */
    size_t nnow;
} sh;

/* ---------------------------------------------------------------- names */

static struct name *
find(struct name *set, size_t n, int dir, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (set[i].dir == dir && strcmp(set[i].name, name) == 0)
            return &set[i];
    return NULL;
}

static void
take_away(struct name *set, size_t *n, int dir, const char *name)
{
    struct name *at = find(set, *n, dir, name);

    if (at)
        *at = set[--*n];
}

static void
put(struct name *set, size_t *n, int dir, const char *name, int inode)
{
    take_away(set, n, dir, name);
    ck_assert_uint_lt(*n, NAMES_MAX);
    set[*n].dir = dir;
    set[*n].inode = inode;
    (void)snprintf(set[*n].name, sizeof set[*n].name, "%s", name);
    ++*n;
}

static void
apply_name(struct name *set, size_t *n, const struct shadow_event *e)
{
    switch (e->kind) {
    case SHADOW_MKDIR:
    case SHADOW_NAME:
        put(set, n, e->dir, e->name, e->inode);
        break;
    case SHADOW_RENAME:
        take_away(set, n, e->dir, e->name);
        put(set, n, e->to, e->name, e->inode);
        break;
    case SHADOW_UNLINK:
        take_away(set, n, e->dir, e->name);
        break;
    default:
        break;
    }
}

/* ---------------------------------------------------------------- noting */

static int
folder_of(int fd)
{
    struct stat a, b;
    char path[200];

    ck_assert_int_eq(fstat(fd, &a), 0);
    for (int i = 0; i < NFOLDERS; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", sh.path, folders[i]);
        if (stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev)
            return i;
    }
    ck_abort_msg("a folder that is not the queue's");
    return -1;
}

static bool
fails(enum shadow_kind kind)
{
    if (sh.fail_in < 0 || sh.fail_in-- > 0)
        return false;
    sh.failed = true;
    sh.failed_kind = kind;
    sh.failed_after = sh.n;
    errno = EIO;
    return true;
}

static struct shadow_event *
note(enum shadow_kind kind, int inode, int dir, int to, const char *name)
{
    struct shadow_event *e = &sh.event[sh.n++];

    ck_assert_uint_lt(sh.n, EVENTS_MAX);
    *e = (struct shadow_event){ .kind = kind, .inode = inode, .dir = dir, .to = to };
    (void)snprintf(e->name, sizeof e->name, "%s", name);
    apply_name(sh.now, &sh.nnow, e);
    return e;
}

static int
opened(int fd, int inode)
{
    ck_assert_int_lt(fd, FDS_MAX);
    if (fd >= 0)
        sh.inode_of[fd] = inode;
    return fd;
}

static int
named_inode(int dir, const char *name)
{
    struct name *n = find(sh.now, sh.nnow, dir, name);

    return n ? n->inode : -1;
}

static int
s_mkdir(int dir, const char *name)
{
    if (fails(SHADOW_MKDIR))
        return -1;
    if (spool_io_system.mkdir(dir, name) != 0)
        return -1;
    note(SHADOW_MKDIR, -1, 0, 0, name);
    return 0;
}

static int
s_temp(int dir)
{
    if (!sh.unnamed_files) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (fails(SHADOW_NAME))
        return -1;
    return opened(spool_io_system.temp(dir), sh.inodes++);
}

static int
s_create(int dir, const char *name)
{
    int fd;

    if (fails(SHADOW_NAME))
        return -1;
    fd = opened(spool_io_system.create(dir, name), sh.inodes);
    if (fd >= 0)
        note(SHADOW_NAME, sh.inodes++, folder_of(dir), 0, name);
    return fd;
}

static ssize_t
s_write(int fd, const void *data, size_t len, off_t offset)
{
    struct shadow_event *e;

    if (fails(SHADOW_WRITE))
        return -1;
    e = note(SHADOW_WRITE, sh.inode_of[fd], 0, 0, "");
    e->data = mem_dupn(data, len);
    e->len = len;
    e->offset = (size_t)offset;
    return spool_io_system.write(fd, data, len, offset);
}

static int
s_sync(int fd)
{
    if (fails(SHADOW_SYNC))
        return -1;
    note(SHADOW_SYNC, sh.inode_of[fd], 0, 0, "");
    return 0;
}

static int
s_sync_dir(int dir)
{
    if (fails(SHADOW_SYNC_DIR))
        return -1;
    note(SHADOW_SYNC_DIR, -1, folder_of(dir), 0, "");
    return 0;
}

static int
s_link(int fd, int dir, const char *name)
{
    if (fails(SHADOW_NAME) || spool_io_system.link(fd, dir, name) != 0)
        return -1;
    note(SHADOW_NAME, sh.inode_of[fd], folder_of(dir), 0, name);
    return 0;
}

static int
s_rename(int from, int to, const char *name)
{
    if (fails(SHADOW_RENAME) || spool_io_system.rename(from, to, name) != 0)
        return -1;
    note(SHADOW_RENAME, named_inode(folder_of(from), name), folder_of(from), folder_of(to), name);
    return 0;
}

static int
s_enter(int from, int to, const char *name)
{
    return s_rename(from, to, name);
}

static int
s_unlink(int dir, const char *name)
{
    if (fails(SHADOW_UNLINK) || spool_io_system.unlink(dir, name) != 0)
        return -1;
    note(SHADOW_UNLINK, named_inode(folder_of(dir), name), folder_of(dir), 0, name);
    return 0;
}

static int
s_open(int dir, const char *name, int flags)
{
    return opened(spool_io_system.open(dir, name, flags), named_inode(folder_of(dir), name));
}

static int
s_lock(int fd)
{
    return spool_io_system.lock(fd);
}

static const struct spool_io noting = { s_mkdir, s_temp, s_create, s_write, s_sync, s_sync_dir, s_link,
    s_rename, s_enter, s_unlink, s_open, pread, s_lock };

const struct spool_io *
shadow_io(void)
{
    return &noting;
}

void
shadow_begin(const char *path, bool unnamed_files)
{
    memset(&sh, 0, sizeof sh);
    sh.path = path;
    sh.unnamed_files = unnamed_files;
    sh.fail_in = -1;
}

void
shadow_fail(int n)
{
    sh.fail_in = n;
    sh.failed = false;
}

bool
shadow_has_failed(enum shadow_kind *kind, size_t *event)
{
    *kind = sh.failed_kind;
    *event = sh.failed_after;
    return sh.failed;
}

void
shadow_tell(int told, const char *name)
{
    note(SHADOW_TOLD, -1, 0, 0, name)->told = told;
}

void
shadow_end(void)
{
    for (size_t i = 0; i < sh.n; i++)
        free(sh.event[i].data);
    sh.n = 0;
}

size_t
shadow_count(void)
{
    return sh.n;
}

const struct shadow_event *
shadow_event(size_t i)
{
    return &sh.event[i];
}

/* ---------------------------------------------------------------- the disk */

struct disk {
    struct name name[NAMES_MAX];
    size_t n;
    size_t pending[PENDING_MAX], npending; /* events about names that may be there or not */
    bool synced[EVENTS_MAX];               /* writes that are there */
    size_t after;                          /* events that were made */
};

static bool
is_about(const struct shadow_event *e, int dir)
{
    return e->dir == dir || (e->kind == SHADOW_RENAME && e->to == dir);
}

/* A folder is synced: its names are there, and so is what came before them of the same files */
static void
sync_folder(struct disk *d, int dir)
{
    bool now[PENDING_MAX] = { false };
    size_t kept = 0;

    for (size_t i = d->npending; i-- > 0;) {
        const struct shadow_event *e = &sh.event[d->pending[i]];
        now[i] = is_about(e, dir);
        for (size_t j = i + 1; j < d->npending; j++)
            if (now[j] && e->inode >= 0 && sh.event[d->pending[j]].inode == e->inode)
                now[i] = true;
    }
    for (size_t i = 0; i < d->npending; i++) {
        if (now[i])
            apply_name(d->name, &d->n, &sh.event[d->pending[i]]);
        else
            d->pending[kept++] = d->pending[i];
    }
    d->npending = kept;
}

static void
play(struct disk *d, size_t n)
{
    memset(d, 0, sizeof *d);
    d->after = n;
    for (size_t i = 0; i < n; i++) {
        const struct shadow_event *e = &sh.event[i];
        if (e->kind <= SHADOW_UNLINK) {
            ck_assert_uint_lt(d->npending, PENDING_MAX);
            d->pending[d->npending++] = i;
        } else if (e->kind == SHADOW_SYNC_DIR) {
            sync_folder(d, e->dir);
        } else if (e->kind == SHADOW_SYNC) {
            for (size_t j = 0; j < i; j++)
                if (sh.event[j].kind == SHADOW_WRITE && sh.event[j].inode == e->inode)
                    d->synced[j] = true;
        }
    }
}

/* ---------------------------------------------------------------- states */

/*
 * What of the unsynced writes of a file is there: a bit for each write (the oldest ones of many share one); TORN: of the last of these only the
 * first half; ZERO: of the last only by how much the file has grown.
 */
enum { BITS = 5, TORN = 1 << BITS, ZERO = 2 << BITS, VARIANTS = 4 << BITS };

static bool
is_unsynced(const struct disk *d, size_t i, int inode)
{
    return sh.event[i].kind == SHADOW_WRITE && sh.event[i].inode == inode && !d->synced[i];
}

static unsigned
count_unsynced(const struct disk *d, int inode)
{
    unsigned c = 0;

    for (size_t i = 0; i < d->after; i++)
        c += is_unsynced(d, i, inode);
    return c;
}

static size_t
make_file(const struct disk *d, int inode, unsigned variant, char *file)
{
    unsigned left = count_unsynced(d, inode), last = 0;
    size_t size = 0;

    for (unsigned b = 0; b < BITS; b++)
        if (variant & 1u << b)
            last = b;
    for (size_t i = 0; i < d->after; i++) {
        const struct shadow_event *e = &sh.event[i];
        size_t len = e->len;
        bool zero = false;
        if (e->kind != SHADOW_WRITE || e->inode != inode)
            continue;
        if (!d->synced[i]) {
            unsigned bit = left > BITS ? 0 : BITS - left;
            left--;
            if (!(variant & 1u << bit))
                continue;
            if (bit == last && variant & TORN)
                len /= 2;
            zero = bit == last && variant & ZERO;
        }
        ck_assert_uint_le(e->offset + len, FILE_MAX);
        if (e->offset > size)
            memset(file + size, 0, e->offset - size);
        if (!zero)
            memcpy(file + e->offset, e->data, len);
        else if (e->offset + len > size)
            memset(file + size, 0, e->offset + len - size);
        if (e->offset + len > size)
            size = e->offset + len;
    }
    return size;
}

/* The bits that mean something: those of the file with most unsynced writes */
static unsigned
bits_in_use(const struct disk *d, const struct name *name, size_t n)
{
    unsigned most = 0;

    for (size_t k = 0; k < n; k++) {
        unsigned c = name[k].inode < 0 ? 0 : count_unsynced(d, name[k].inode);
        most = c > most ? c : most;
    }
    most = most > BITS ? BITS : most;
    return ((1u << most) - 1) << (BITS - most);
}

static void
materialise(const struct disk *d, const struct name *name, size_t n, unsigned variant, const char *path)
{
    static char file[FILE_MAX];
    char at[300];

    for (size_t i = 0; i < n; i++) {
        if (name[i].inode >= 0)
            continue;
        (void)snprintf(at, sizeof at, "%s/%s", path, name[i].name);
        ck_assert_int_eq(mkdir(at, 0700), 0);
    }
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        int fd;
        if (name[i].inode < 0)
            continue;
        (void)snprintf(at, sizeof at, "%s/%s", path, folders[name[i].dir]);
        if (stat(at, &st) != 0)
            continue; /* its folder has not come to the disk */
        (void)snprintf(at, sizeof at, "%s/%s/%s", path, folders[name[i].dir], name[i].name);
        fd = open(at, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        ck_assert_int_ge(fd, 0);
        ck_assert(file_write(fd, file, make_file(d, name[i].inode, variant, file)));
        file_close(&fd);
    }
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type;
    return at->level == 0 ? 0 : remove(path);
}

static void
empty(const char *path)
{
    ck_assert_int_eq(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

size_t
shadow_states(size_t n, const char *path, void (*look)(void *ctx), void *ctx)
{
    struct disk d;
    size_t states = 0;

    play(&d, n);
    for (size_t subset = 0; subset < (size_t)1 << d.npending; subset++) {
        struct name name[NAMES_MAX];
        size_t count = d.n;
        memcpy(name, d.name, sizeof name);
        for (size_t i = 0; i < d.npending; i++)
            if (subset & (size_t)1 << i)
                apply_name(name, &count, &sh.event[d.pending[i]]);
        unsigned in_use = bits_in_use(&d, name, count);
        for (unsigned v = 0; v < VARIANTS; v++) {
            /* nothing can be torn where nothing is, and torn is not zero */
            unsigned bits = v & (TORN - 1);
            if ((bits & ~in_use) || (v >= TORN && !bits) || v >= (TORN | ZERO))
                continue;
            materialise(&d, name, count, v, path);
            look(ctx);
            empty(path);
            states++;
        }
    }
    return states;
}
