/* SPDX-License-Identifier: ISC */
/* resolve: one c-ares channel an attempt, our own query and our own walk through the answer. */
#include "smtp/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <ares.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/slice.h"
#include "smtp/answer.h"

#define HOSTS_MAX (1u << 20)
#define RESOLUTION_DELAY_MS 50 /* RFC 8305, 3 */

/* ---------------------------------------------------------------- literals and /etc/hosts */

bool
resolve_literal(const char *text, struct resolve_address *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&out->addr;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out->addr;

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        out->len = sizeof *four;
        return true;
    }
    if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        out->len = sizeof *six;
        return true;
    }
    return false;
}

static void
add_address(struct resolve_addresses *out, const struct resolve_address *a)
{
    if (out->n < RESOLVE_MAX)
        out->a[out->n++] = *a;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* "address name name # comment" */
static void
hosts_line(struct slice line, const char *host, struct resolve_addresses *out)
{
    char text[64];
    struct resolve_address a;
    size_t i = 0, words = 0;
    bool known = false;

    line = slice_sub(line, 0, slice_find(line, '#'));
    while (i < line.len) {
        size_t start;
        while (i < line.len && is_blank(line.p[i]))
            i++;
        start = i;
        while (i < line.len && !is_blank(line.p[i]))
            i++;
        struct slice word = slice_sub(line, start, i - start);
        if (word.len == 0)
            break;
        if (words++ == 0) {
            if (word.len >= sizeof text)
                return;
            (void)snprintf(text, sizeof text, "%.*s", SLICE_ARG(word));
            known = resolve_literal(text, &a);
        } else if (known && slice_is_nocase(word, host)) {
            add_address(out, &a);
            return;
        }
    }
}

static void
read_hosts(const char *host, struct resolve_addresses *out)
{
    struct stat st;
    struct error ignored;
    struct buf b;
    struct slice rest, line;
    int fd = file_open_regular("/etc/hosts", &st, &ignored);

    if (fd < 0)
        return;
    buf_init(&b, HOSTS_MAX);
    if (file_read_all(fd, &b, "/etc/hosts", &ignored)) {
        rest = buf_slice(&b);
        while (slice_cut(&rest, '\n', &line))
            hosts_line(line, host, out);
    }
    buf_clear(&b);
    file_close(&fd);
}

/* localhost is there without the file, too: small containers have none */
static void
from_hosts(const char *host, struct resolve_addresses *out)
{
    read_hosts(host, out);
    if (out->n == 0 &&
        (strcasecmp(host, "localhost") == 0 || slice_ends_nocase(slice_of(host), ".localhost"))) {
        hosts_line(slice_of("::1 localhost"), "localhost", out); /* RFC 6761, 6.3 */
        hosts_line(slice_of("127.0.0.1 localhost"), "localhost", out);
    }
}

/* ---------------------------------------------------------------- queries */

struct query {
    int type;
    bool done;
    int status; /* ares status */
    unsigned char *answer;
    int len;
};

static void
answered(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
    struct query *q = arg;

    (void)timeouts;
    q->done = true;
    q->status = status;
    if (answer && len > 0) {
        q->answer = mem_alloc((size_t)len);
        memcpy(q->answer, answer, (size_t)len);
        q->len = len;
    }
}

/* A query with RD and AD set (RFC 6840, 5.7), EDNS left to the library's defaults; 0 when the name is malformed */
static size_t
build_query(const char *name, int type, unsigned char *out, size_t size)
{
    static const unsigned char head[] = { 0, 0, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 0 };
    struct slice rest = slice_of(name), label;
    size_t n = sizeof head;
    struct timespec now = clock_wall();
    unsigned id = (unsigned)(now.tv_nsec >> 4);
    unsigned char random[2];

    if (getentropy(random, sizeof random) == 0)
        id = (unsigned)random[0] << 8 | random[1];
    memcpy(out, head, sizeof head);
    out[0] = (unsigned char)(id >> 8);
    out[1] = (unsigned char)id;
    if (rest.len && rest.p[rest.len - 1] == '.')
        rest.len--;
    while (slice_cut(&rest, '.', &label)) {
        if (label.len == 0 || label.len > 63 || n + label.len + 6 > size || n + label.len > 12 + 253)
            return 0;
        out[n++] = (unsigned char)label.len;
        memcpy(out + n, label.p, label.len);
        n += label.len;
    }
    out[n++] = 0;
    out[n++] = (unsigned char)(type >> 8);
    out[n++] = (unsigned char)type;
    out[n++] = 0;
    out[n++] = 1;
    return n;
}

/* Queries under way, and the channel they go by. */
struct asking {
    ares_channel channel;
    bool open;
    struct query *q;
    size_t n;
};

static bool
asking_begin(struct asking *a, const char *name, const char *servers, struct error *err)
{
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP, .timeout = 2000, .tries = 3
    };
    unsigned char packet[600];
    int r = ares_init_options(&a->channel, &options, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);

    a->open = r == ARES_SUCCESS;
    if (a->open && servers)
        r = ares_set_servers_ports_csv(a->channel, servers);
    if (r != ARES_SUCCESS)
        return error_set(err, ERROR_TEMP, "%s: no name service: %s", name, ares_strerror(r));
    for (size_t i = 0; i < a->n; i++) {
        size_t len = build_query(name, a->q[i].type, packet, sizeof packet);
        if (len)
            ares_send(a->channel, packet, (int)len, answered, &a->q[i]);
        else
            a->q[i].done = true, a->q[i].status = ARES_EBADNAME;
    }
    return true;
}

/* What is open gets ARES_EDESTRUCTION for an answer */
static void
asking_end(struct asking *a)
{
    if (a->open)
        ares_destroy(a->channel);
    a->open = false;
    for (size_t i = 0; i < a->n; i++)
        free(a->q[i].answer);
}

static bool
asking_is_over(const struct asking *a)
{
    for (size_t i = 0; a->open && i < a->n; i++)
        if (!a->q[i].done)
            return false;
    return true;
}

static size_t
asking_poll(const struct asking *a, struct pollfd p[RESOLVE_SOCKETS], int64_t *until)
{
    ares_socket_t socks[ARES_GETSOCK_MAXNUM];
    struct timeval tv, *t;
    size_t n = 0;
    unsigned bits;

    _Static_assert(RESOLVE_SOCKETS >= ARES_GETSOCK_MAXNUM, "room for all sockets of c-ares");
    if (asking_is_over(a))
        return 0;
    /* not by the library's macros, whose last bit overflows an int */
    bits = (unsigned)ares_getsock(a->channel, socks, ARES_GETSOCK_MAXNUM);
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        short events =
            (short)((bits >> i & 1 ? POLLIN : 0) | (bits >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0));
        if (events)
            p[n++] = (struct pollfd){ .fd = socks[i], .events = events };
    }
    t = ares_timeout(a->channel, NULL, &tv);
    if (t)
        *until = clock_min(*until, clock_deadline(t->tv_sec * 1000 + t->tv_usec / 1000 + 1));
    return n;
}

static void
asking_step(struct asking *a, const struct pollfd *p, size_t n)
{
    if (asking_is_over(a))
        return;
    for (size_t i = 0; i < n; i++)
        if (p[i].revents)
            ares_process_fd(a->channel,
                p[i].revents & (POLLIN | POLLHUP | POLLERR) ? p[i].fd : ARES_SOCKET_BAD,
                p[i].revents & POLLOUT ? p[i].fd : ARES_SOCKET_BAD);
    ares_process_fd(a->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* its own time-outs */
}

/* ---------------------------------------------------------------- answers */

static struct slice
message(const struct query *q)
{
    return slice_make((const char *)q->answer, q->answer ? (size_t)q->len : 0);
}

static void
take_address(void *ctx, int type, struct answer_data r)
{
    struct resolve_addresses *out = ctx;
    struct resolve_address a;
    struct sockaddr_in *four = (struct sockaddr_in *)&a.addr;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a.addr;

    memset(&a, 0, sizeof a);
    if (type == ANSWER_A && r.len - r.at == 4) {
        four->sin_family = AF_INET;
        memcpy(&four->sin_addr, r.p + r.at, 4);
        a.len = sizeof *four;
        add_address(out, &a);
    } else if (type == ANSWER_AAAA && r.len - r.at == 16) {
        six->sin6_family = AF_INET6;
        memcpy(&six->sin6_addr, r.p + r.at, 16);
        a.len = sizeof *six;
        add_address(out, &a);
    }
}

/* ---------------------------------------------------------------- a host */

enum { SIX, FOUR };

struct resolve {
    char *host;
    bool trusts_ad;
    struct query q[2]; /* SIX, FOUR */
    struct asking asking;
    struct resolve_addresses found[2]; /* what /etc/hosts has stands in the first, in its order */
    size_t given[2];
    int turn;        /* whose address is next */
    bool taken[2];   /* the answer was looked at */
    int64_t patient; /* until then an IPv4 address waits for the answer about IPv6 */
    bool malformed, unknown, absent;
};

/* What has been answered since the last look */
static void
take_answers(struct resolve *r)
{
    for (int i = 0; i < 2; i++) {
        enum answer_outcome o;
        if (!r->q[i].done || r->taken[i])
            continue;
        r->taken[i] = true;
        o = answer_judge(message(&r->q[i]));
        if (o == ANSWER_FOUND &&
            !answer_walk(message(&r->q[i]), r->host, r->q[i].type, take_address, &r->found[i]))
            r->malformed = true;
        for (size_t k = 0; k < r->found[i].n; k++)
            r->found[i].a[k].is_secure = r->trusts_ad && answer_is_secure(message(&r->q[i]));
        r->unknown = r->unknown || o == ANSWER_UNKNOWN;
        r->absent = r->absent || o == ANSWER_ABSENT;
        if (i == FOUR)
            r->patient = clock_deadline(RESOLUTION_DELAY_MS);
    }
}

struct resolve *
resolve_new(const char *host, const char *servers, struct error *err)
{
    struct resolve *r = mem_alloc(sizeof *r);
    struct resolve_address a;

    r->host = mem_dup(host);
    r->q[SIX].type = ANSWER_AAAA;
    r->q[FOUR].type = ANSWER_A;
    if (resolve_literal(host, &a))
        add_address(&r->found[SIX], &a);
    else
        from_hosts(host, &r->found[SIX]);
    if (r->found[SIX].n)
        return r;
    r->trusts_ad = resolve_trusts_ad(servers);
    r->asking = (struct asking){ .q = r->q, .n = 2 };
    if (asking_begin(&r->asking, host, servers, err)) {
        take_answers(r);
        return r;
    }
    resolve_free(r);
    return NULL;
}

void
resolve_free(struct resolve *r)
{
    if (!r)
        return;
    asking_end(&r->asking);
    free(r->host);
    free(r);
}

bool
resolve_is_over(const struct resolve *r)
{
    return asking_is_over(&r->asking);
}

/* RFC 8305, 3: an IPv6 address is tried at once, an IPv4 address a moment later, so that IPv6 is the first if both are there */
static bool
is_patient(const struct resolve *r)
{
    return !resolve_is_over(r) && r->found[SIX].n == 0 && !r->taken[SIX] && clock_left(r->patient) != 0;
}

bool
resolve_next(struct resolve *r, struct resolve_address *out)
{
    int family = r->turn;

    if (r->given[family] == r->found[family].n)
        family = 1 - family;
    if (r->given[family] == r->found[family].n || (family == FOUR && is_patient(r)))
        return false;
    *out = r->found[family].a[r->given[family]++];
    r->turn = 1 - family;
    return true;
}

size_t
resolve_poll(const struct resolve *r, struct pollfd p[RESOLVE_SOCKETS], int64_t *until)
{
    if (r->found[FOUR].n && is_patient(r))
        *until = clock_min(*until, r->patient);
    return asking_poll(&r->asking, p, until);
}

void
resolve_step(struct resolve *r, const struct pollfd *p, size_t n)
{
    asking_step(&r->asking, p, n);
    take_answers(r);
}

bool
resolve_has_failed(const struct resolve *r, struct error *err)
{
    if (r->found[SIX].n || r->found[FOUR].n)
        return false;
    if (!resolve_is_over(r) || r->unknown || r->malformed)
        return !error_set(err, ERROR_TEMP, "%s: the name service does not answer", r->host);
    return !error_set(
        err, ERROR_TEMP, "%s: %s", r->host, r->absent ? "there is no such host" : "the host has no address");
}

bool
resolve_is_absent(const struct resolve *r)
{
    return resolve_is_over(r) && !r->found[SIX].n && !r->found[FOUR].n && !r->unknown && !r->malformed;
}

void
resolve_canonical(const struct resolve *r, char out[ANSWER_NAME_SIZE])
{
    (void)snprintf(out, ANSWER_NAME_SIZE, "%s", r->host);
    for (int i = 0; i < 2; i++)
        if (r->taken[i] && r->found[i].n && answer_canonical(message(&r->q[i]), r->host, r->q[i].type, out))
            return;
}

/* ---------------------------------------------------------------- one question */

static bool
is_loopback(const struct resolve_address *a)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)&a->addr;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->addr;

    if (a->addr.ss_family == AF_INET)
        return ntohl(four->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* "127.0.0.1", "127.0.0.1:53", "[::1]:53", "::1" */
static bool
is_local_server(struct slice text)
{
    struct resolve_address a;
    char copy[64];

    if (text.len && text.p[0] == '[')
        text = slice_sub(text, 1, slice_find(text, ']') - 1);
    else if (slice_find(text, ':') == slice_find_last(text, ':'))
        text = slice_sub(text, 0, slice_find(text, ':'));
    if (text.len >= sizeof copy)
        return false;
    (void)snprintf(copy, sizeof copy, "%.*s", SLICE_ARG(text));
    return resolve_literal(copy, &a) && is_loopback(&a);
}

/* The next word of a line of resolv.conf, empty at its end or a comment */
static struct slice
next_word(struct slice *line)
{
    size_t i = 0, start;

    while (i < line->len && is_blank(line->p[i]))
        i++;
    for (start = i; i < line->len && !is_blank(line->p[i]);)
        i++;
    struct slice word = slice_sub(*line, start, i - start);
    *line = slice_from(*line, i);
    if (word.len && (word.p[0] == '#' || word.p[0] == ';'))
        word.len = 0;
    return word;
}

/* Without any name server it is the one on this machine */
static bool
trusts_settings(struct slice text)
{
    struct slice line, word;
    bool local = true;

    while (slice_cut(&text, '\n', &line)) {
        word = next_word(&line);
        if (slice_is(word, "nameserver"))
            local = is_local_server(next_word(&line)) && local;
        else if (slice_is(word, "options"))
            while ((word = next_word(&line)).len)
                if (slice_is(word, "trust-ad"))
                    return true;
    }
    return local;
}

bool
resolve_trusts_ad(const char *servers)
{
    struct slice rest = slice_of(servers), one;
    struct error ignored;
    struct stat st;
    struct buf b;
    bool trusts = true;
    int fd;

    while (servers && slice_cut(&rest, ',', &one))
        trusts = is_local_server(one) && trusts;
    if (servers)
        return trusts;
    fd = file_open_regular("/etc/resolv.conf", &st, &ignored);
    if (fd < 0)
        return false;
    buf_init(&b, HOSTS_MAX);
    trusts = file_read_all(fd, &b, "/etc/resolv.conf", &ignored) && trusts_settings(buf_slice(&b));
    buf_clear(&b);
    file_close(&fd);
    return trusts;
}

bool
resolve_is_in_hosts(const char *host)
{
    struct resolve_addresses found = { .n = 0 };

    from_hosts(host, &found);
    return found.n > 0;
}

uint32_t
resolve_random(uint32_t n)
{
    uint32_t v = 0;

    if (getentropy(&v, sizeof v) != 0)
        v = (uint32_t)clock_us();
    return n ? v % n : 0;
}

enum answer_outcome
resolve_ask(const char *name, int type, const char *servers, int64_t deadline, struct buf *answer,
    bool *secure, struct error *err)
{
    struct query q = { .type = type };
    struct asking a = { .q = &q, .n = 1 };
    enum answer_outcome o = ANSWER_UNKNOWN;

    if (!asking_begin(&a, name, servers, err)) {
        asking_end(&a);
        return o;
    }
    while (!asking_is_over(&a) && clock_left(deadline) != 0) {
        struct pollfd p[RESOLVE_SOCKETS];
        int64_t until = deadline;
        size_t count = asking_poll(&a, p, &until);
        if (poll(p, (nfds_t)count, clock_left(until)) < 0)
            count = 0;
        asking_step(&a, p, count);
    }
    buf_add_slice(answer, message(&q));
    o = answer->overflow ? ANSWER_UNKNOWN : answer_judge(message(&q));
    if (secure)
        *secure = answer_is_secure(message(&q)) && resolve_trusts_ad(servers);
    asking_end(&a);
    if (o == ANSWER_UNKNOWN)
        error_set(err, ERROR_TEMP, "%s: the name service does not answer", name);
    return o;
}

/* ---------------------------------------------------------------- SRV */

struct srv_list {
    struct resolve_target *t;
    size_t n, max;
};

/* Of more than there is room for those of the last priorities are left out; NULL: it is one of them */
static struct resolve_target *
room_for(struct srv_list *l, unsigned priority)
{
    struct resolve_target *worst = l->t;

    if (l->n < l->max)
        return &l->t[l->n++];
    for (size_t i = 1; i < l->n; i++)
        if (l->t[i].priority > worst->priority)
            worst = &l->t[i];
    return priority < worst->priority ? worst : NULL;
}

static void
take_srv(void *ctx, int type, struct answer_data r)
{
    struct srv_list *l = ctx;
    struct resolve_target *t;
    unsigned priority, weight, port;
    char host[256];

    (void)type;
    if (!answer_get16(&r, &priority) || !answer_get16(&r, &weight) || !answer_get16(&r, &port) ||
        !answer_get_name(&r, host) || !host[0])
        return; /* "." = not offered here */
    t = room_for(l, priority);
    if (!t)
        return;
    t->priority = (uint16_t)priority;
    t->weight = (uint16_t)weight;
    t->port = (uint16_t)port;
    memcpy(t->host, host, sizeof host);
}

static int
by_priority(const void *a, const void *b)
{
    const struct resolve_target *x = a, *y = b;

    if (x->priority != y->priority)
        return (int)x->priority - (int)y->priority;
    return (int)x->weight - (int)y->weight; /* those of weight 0 first, or they were never drawn */
}

/*
 * Which of those from `t` on comes next. RFC 2782 draws from 0 on, so that a weight of 0 has a chance; where there is none, that would
 * give the first one twice its share when weights are small.
 */
static size_t
draw(const struct resolve_target *t, size_t n, resolve_chance *chance, void *ctx)
{
    uint32_t sum = 0, value;
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        sum += t[i].weight;
    if (sum == 0)
        return chance(ctx, (uint32_t)n);
    value = t[0].weight == 0 ? chance(ctx, sum + 1) : chance(ctx, sum) + 1;
    for (; k + 1 < n && value > t[k].weight; k++)
        value -= t[k].weight;
    return k;
}

static void
order_by_weight(struct resolve_target *t, size_t n, resolve_chance *chance, void *ctx)
{
    for (size_t i = 0; i + 1 < n; i++) {
        size_t k = i + draw(t + i, n - i, chance, ctx);
        struct resolve_target chosen = t[k];
        memmove(&t[i + 1], &t[i], (k - i) * sizeof *t);
        t[i] = chosen;
    }
}

void
resolve_order(struct resolve_target *t, size_t n, resolve_chance *chance, void *ctx)
{
    qsort(t, n, sizeof *t, by_priority);
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && t[k].priority == t[i].priority)
            k++;
        order_by_weight(t + i, k - i, chance, ctx);
        i = k;
    }
}

static uint32_t
by_chance(void *ctx, uint32_t n)
{
    (void)ctx;
    return resolve_random(n);
}

bool
resolve_srv(
    const char *name, int64_t deadline, struct resolve_target *out, size_t max, size_t *n, struct error *err)
{
    struct srv_list l = { out, 0, max };
    struct buf answer;
    enum answer_outcome o;
    bool well = true;

    *n = 0;
    buf_init(&answer, RESOLVE_ANSWER_MAX);
    o = resolve_ask(name, ANSWER_SRV, NULL, deadline, &answer, NULL, err);
    if (o == ANSWER_FOUND)
        well = answer_walk(buf_slice(&answer), name, ANSWER_SRV, take_srv, &l);
    buf_clear(&answer);
    if (o == ANSWER_UNKNOWN)
        return false;
    if (!well)
        return error_set(err, ERROR_TEMP, "%s: the name service does not answer", name);
    resolve_order(out, l.n, by_chance, NULL);
    *n = l.n;
    return true;
}
