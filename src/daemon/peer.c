/* SPDX-License-Identifier: ISC */
/* peer: credentials, passwd entry and /proc of a client; what cannot be read is left empty. */
#include "daemon/peer.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

static bool
read_proc(int64_t pid, const char *name, struct buf *out)
{
    char path[64];
    struct error err;
    int fd;
    bool ok;

    (void)snprintf(path, sizeof path, "/proc/%lld/%s", (long long)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    buf_reset(out);
    ok = file_read_all(fd, out, path, &err);
    file_close(&fd);
    return ok;
}

/* The parent of a process: fourth word of its stat line, behind the last ')' since comm may hold anything */
static int64_t
parent_of(int64_t pid)
{
    struct buf b;
    int64_t parent = -1;
    uint64_t v;

    buf_init(&b, 4096);
    if (read_proc(pid, "stat", &b)) {
        struct slice rest = slice_from(buf_slice(&b), slice_find_last(buf_slice(&b), ')') + 1), word;
        rest = slice_trim(rest);
        if (slice_cut(&rest, ' ', &word) && slice_cut(&rest, ' ', &word) && slice_number(word, INT32_MAX, &v))
            parent = (int64_t)v;
    }
    buf_clear(&b);
    return parent;
}

static void
look_at_proc(struct peer *p)
{
    struct buf b;
    int64_t parent = parent_of(p->pid);

    buf_init(&b, 4096);
    if (parent > 0 && read_proc(parent, "comm", &b)) {
        free(p->program);
        p->program = slice_dup(slice_trim(buf_slice(&b)));
    }
    if (read_proc(p->pid, "cgroup", &b)) {
        struct slice line = slice_trim(buf_slice(&b));
        free(p->unit);
        p->unit = slice_dup(slice_from(line, slice_find_last(line, '/') + 1));
    }
    buf_clear(&b);
}

/* The name people gave: GECOS up to the first comma, '&' is the login name (passwd(5)) */
static char *
gecos_name(const struct passwd *pw)
{
    struct buf b;
    const char *g = pw->pw_gecos ? pw->pw_gecos : "";

    buf_init(&b, 1000);
    for (; *g && *g != ','; g++) {
        if (*g == '&') {
            buf_add_char(&b, pw->pw_name[0] >= 'a' && pw->pw_name[0] <= 'z' ? (char)(pw->pw_name[0] - 32)
                                                                            : pw->pw_name[0]);
            buf_add_str(&b, pw->pw_name[0] ? pw->pw_name + 1 : "");
        } else {
            buf_add_char(&b, ascii_is_control(*g) ? ' ' : *g);
        }
    }
    return buf_steal(&b);
}

static void
look_up(struct peer *p)
{
    struct passwd *pw = p->uid >= 0 ? getpwuid((uid_t)p->uid) : NULL;

    p->login = mem_dup(pw ? pw->pw_name : "");
    p->full_name = pw ? gecos_name(pw) : mem_dup("");
}

void
peer_identify(int sock, struct peer *p)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    memset(p, 0, sizeof *p);
    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && len == sizeof cred && cred.pid > 0) {
        p->uid = cred.uid;
        p->pid = cred.pid;
    } else {
        p->uid = getuid();
        p->pid = getppid();
    }
    p->program = mem_dup("");
    p->unit = mem_dup("");
    look_at_proc(p);
    look_up(p);
}

void
peer_identify_tcp(int64_t uid, const char *address, struct peer *p)
{
    memset(p, 0, sizeof *p);
    p->uid = uid;
    p->pid = -1;
    p->address = mem_dup(address);
    p->program = mem_dup("");
    p->unit = mem_dup("");
    look_up(p);
}

void
peer_clear(struct peer *p)
{
    free(p->login);
    free(p->full_name);
    free(p->program);
    free(p->unit);
    free(p->address);
    memset(p, 0, sizeof *p);
}
