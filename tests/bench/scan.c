/* SPDX-License-Identifier: ISC */
/*
 * What the daemon's first look at a long queue costs: the heads of N records read and put into the schedule by the queue's code,
 * against a plain loop that opens each file and reads 4 kB of it.
 *
 *     scan [N]            one line of figures; fails where ours takes more than three times as long (the best of five rounds each)
 *                         or more than 40 MB
 *     scan --fill DIR N   only makes a queue of N records in DIR
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/schedule.h"
#include "queue/spool.h"

#define ROUNDS 5
#define LIMIT 3
#define LIMIT_KB 40960

static int
no_sync(int fd)
{
    (void)fd;
    return 0;
}

static void
fill(struct spool *s, size_t n)
{
    static const char text[] = "Subject: a letter\r\n\r\nThis is the text.\r\n";
    int fd = memfd_create("content", MFD_CLOEXEC);
    struct error err;
    char id[20];

    if (write(fd, text, sizeof text - 1) != sizeof text - 1)
        fatal(71, "cannot write");
    for (size_t i = 0; i < n; i++) {
        struct record r;
        struct draft d;
        (void)snprintf(id, sizeof id, "K%015zXQ", i);
        record_init(&r);
        r.id = mem_dup(id);
        r.time = 1700000000 + (int64_t)i;
        r.mode = mem_dup("interactive");
        r.origin = mem_dup("local");
        r.uid = 1000;
        r.pid = 12345;
        r.login = mem_dup("alice");
        r.program = mem_dup("cron");
        r.unit = mem_dup("cron.service");
        r.cwd = mem_dup("/home/alice");
        r.full_name = mem_dup("Alice Example");
        r.login_address = mem_dup("alice@host.example.org");
        r.from_address = mem_dup("alice@example.org");
        r.message_id = mem_dup("<K000000000000Q@host.example.org>");
        r.date = mem_dup("Sat, 21 Nov 2026 08:00:00 +0000");
        r.received =
            mem_dup("by host.example.org (smtprelay, from userid 1000) id K000000000000Q; Sat, 21 Nov 2026");
        r.account = mem_dup("default");
        r.reason = mem_dup("smtp.example.net:587: cannot connect: Connection refused");
        envelope_set_sender(&r.envelope, "alice@example.org");
        envelope_add(&r.envelope, "bob@example.net", 0, NULL);
        if (!spool_store(s, &r, fd, 0, sizeof text - 1, &d, &err))
            fatal(74, "%s", err.text);
        spool_drop(s, &d);
        record_clear(&r);
    }
    (void)close(fd);
}

/* Both return the time in microseconds; the fastest round counts */
static int64_t
plain_loop(const char *path, size_t want)
{
    int64_t start = clock_us();
    DIR *d = opendir(path);
    size_t n = 0;

    for (struct dirent *e; d && (e = readdir(d));) {
        char piece[4096];
        int fd = e->d_name[0] == '.' ? -1 : openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        n += read(fd, piece, sizeof piece) > 0;
        (void)close(fd);
    }
    if (d)
        (void)closedir(d);
    if (n != want)
        fatal(70, "the plain loop has seen %zu records of %zu", n, want);
    return clock_us() - start;
}

/* As the daemon does it: what waits is in the schedule then */
static int64_t
our_scan(struct spool *s, size_t want)
{
    static const struct schedule_limits limits = {
        .retry_min_ms = 30000, .retry_max_ms = 3600000, .lifetime_ms = 432000000
    };
    int64_t start = clock_us(), took;
    struct schedule *schedule = schedule_new(&limits, 1);
    char id[SPOOL_ID_MAX + 1];
    struct record r;
    struct error err;

    spool_rewind(s);
    while (spool_next(s, id)) {
        if (!spool_head(s, id, &r, &err))
            fatal(70, "%s", err.text);
        (void)schedule_add(schedule, id, r.account, 1000, r.attempts, SCHEDULE_NOW, start / 1000);
        record_clear(&r);
    }
    took = clock_us() - start;
    if (schedule_count(schedule) != want)
        fatal(70, "the scan has seen %zu records of %zu", schedule_count(schedule), want);
    schedule_free(schedule);
    return took;
}

/* A queue that stays */
static int
fill_only(const char *dir, size_t n)
{
    struct spool_io io = spool_io_system;
    struct error err;
    struct spool *s;

    io.sync = io.sync_dir = no_sync;
    s = spool_open(dir, &io, &err);
    if (!s)
        fatal(71, "%s", err.text);
    fill(s, n);
    spool_close(s);
    return 0;
}

static long
peak_kb(void)
{
    struct rusage u;

    return getrusage(RUSAGE_SELF, &u) == 0 ? u.ru_maxrss : 0;
}

int
main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    const char *tmp = getenv("TMPDIR");
    struct spool_io io = spool_io_system;
    char *dir = mem_format("%s/smtprelay-scan.XXXXXX", tmp && *tmp ? tmp : "/var/tmp");
    char *queue, *command;
    int64_t plain = INT64_MAX, ours = INT64_MAX, took;
    struct spool *s;
    struct error err;
    long before, grown;
    double ratio;

    mem_program("scan");
    if (argc == 4 && strcmp(argv[1], "--fill") == 0)
        return fill_only(argv[2], strtoul(argv[3], NULL, 10));
    io.sync = io.sync_dir = no_sync; /* nothing here has to survive */
    if (!mkdtemp(dir) || !(s = spool_open(dir, &io, &err)))
        fatal(71, "cannot make a queue in %s", dir);
    queue = mem_format("%s/queue", dir);
    fill(s, n);
    before = peak_kb();
    for (int i = 0; i < ROUNDS; i++) {
        took = plain_loop(queue, n);
        plain = clock_min(plain, took);
        took = our_scan(s, n);
        ours = clock_min(ours, took);
    }
    ratio = (double)ours / (double)plain;
    grown = peak_kb() - before;
    printf("scan of %zu records: %.0f ms, a plain loop %.0f ms: %.2f times (at most %d), %ld kB more memory "
           "(at most %d)\n",
        n, (double)ours / 1000, (double)plain / 1000, ratio, LIMIT, grown, LIMIT_KB);
    spool_close(s);
    command = mem_format("rm -rf '%s'", dir);
    if (system(command) != 0)
        fprintf(stderr, "scan: cannot remove %s\n", dir);
    free(command);
    free(queue);
    free(dir);
    return ratio > LIMIT || grown > LIMIT_KB;
}
