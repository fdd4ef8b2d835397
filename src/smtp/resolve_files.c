/* SPDX-License-Identifier: ISC */
/* resolve_files: what is known without a question: literals, /etc/hosts, and whom resolv.conf trusts. */
#include "smtp/resolve_state.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/slice.h"

#define HOSTS_MAX (1u << 20)

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

void
resolve_add(struct resolve_addresses *out, const struct resolve_address *a)
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
            resolve_add(out, &a);
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
void
resolve_from_hosts(const char *host, struct resolve_addresses *out)
{
    read_hosts(host, out);
    if (out->n == 0 &&
        (strcasecmp(host, "localhost") == 0 || slice_ends_nocase(slice_of(host), ".localhost"))) {
        hosts_line(slice_of("::1 localhost"), "localhost", out); /* RFC 6761, 6.3 */
        hosts_line(slice_of("127.0.0.1 localhost"), "localhost", out);
    }
}

/* ---------------------------------------------------------------- resolv.conf */

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

    resolve_from_hosts(host, &found);
    return found.n > 0;
}
