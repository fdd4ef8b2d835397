/* SPDX-License-Identifier: ISC */
/* job: packing and unpacking of the records between daemon and worker; decides nothing. */
#include "ipc/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/passfd.h"

#define MAGIC 0x534d5231u /* "SMR1" */

struct wire_head {
    uint32_t magic;
    uint32_t type;
    uint32_t a,
        b; /* START: flags, recipients; LOG, FAILED: level; FACT: recipient; CERTIFICATE and its like: the time, high half first */
};

struct wire_fact {
    int32_t stage, cause, code, maybe_sent, has_dsn, others;
    char enhanced[16];
    char relay[200];
    char text[1000];
};

static bool
send_packet(int sock, const struct wire_head *head, const void *rest, size_t len, int fd)
{
    char packet[JOB_PACKET_MAX];

    if (len > sizeof packet - sizeof *head) {
        errno = EMSGSIZE;
        return false;
    }
    memcpy(packet, head, sizeof *head);
    if (len)
        memcpy(packet + sizeof *head, rest, len);
    return passfd_send(sock, packet, sizeof *head + len, &fd, fd >= 0 ? 1 : 0);
}

bool
job_send_start(int sock, uint32_t flags, uint32_t recipients, const unsigned char *bitmap, int record_fd)
{
    struct wire_head head = { MAGIC, JOB_START, flags, recipients };

    ensure(recipients <= JOB_RECIPIENTS_MAX);
    return send_packet(sock, &head, bitmap, (recipients + 7) / 8, record_fd);
}

bool
job_send_text(int sock, enum job_type type, int level, const char *text)
{
    struct wire_head head = { MAGIC, (uint32_t)type, (uint32_t)level, 0 };
    size_t len = strlen(text);

    if (len > JOB_PACKET_MAX - sizeof head)
        len = JOB_PACKET_MAX - sizeof head;
    return send_packet(sock, &head, text, len, -1);
}

bool
job_send_expiry(int sock, enum job_type type, const char *text, int64_t expires_s)
{
    uint64_t at = expires_s > 0 ? (uint64_t)expires_s : 0;
    struct wire_head head = { MAGIC, (uint32_t)type, (uint32_t)(at >> 32), (uint32_t)at };

    return send_packet(sock, &head, text, strlen(text), -1);
}

bool
job_send_fact(int sock, const struct job_fact *fact)
{
    struct wire_head head = { MAGIC, JOB_FACT, fact->recipient, 0 };
    struct wire_fact w;

    memset(&w, 0, sizeof w); /* padding never carries old memory out */
    w.stage = fact->stage;
    w.cause = fact->cause;
    w.code = fact->code;
    w.maybe_sent = fact->maybe_sent;
    w.has_dsn = fact->has_dsn;
    w.others = fact->others;
    memcpy(w.enhanced, fact->enhanced, strnlen(fact->enhanced, sizeof w.enhanced - 1));
    memcpy(w.relay, fact->relay, strnlen(fact->relay, sizeof w.relay - 1));
    memcpy(w.text, fact->text, strnlen(fact->text, sizeof w.text - 1));
    return send_packet(sock, &head, &w, sizeof w, -1);
}

static bool
unpack_fact(struct slice rest, uint32_t recipient, struct job_fact *fact)
{
    struct wire_fact w;

    if (rest.len != sizeof w)
        return false;
    memcpy(&w, rest.p, sizeof w);
    if (!memchr(w.enhanced, 0, sizeof w.enhanced) || !memchr(w.relay, 0, sizeof w.relay) ||
        !memchr(w.text, 0, sizeof w.text))
        return false;
    fact->recipient = recipient;
    fact->stage = w.stage;
    fact->cause = w.cause;
    fact->code = w.code;
    fact->maybe_sent = w.maybe_sent != 0;
    fact->has_dsn = w.has_dsn != 0;
    fact->others = w.others != 0;
    memcpy(fact->enhanced, w.enhanced, sizeof w.enhanced);
    memcpy(fact->relay, w.relay, sizeof w.relay);
    memcpy(fact->text, w.text, sizeof w.text);
    return true;
}

static bool
unpack(const struct wire_head *head, struct slice rest, struct job_packet *p)
{
    switch (p->type) {
    case JOB_START:
        p->flags = head->a;
        p->recipients = head->b;
        p->bitmap = rest;
        return p->fd >= 0 && head->b <= JOB_RECIPIENTS_MAX && rest.len == (head->b + 7) / 8;
    case JOB_STEP:
    case JOB_DONE:
    case JOB_AVOID:
    case JOB_LATE:
    case JOB_PROBE:
    case JOB_WAITS:
    case JOB_STARVED:
        p->text = rest;
        return true;
    case JOB_LOG:
        p->level = (int)head->a;
        p->text = rest;
        return head->a <= 3;
    case JOB_HUB:
        p->level = (int)head->a;
        p->text = rest;
        return head->a <= JOB_HUB_LATE;
    case JOB_CERTIFICATE:
    case JOB_TOKEN:
    case JOB_CLIENT:
        p->expires_s = (int64_t)((uint64_t)head->a << 32 | head->b);
        p->text = rest;
        return p->expires_s >= 0 && p->expires_s <= JOB_EXPIRES_MAX;
    case JOB_FAILED:
        p->level = (int)head->a;
        p->text = rest;
        return head->a >= ERROR_INTERNAL && head->a <= ERROR_CONFIG;
    case JOB_FACT:
        return unpack_fact(rest, head->a, &p->fact);
    }
    return false;
}

int
job_receive(int sock, char *buffer, struct job_packet *packet, struct error *err)
{
    struct wire_head head;
    int fds[PASSFD_MAX];
    ssize_t n = passfd_receive(sock, buffer, JOB_PACKET_MAX, fds);
    bool unread = n < 0 && errno == ECONNRESET;

    /* it is told once, and before what the peer still said */
    if (unread)
        n = passfd_receive(sock, buffer, JOB_PACKET_MAX, fds);
    memset(packet, 0, sizeof *packet);
    packet->unread = unread;
    packet->fd = fds[0];
    if (n > 0 && (size_t)n >= sizeof head && fds[0] != PASSFD_LOST && fds[1] < 0) {
        memcpy(&head, buffer, sizeof head);
        packet->type = (enum job_type)head.type;
        struct slice rest = slice_make(buffer + sizeof head, (size_t)n - sizeof head);
        if (head.magic == MAGIC && unpack(&head, rest, packet) &&
            (packet->type == JOB_START) == (packet->fd >= 0))
            return 1;
    }
    packet->fd = -1;
    return passfd_failure(n, fds, "daemon and worker", err);
}

bool
job_bit(struct slice bitmap, uint32_t i)
{
    return i / 8 < bitmap.len && ((unsigned char)bitmap.p[i / 8] >> (i % 8) & 1);
}
