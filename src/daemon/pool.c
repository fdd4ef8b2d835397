/* pool: asking the helper for workers, giving them jobs, hearing what they say; decides nothing about mail. */
#include "daemon/pool.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "ipc/start.h"

struct worker {
    struct worker *next;
    char *account;
    int sock;
};

struct pool {
    struct loop *loop;
    int helper;
    const struct pool_events *events;
    void *ctx;
    struct worker *workers;
    struct loop_watch *helper_watch, *worker_watch;
    struct loop_timer *soon;
    /* the job that is under way */
    char *account;
    uint32_t flags, recipients;
    unsigned char *bitmap;
    int record_fd;
    struct worker *busy;
    struct error failure;
    char buffer[JOB_PACKET_MAX];
};

static void helper_ready(void *ctx, int fd, short revents);
static void worker_ready(void *ctx, int fd, short revents);

struct pool *
pool_new(struct loop *loop, int helper_sock, const struct pool_events *events, void *ctx)
{
    struct pool *p = mem_alloc(sizeof *p);

    p->loop = loop;
    p->helper = helper_sock;
    p->events = events;
    p->ctx = ctx;
    p->record_fd = -1;
    p->helper_watch = loop_watch(loop, helper_sock, POLLIN, helper_ready, p);
    return p;
}

static void
remove_worker(struct pool *p, struct worker *w)
{
    for (struct worker **at = &p->workers; *at; at = &(*at)->next) {
        if (*at != w)
            continue;
        *at = w->next;
        break;
    }
    if (p->busy == w) {
        p->busy = NULL;
        loop_unwatch(p->worker_watch);
        p->worker_watch = NULL;
    }
    file_close(&w->sock);
    free(w->account);
    free(w);
}

void
pool_free(struct pool *p)
{
    if (!p)
        return;
    while (p->workers)
        remove_worker(p, p->workers);
    loop_unwatch(p->helper_watch);
    loop_cancel(p->soon);
    free(p->account);
    free(p->bitmap);
    free(p);
}

static void
job_over(struct pool *p, const struct error *err, struct slice text)
{
    free(p->account);
    free(p->bitmap);
    p->account = NULL;
    p->bitmap = NULL;
    if (p->busy) {
        loop_unwatch(p->worker_watch);
        p->worker_watch = NULL;
        p->busy = NULL;
    }
    p->events->over(p->ctx, err, text);
}

static void
fail_now(void *ctx)
{
    struct pool *p = ctx;
    struct error err = p->failure;

    p->soon = NULL;
    job_over(p, &err, slice_of(NULL));
}

/* Tell the owner of a failure from the loop, not from within its own call. */
static void
fail_soon(struct pool *p)
{
    p->soon = loop_at(p->loop, clock_ms(), fail_now, p);
}

static void
give_job(struct pool *p, struct worker *w)
{
    if (!job_send_start(w->sock, p->flags, p->recipients, p->bitmap, p->record_fd)) {
        error_sys(&p->failure, ERROR_TEMP, errno, "smtprelay-worker: cannot be given the message");
        remove_worker(p, w);
        fail_soon(p);
        return;
    }
    p->busy = w;
    p->worker_watch = loop_watch(p->loop, w->sock, POLLIN, worker_ready, p);
}

void
pool_start(struct pool *p, const char *account, uint32_t flags, uint32_t recipients,
    const unsigned char *bitmap, int record_fd)
{
    size_t bytes = (recipients + 7) / 8;

    ensure(!p->account && !p->busy);
    p->account = mem_dup(account);
    p->flags = flags;
    p->recipients = recipients;
    p->bitmap = mem_alloc(bytes);
    memcpy(p->bitmap, bitmap, bytes);
    p->record_fd = record_fd;
    for (struct worker *w = p->workers; w; w = w->next) {
        if (strcmp(w->account, account) == 0) {
            give_job(p, w);
            return;
        }
    }
    if (!start_send(p->helper, START_WORKER, ERROR_NONE, account, -1)) {
        error_sys(&p->failure, ERROR_TEMP, errno, "smtprelay-worker: cannot be asked for");
        fail_soon(p);
    }
}

static void
add_worker(struct pool *p, int sock)
{
    struct worker *w = mem_alloc(sizeof *w);

    w->sock = sock;
    w->account = mem_dup(p->account);
    w->next = p->workers;
    p->workers = w;
    give_job(p, w);
}

static void
helper_ready(void *ctx, int fd, short revents)
{
    struct pool *p = ctx;
    struct start_packet packet;
    struct error err;
    int r = start_receive(fd, &packet, &err);

    (void)revents;
    if (r == -2)
        return;
    if (r <= 0) {
        loop_unwatch(p->helper_watch);
        p->helper_watch = NULL;
        if (!p->account || p->busy)
            return;
        if (r == 0)
            error_set(&err, ERROR_TEMP, "smtprelayd: its helper process has ended");
        job_over(p, &err, slice_of(NULL));
        return;
    }
    if (p->account && !p->busy && packet.type == START_READY) {
        add_worker(p, packet.fd);
    } else if (p->account && !p->busy && packet.type == START_FAILED) {
        error_set(&err, packet.class, "%s", packet.text);
        job_over(p, &err, slice_of(NULL));
    } else {
        file_close(&packet.fd); /* nobody waits for it */
    }
}

static void
worker_ready(void *ctx, int fd, short revents)
{
    struct pool *p = ctx;
    struct job_packet packet;
    struct error err;
    int r = job_receive(fd, p->buffer, &packet, &err);

    (void)revents;
    if (r == -2 || !p->busy)
        return;
    if (r <= 0) {
        if (r == 0)
            error_set(
                &err, ERROR_TEMP, "smtprelay-worker: ended unexpectedly; the message may have been sent");
        remove_worker(p, p->busy);
        job_over(p, &err, slice_of(NULL));
    } else if (packet.type == JOB_DONE) {
        job_over(p, NULL, packet.text);
    } else if (packet.type == JOB_START) {
        file_close(&packet.fd); /* workers give no jobs */
    } else {
        p->events->packet(p->ctx, &packet);
    }
}
