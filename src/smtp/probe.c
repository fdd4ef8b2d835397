/* SPDX-License-Identifier: ISC */
/* probe: all names first, then all addresses at once; knows nothing of what is spoken afterwards. */
#include "smtp/probe.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "smtp/resolve.h"

enum { TEXT_MAX = 700, GRACE_MS = 2000 }; /* for the others, when one address has answered */

struct attempt {
    struct resolve_address a;
    char text[64];
    int fd;
    bool open, up;
    int why; /* errno, 0 = no answer so far */
    int64_t us;
};

struct probe {
    const struct connect_options *o;
    struct steps *steps;
    struct attempt t[RESOLVE_MAX];
    size_t n, open, up;
    int64_t begun_us;
};

/* ---------------------------------------------------------------- names */

static void
await_names(struct resolve *names, int64_t deadline)
{
    while (!resolve_is_over(names) && clock_left(deadline) != 0) {
        struct pollfd p[RESOLVE_SOCKETS];
        int64_t until = deadline;
        size_t n = resolve_poll(names, p, &until);
        if (poll(p, (nfds_t)n, clock_left(until)) < 0)
            n = 0;
        resolve_step(names, p, n);
    }
}

static size_t
count_family(const struct probe *p, int family)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        n += p->t[i].a.addr.ss_family == family;
    return n;
}

static void
tell_names(struct probe *p, const char *how, bool all)
{
    size_t four = count_family(p, AF_INET), six = count_family(p, AF_INET6);
    bool is_literal = strcmp(how, "literal") == 0, is_dns = strcmp(how, "dns") == 0;
    struct buf text;

    buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < p->n; i++) {
        buf_add_format(&text, "%s%s", i ? ", " : "", p->t[i].text);
        steps_item(p->steps, "addresses");
        steps_item_text(p->steps, "address", slice_of(p->t[i].text));
        steps_item_text(p->steps, "family", slice_of(p->t[i].a.addr.ss_family == AF_INET6 ? "ipv6" : "ipv4"));
    }
    if (!is_literal && (!four || !six))
        buf_add_format(&text, "; no %s address%s", four ? "IPv6" : "IPv4", all ? "" : " in time");
    steps_text(p->steps, "host", slice_of(p->o->host));
    steps_text(p->steps, "how", slice_of(how));
    p->steps->has_names = true;
    steps_done(p->steps, "names", is_dns, "%s: %s%s", is_literal ? "an address" : p->o->host, buf_str(&text),
        is_literal ? ""
        : is_dns   ? " (DNS)"
                   : " (/etc/hosts)");
    buf_clear(&text);
}

/* False with err: there is no address */
static bool
find_names(struct probe *p, int64_t deadline, struct connect_info *info, struct error *err)
{
    struct resolve_address literal;
    struct resolve *names = resolve_new(p->o->host, p->o->name_servers, err);
    int64_t begun = clock_us();
    bool is_file, ok;

    if (!names)
        return false;
    is_file = resolve_is_over(names);
    await_names(names, deadline);
    while (p->n < RESOLVE_MAX && resolve_next(names, &p->t[p->n].a)) {
        connect_address_text(&p->t[p->n].a, p->t[p->n].text, sizeof p->t[p->n].text);
        p->n++;
    }
    info->resolve_us = clock_us() - begun;
    ok = !resolve_has_failed(names, err);
    if (p->n)
        tell_names(p,
            resolve_literal(p->o->host, &literal) ? "literal"
            : is_file                             ? "hosts"
                                                  : "dns",
            resolve_is_over(names));
    info->is_absent = resolve_is_absent(names);
    resolve_canonical(names, info->canonical);
    resolve_free(names);
    return ok && (p->n || error_set(err, ERROR_TEMP, "%s: the name service does not answer", p->o->host));
}

/* ---------------------------------------------------------------- connections */

static void
begin_all(struct probe *p)
{
    p->begun_us = clock_us();
    for (size_t i = 0; i < p->n; i++) {
        p->t[i].fd = connect_begin(&p->t[i].a, p->o->port, p->o->source);
        p->t[i].open = p->t[i].fd >= 0;
        p->t[i].why = p->t[i].open ? 0 : errno;
        p->open += p->t[i].open;
    }
}

static void
settle(struct probe *p, struct attempt *t)
{
    int e = 0;
    socklen_t len = sizeof e;

    t->open = false;
    t->us = clock_us() - p->begun_us;
    p->open--;
    t->up = getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &e, &len) == 0 && e == 0;
    t->why = t->up ? 0 : e;
    p->up += t->up;
    if (!t->up)
        file_close(&t->fd);
}

static void
await_all(struct probe *p, int64_t deadline)
{
    while (p->open && clock_left(deadline) != 0) {
        struct pollfd w[RESOLVE_MAX];
        for (size_t i = 0; i < p->n; i++)
            w[i] = (struct pollfd){ .fd = p->t[i].open ? p->t[i].fd : -1, .events = POLLOUT };
        if (poll(w, (nfds_t)p->n, clock_left(deadline)) <= 0)
            continue;
        for (size_t i = 0; i < p->n; i++)
            if (p->t[i].open && w[i].revents)
                settle(p, &p->t[i]);
        if (p->up)
            deadline = clock_min(deadline, clock_deadline(GRACE_MS));
    }
}

static const char *
result_of(const struct attempt *t)
{
    return t->up ? "answers" : t->why ? strerror(t->why) : "no connection in time";
}

/* The winner's descriptor; the others are closed */
static int
choose(struct probe *p, struct connect_info *info)
{
    int fd = -1;

    for (size_t i = 0; i < p->n; i++) {
        struct attempt *t = &p->t[i];
        steps_item(p->steps, "attempts");
        steps_item_text(p->steps, "address", slice_of(t->text));
        steps_item_text(p->steps, "result", slice_of(result_of(t)));
        steps_item_number(p->steps, "us", t->us);
        if (fd < 0 && t->up) {
            fd = t->fd;
            connect_note_peer(fd, &t->a, info);
        } else {
            file_close(&t->fd);
        }
    }
    for (size_t i = 0; i < p->n && p->n > 1; i++)
        if (p->t[i].up)
            steps_note(p->steps, "%s answers after %.1f ms", p->t[i].text, (double)p->t[i].us / 1000);
        else
            steps_note(p->steps, "%s: %s", p->t[i].text, result_of(&p->t[i]));
    return fd;
}

static void
explain(const struct probe *p, struct error *err)
{
    struct buf why;

    buf_init(&why, TEXT_MAX);
    for (size_t i = 0; i < p->n; i++)
        buf_add_format(&why, "%s%s (%s)", why.len ? ", " : "", result_of(&p->t[i]), p->t[i].text);
    connect_explain(p->o, p->o->host, p->o->port, p->n ? p->t[p->n - 1].why : 0, buf_str(&why), err);
    buf_clear(&why);
}

static int
through_proxy(const struct connect_options *o, int64_t deadline, struct steps *steps,
    struct connect_info *info, struct error *err)
{
    int fd = connect_host(o, deadline, info, err);

    steps->has_names = true; /* of the host nothing is asked here */
    if (fd >= 0)
        steps_done(steps, "connection", 2, "%s port %u through the proxy %s:%u", o->host, o->port,
            o->proxy_host, o->proxy_port);
    return fd;
}

int
probe_host(const struct connect_options *o, int64_t deadline, struct steps *steps, struct connect_info *info,
    struct error *err)
{
    struct probe p = { .o = o, .steps = steps };
    int fd;

    steps->has_names = false;
    if (o->proxy_host)
        return through_proxy(o, deadline, steps, info, err);
    memset(info, 0, sizeof *info);
    if (!find_names(&p, deadline, info, err))
        return -1;
    begin_all(&p);
    await_all(&p, deadline);
    fd = choose(&p, info);
    info->connect_us = clock_us() - p.begun_us;
    if (fd < 0) {
        explain(&p, err);
        return -1;
    }
    steps_text(steps, "peer", slice_of(info->peer));
    steps_number(steps, "port", o->port);
    steps_done(steps, "connection", 1, "%s port %u", info->peer, o->port);
    return fd;
}
