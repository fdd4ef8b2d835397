/* SPDX-License-Identifier: ISC */
/* peer: credentials, passwd entry and process of a client; what cannot be read is left empty. */
#include "daemon/peer.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/peercred.h"
#include "base/process.h"

static void
look_at_process(struct peer *p)
{
    struct buf b;
    int64_t parent = process_parent(p->pid);

    buf_init(&b, 4096);
    if (parent > 0 && process_program(parent, &b)) {
        free(p->program);
        p->program = slice_dup(slice_trim(buf_slice(&b)));
    }
    if (process_unit(p->pid, &b)) {
        free(p->unit);
        p->unit = slice_dup(buf_slice(&b));
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
    struct peercred cred;

    memset(p, 0, sizeof *p);
    if (peercred_get(sock, &cred)) {
        p->uid = cred.uid;
        p->pid = cred.pid > 0 ? cred.pid : -1;
    } else {
        p->uid = getuid();
        p->pid = getppid();
    }
    p->program = mem_dup("");
    p->unit = mem_dup("");
    if (p->pid > 0)
        look_at_process(p);
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
