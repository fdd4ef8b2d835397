/* SPDX-License-Identifier: ISC */
/*
 * Whatever a server sends: without TLS no login goes out where none may, without STARTTLS no mail where it must; no bare CR or LF
 * goes out; each recipient gets a printable fact, and is delivered only if the text went out.
 *
 * Input: a byte for the way to connect, then what the server says; \1 waits for the client's next flight.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "smtp/transaction.h"

#define CONTENT "Subject: x\r\n\r\nhello\r\n"
#define PACKET 16000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct server {
    int fd;
    struct slice script;
    struct buf got;
};

static bool
hear(struct server *s)
{
    char *room = buf_reserve(&s->got, 1u << 18);
    ssize_t n = room ? recv(s->fd, room, 1u << 18, 0) : -1;

    if (n > 0)
        s->got.len += (size_t)n;
    return n > 0;
}

static void *
serve(void *arg)
{
    struct server *s = arg;
    struct slice part;
    bool there = true;

    for (bool first = true; there && slice_cut(&s->script, '\1', &part); first = false) {
        struct pollfd p = { .fd = s->fd, .events = POLLIN };
        if (!first && poll(&p, 1, 10) > 0) /* where both wait, go on */
            there = hear(s);
        for (; there && part.len; part = slice_from(part, PACKET))
            there = send(s->fd, part.p, slice_sub(part, 0, PACKET).len, MSG_NOSIGNAL) > 0;
    }
    (void)shutdown(s->fd, SHUT_WR);
    while (hear(s))
        ;
    return NULL;
}

static bool
produce(void *ctx, transaction_sink *sink, void *sink_ctx, struct error *err)
{
    (void)ctx;
    return sink(sink_ctx, slice_of(CONTENT)) || error_set(err, ERROR_TEMP, "stopped");
}

static bool
send_mail(struct session *s)
{
    struct transaction_rcpt rcpt[2] = { { .path = "b@b.example", .notify = ENVELOPE_NEVER },
        { .path = "c@b.example" } };
    struct transaction t = {
        .sender = "a@b.example", .size = strlen(CONTENT), .rcpt = rcpt, .n = 2, .write = produce
    };
    bool delivered = false;

    (void)transaction_run(s, &t);
    for (size_t i = 0; i < 2; i++) {
        const struct status_fact *f = &rcpt[i].fact;
        ensure(rcpt[i].done);
        for (const char *p = f->text; *p; p++)
            ensure(!ascii_is_control(*p));
        delivered = delivered || status_judge(f->stage, f->cause, f->code).outcome == STATUS_DELIVERED;
    }
    session_close(s);
    return delivered;
}

static bool
has(const struct server *s, const char *what)
{
    return s->got.len && memmem(s->got.data, s->got.len, what, strlen(what)) != NULL;
}

static void
check_output(const struct server *s, unsigned way, bool delivered)
{
    ensure(way == 3 || (!has(s, "AUTH ") && !has(s, "S3cr3t")));
    ensure(way != 1 || !has(s, "MAIL FROM"));
    ensure(!delivered || has(s, CONTENT));
    for (size_t i = 0; (way == 0 || way == 3) && i < s->got.len; i++) {
        ensure(s->got.data[i] != '\n' || (i && s->got.data[i - 1] == '\r'));
        ensure(s->got.data[i] != '\r' || (i + 1 < s->got.len && s->got.data[i + 1] == '\n'));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum session_tls tls[] = { SESSION_TLS_NONE, SESSION_TLS_STARTTLS, SESSION_TLS_OPPORTUNISTIC,
        SESSION_TLS_NONE };
    unsigned way = size ? data[0] % 4 : 0;
    struct session_options o = { .host = "mx.example.org",
        .port = 25,
        .tls = tls[way],
        .tls_options = { .host = "mx.example.org" },
        .ehlo_name = "me",
        .user = way ? "user" : NULL,
        .secret = "S3cr3tW0rd",
        .method = "auto",
        .plaintext_auth = way == 3,
        .greeting_ms = 60000,
        .timeout_ms = 60000,
        .end_ms = 60000 };
    struct server server = { .script = slice_from(slice_make((const char *)data, size), 1) };
    struct status_fact fact;
    struct session s;
    pthread_t thread;
    bool delivered = false;
    int pair[2];

    ensure(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    ensure(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
    buf_init(&server.got, 4u << 20);
    server.fd = pair[1];
    ensure(pthread_create(&thread, NULL, serve, &server) == 0);
    if (session_open(&s, pair[0], &o, &fact))
        delivered = send_mail(&s);
    ensure(pthread_join(thread, NULL) == 0);
    close(pair[1]);
    check_output(&server, way, delivered);
    buf_clear(&server.got);
    return 0;
}
