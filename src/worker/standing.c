/* SPDX-License-Identifier: ISC */
/* standing: a few questions to the name service; sends nothing to anybody else. */
#include "worker/standing.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "smtp/answer.h"
#include "smtp/resolve.h"

#define ADDRESSES_MAX 8
#define ADDRESS_SIZE 64

struct addresses {
    char text[ADDRESSES_MAX][ADDRESS_SIZE];
    size_t n;
};

struct look {
    const char *hostname, *domain;
    int64_t deadline;
    struct addresses own; /* of hostname, in DNS */
    struct buf *out;
};

/* ---------------------------------------------------------------- addresses */

struct network {
    const char *address;
    unsigned bits;
};

static bool
is_within(const struct resolve_address *a, const struct resolve_address *net, unsigned bits)
{
    const unsigned char *x, *y;

    if (a->addr.ss_family != net->addr.ss_family)
        return false;
    if (a->addr.ss_family == AF_INET) {
        x = (const unsigned char *)&((const struct sockaddr_in *)&a->addr)->sin_addr;
        y = (const unsigned char *)&((const struct sockaddr_in *)&net->addr)->sin_addr;
    } else {
        x = (const unsigned char *)&((const struct sockaddr_in6 *)&a->addr)->sin6_addr;
        y = (const unsigned char *)&((const struct sockaddr_in6 *)&net->addr)->sin6_addr;
    }
    for (; bits >= 8; bits -= 8)
        if (*x++ != *y++)
            return false;
    return bits == 0 || (*x ^ *y) >> (8 - bits) == 0;
}

bool
standing_is_private(const char *address)
{
    static const struct network networks[] = { { "10.0.0.0", 8 }, { "172.16.0.0", 12 }, { "192.168.0.0", 16 },
        { "100.64.0.0", 10 }, { "127.0.0.0", 8 }, { "169.254.0.0", 16 }, { "fc00::", 7 }, { "fe80::", 10 },
        { "::1", 128 } };
    struct resolve_address a, net;

    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++)
        if (resolve_literal(address, &a) && resolve_literal(networks[i].address, &net) &&
            is_within(&a, &net, networks[i].bits))
            return true;
    return false;
}

/* ---------------------------------------------------------------- SPF */

static bool
is_in_network(struct slice network, const struct resolve_address *a)
{
    struct slice prefix = slice_from(network, slice_find(network, '/'));
    struct resolve_address net;
    char text[ADDRESS_SIZE];
    uint64_t bits, most;

    network = slice_sub(network, 0, network.len - prefix.len);
    if (network.len >= sizeof text)
        return false;
    (void)snprintf(text, sizeof text, "%.*s", SLICE_ARG(network));
    if (!resolve_literal(text, &net))
        return false;
    bits = most = net.addr.ss_family == AF_INET ? 32 : 128;
    if (prefix.len && !slice_number(slice_from(prefix, 1), most, &bits))
        return false;
    return is_within(a, &net, (unsigned)bits);
}

bool
standing_spf_names(struct slice record, const char *address)
{
    struct resolve_address a;
    struct slice word;

    while (resolve_literal(address, &a) && slice_cut(&record, ' ', &word)) {
        if (word.len && word.p[0] == '+')
            word = slice_from(word, 1);
        if ((slice_starts_nocase(word, "ip4:") || slice_starts_nocase(word, "ip6:")) &&
            is_in_network(slice_from(word, 4), &a))
            return true;
    }
    return false;
}

bool
standing_spf_asks_on(struct slice record)
{
    static const char *const words[] = { "include:", "a:", "a/", "mx:", "mx/", "exists:", "ptr",
        "redirect=" };
    struct slice word;

    while (slice_cut(&record, ' ', &word)) {
        if (word.len && word.p[0] == '+')
            word = slice_from(word, 1);
        if (slice_is_nocase(word, "a") || slice_is_nocase(word, "mx"))
            return true;
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (slice_starts_nocase(word, words[i]))
                return true;
    }
    return false;
}

/* ---------------------------------------------------------------- questions */

static enum answer_outcome
ask_each(const struct look *l, const char *name, int type, answer_record *take, void *ctx)
{
    enum answer_outcome o;
    struct buf answer;
    struct error ignored; /* UNKNOWN says as much */

    buf_init(&answer, RESOLVE_ANSWER_MAX);
    o = resolve_ask(name, type, NULL, l->deadline, &answer, NULL, &ignored);
    if (o == ANSWER_FOUND && !answer_walk(buf_slice(&answer), name, type, take, ctx))
        o = ANSWER_UNKNOWN;
    buf_clear(&answer);
    return o;
}

static void
take_address(void *ctx, int type, struct answer_data r)
{
    struct addresses *a = ctx;

    if (a->n < ADDRESSES_MAX && r.len - r.at == (type == ANSWER_A ? 4 : 16) &&
        inet_ntop(type == ANSWER_A ? AF_INET : AF_INET6, r.p + r.at, a->text[a->n], ADDRESS_SIZE))
        a->n++;
}

/* False: the name service does not say */
static bool
find_addresses(const struct look *l, const char *host, struct addresses *out)
{
    enum answer_outcome four, six;

    out->n = 0;
    four = ask_each(l, host, ANSWER_A, take_address, out);
    six = ask_each(l, host, ANSWER_AAAA, take_address, out);
    return out->n || (four != ANSWER_UNKNOWN && six != ANSWER_UNKNOWN);
}

static bool
has_address(const struct addresses *a, const char *address)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->text[i], address) == 0)
            return true;
    return false;
}

struct names {
    char name[ADDRESSES_MAX][ANSWER_NAME_SIZE];
    size_t n;
};

static void
take_name(void *ctx, int type, struct answer_data r)
{
    struct names *names = ctx;

    (void)type;
    if (names->n < ADDRESSES_MAX && answer_get_name(&r, names->name[names->n]))
        names->n++;
}

/* "1.2.0.192.in-addr.arpa" */
static void
reverse_name(const char *address, char out[ANSWER_NAME_SIZE])
{
    unsigned char b[16];
    size_t n = 0;

    if (inet_pton(AF_INET, address, b) == 1) {
        (void)snprintf(out, ANSWER_NAME_SIZE, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
        return;
    }
    if (inet_pton(AF_INET6, address, b) != 1)
        memset(b, 0, sizeof b);
    for (size_t i = 16; i-- > 0;)
        n += (size_t)snprintf(out + n, ANSWER_NAME_SIZE - n, "%x.%x.", b[i] & 15u, b[i] >> 4);
    (void)snprintf(out + n, ANSWER_NAME_SIZE - n, "ip6.arpa");
}

/* ---------------------------------------------------------------- what is said */

/* The address others see us by: does it have a name, and does that lead back? */
static void
look_at_address(struct look *l, const char *address)
{
    struct names names = { .n = 0 };
    struct addresses back;
    char reverse[ANSWER_NAME_SIZE];
    enum answer_outcome o;
    bool own = false;

    reverse_name(address, reverse);
    o = ask_each(l, reverse, ANSWER_PTR, take_name, &names);
    if (o == ANSWER_UNKNOWN) {
        buf_add_format(l->out, "  %s: the name service does not say its name (PTR)\n", address);
        return;
    }
    if (names.n == 0) {
        buf_add_format(l->out,
            "! %s has no name (PTR): most hosts take no mail from it; whose network it is can set it to %s\n",
            address, l->hostname);
        return;
    }
    for (size_t i = 0; i < names.n; i++)
        own = own || strcasecmp(names.name[i], l->hostname) == 0;
    if (own && has_address(&l->own, address)) {
        buf_add_format(l->out, "  %s is %s, forth and back\n", address, l->hostname);
        return;
    }
    if (!own)
        buf_add_format(l->out,
            "! %s is named %s (PTR), not %s: set hostname = \"%s\", or have that changed\n", address,
            names.name[0], l->hostname, names.name[0]);
    if (find_addresses(l, names.name[0], &back) && !has_address(&back, address))
        buf_add_format(
            l->out, "! %s does not lead back to %s: give it that address in DNS\n", names.name[0], address);
}

static void
take_text(void *ctx, int type, struct answer_data r)
{
    struct buf *all = ctx;
    struct buf one;
    unsigned n;

    (void)type;
    buf_init(&one, 4096);
    while (answer_get8(&r, &n) && n <= r.len - r.at) {
        buf_add(&one, r.p + r.at, n);
        r.at += n;
    }
    if (!all->len &&
        (slice_starts_nocase(buf_slice(&one), "v=spf1 ") || slice_is_nocase(buf_slice(&one), "v=spf1")))
        buf_add_slice(all, buf_slice(&one));
    buf_clear(&one);
}

static void
look_at_spf(struct look *l, const struct addresses *seen)
{
    struct buf record;
    enum answer_outcome o;

    buf_init(&record, 4096);
    o = ask_each(l, l->domain, ANSWER_TXT, take_text, &record);
    if (o == ANSWER_UNKNOWN)
        buf_add_format(l->out, "  %s: the name service does not say who may send for it (SPF)\n", l->domain);
    else if (!record.len)
        buf_add_format(l->out,
            "! %s has no SPF record: who may send for it? A TXT record \"v=spf1 %s%s -all\" would say so\n",
            l->domain,
            seen->n && strchr(seen->text[0], ':') ? "ip6:" : "ip4:", seen->n ? seen->text[0] : "ADDRESS");
    for (size_t i = 0; record.len && i < seen->n; i++) {
        bool named = standing_spf_names(buf_slice(&record), seen->text[i]),
             asks = standing_spf_asks_on(buf_slice(&record));
        buf_add_format(l->out, "%s the SPF record of %s %s %s%s\n", named || asks ? " " : "!", l->domain,
            named ? "names" : "does not name", seen->text[i],
            named  ? ""
            : asks ? " itself, perhaps by what it refers to"
                   : ": others may take mail from here for forged");
    }
    buf_clear(&record);
}

/* The address a packet to the world would leave from; nothing is sent */
static bool
find_source(int family, char out[ADDRESS_SIZE])
{
    struct resolve_address to, from;
    socklen_t len = sizeof from.addr;
    int fd;
    bool ok;

    (void)resolve_literal(family == AF_INET ? "198.41.0.4" : "2001:503:ba3e::2:30", &to); /* a root server */
    if (family == AF_INET)
        ((struct sockaddr_in *)&to.addr)->sin_port = htons(53);
    else
        ((struct sockaddr_in6 *)&to.addr)->sin6_port = htons(53);
    fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ok = fd >= 0 && connect(fd, (struct sockaddr *)&to.addr, to.len) == 0 &&
         getsockname(fd, (struct sockaddr *)&from.addr, &len) == 0 &&
         inet_ntop(family,
             family == AF_INET ? (const void *)&((struct sockaddr_in *)&from.addr)->sin_addr
                               : (const void *)&((struct sockaddr_in6 *)&from.addr)->sin6_addr,
             out, ADDRESS_SIZE);
    file_close(&fd);
    return ok;
}

/* What others see: our addresses, or, where those are translated on the way, what hostname leads to */
static void
add_seen(struct look *l, const char *source, struct addresses *seen)
{
    if (!standing_is_private(source)) {
        (void)snprintf(seen->text[seen->n++], ADDRESS_SIZE, "%s", source);
        if (l->own.n && !has_address(&l->own, source))
            buf_add_format(
                l->out, "! %s does not lead to %s, from where mail goes out\n", l->hostname, source);
        return;
    }
    buf_add_format(
        l->out, "  mail leaves from %s; others see another address (NAT), which is not known here\n", source);
    for (size_t i = 0; i < l->own.n && seen->n < ADDRESSES_MAX; i++)
        if (!strchr(source, ':') == !strchr(l->own.text[i], ':') && !standing_is_private(l->own.text[i]))
            memcpy(seen->text[seen->n++], l->own.text[i], ADDRESS_SIZE);
}

void
standing_look(const char *hostname, const char *domain, const char *source, int64_t deadline, struct buf *out)
{
    struct look l = { .hostname = hostname, .domain = domain, .deadline = deadline, .out = out };
    struct addresses seen = { .n = 0 };
    char from[ADDRESS_SIZE];

    if (!strchr(hostname, '.') || hostname[0] == '[')
        buf_add_format(out, "! hostname: %s is no full name, which others expect in EHLO\n", hostname);
    else if (!find_addresses(&l, hostname, &l.own))
        buf_add_format(out, "  %s: the name service does not answer\n", hostname);
    else if (l.own.n == 0)
        buf_add_format(
            out, "! %s has no address in DNS: many hosts take no mail from a name without one\n", hostname);
    if (source) {
        add_seen(&l, source, &seen);
    } else {
        if (find_source(AF_INET, from))
            add_seen(&l, from, &seen);
        if (find_source(AF_INET6, from) && seen.n < ADDRESSES_MAX)
            add_seen(&l, from, &seen);
    }
    for (size_t i = 0; i < seen.n; i++)
        look_at_address(&l, seen.text[i]);
    look_at_spf(&l, &seen);
}
