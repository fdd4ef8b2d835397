/* machine: gethostname(2), /etc/hosts, /etc/mailname and, last, the name service. */
#include "config/machine.h"

#include <limits.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* A small file of the system; false when it cannot be had */
static bool
read_small(const char *path, struct buf *out)
{
    struct stat st;
    struct error err;
    int fd = file_open_regular(path, &st, &err);
    bool ok;

    if (fd < 0)
        return false;
    ok = file_read_all(fd, out, path, &err);
    file_close(&fd);
    return ok;
}

char *
machine_node(void)
{
    char name[HOST_NAME_MAX + 1] = "";

    if (gethostname(name, sizeof name) != 0)
        name[0] = '\0';
    name[sizeof name - 1] = '\0';
    return mem_dup(name);
}

static struct slice
next_word(struct slice *line)
{
    size_t n = 0;
    struct slice word;

    *line = slice_trim(*line);
    while (n < line->len && line->p[n] != ' ' && line->p[n] != '\t')
        n++;
    word = slice_sub(*line, 0, n);
    *line = slice_from(*line, n);
    return word;
}

/* "127.0.1.1 web1.example.org web1": the line that names the node, and its first name with a domain */
static char *
full_name(struct slice hosts, const char *node)
{
    struct slice line, word;

    while (slice_cut(&hosts, '\n', &line)) {
        struct slice full = slice_of(NULL);
        bool named = false;
        line = slice_sub(line, 0, slice_find(line, '#'));
        (void)next_word(&line);
        while ((word = next_word(&line)).len > 0) {
            named = named || slice_is_nocase(word, node);
            if (full.len == 0 && slice_has(word, '.') && !slice_ends_nocase(word, ".localdomain"))
                full = word;
        }
        if (named && full.len)
            return slice_dup(full);
    }
    return NULL;
}

char *
machine_full(const char *node)
{
    struct buf b;
    char *name = NULL;

    if (!*node)
        return NULL;
    if (strchr(node, '.'))
        return mem_dup(node);
    buf_init(&b, 1u << 20);
    if (read_small("/etc/hosts", &b))
        name = full_name(buf_slice(&b), node);
    buf_clear(&b);
    return name;
}

char *
machine_name(const char *node)
{
    struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM }, *res = NULL;
    char *full = machine_full(node);

    if (!full && *node && getaddrinfo(node, NULL, &hints, &res) == 0 && res->ai_canonname &&
        strchr(res->ai_canonname, '.') && !slice_ends_nocase(slice_of(res->ai_canonname), ".localdomain"))
        full = mem_dup(res->ai_canonname);
    if (res)
        freeaddrinfo(res);
    return full ? full : mem_dup("[127.0.0.1]");
}

char *
machine_mailname(void)
{
    struct buf b;
    struct slice line;
    char *name = NULL;

    buf_init(&b, 1000);
    if (read_small("/etc/mailname", &b)) {
        line = buf_slice(&b);
        line = slice_trim(slice_sub(line, 0, slice_find(line, '\n')));
        if (line.len)
            name = slice_dup(line);
    }
    buf_clear(&b);
    return name;
}
