/* SPDX-License-Identifier: ISC */
/*
 * bounds: a daemon reads what its user may (aliases, :include: files, /proc of its clients, what NSS modules want) and writes
 * only the queue, temporary files and where the settings let it write: its sockets, log and metrics.
 */
#include "daemon/bounds.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/confine.h"
#include "base/file.h"
#include "base/filesys.h"
#include "base/mem.h"
#include "base/memfile.h"

#define PATHS_MAX 16

struct bounds {
    struct confine_path path[PATHS_MAX];
    char *text[PATHS_MAX];
    size_t n;
};

static void
add(struct bounds *b, enum confine_access access, const char *path)
{
    if (!path || path[0] != '/' || b->n == PATHS_MAX)
        return;
    b->text[b->n] = mem_dup(path);
    b->path[b->n] = (struct confine_path){ b->text[b->n], access };
    b->n++;
}

/* Files that are made again, after a rotation for one, need their folder */
static void
add_folder_of(struct bounds *b, const char *file)
{
    char *folder = mem_dup(file), *slash = folder ? strrchr(folder, '/') : NULL;

    if (slash && slash > folder) {
        *slash = '\0';
        add(b, CONFINE_WRITE, folder);
    }
    free(folder);
}

unsigned
bounds_confine(const struct config *c)
{
    static const enum config_key files[] = { CONFIG_SOCKET, CONFIG_LOG_FILE, CONFIG_METRICS_FILE };
    struct bounds b;
    unsigned bits;

    b.n = 0;
    add(&b, CONFINE_READ, "/");
    add(&b, CONFINE_WRITE, "/dev/null");
    add(&b, CONFINE_WRITE, "/tmp");
    add(&b, CONFINE_WRITE, "/var/tmp");
    add(&b, CONFINE_WRITE, getenv("TMPDIR"));
    add(&b, CONFINE_WRITE, config_text(c, 0, CONFIG_QUEUE_DIR));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        add_folder_of(&b, config_text(c, 0, files[i]));
    bits = confine_enter(CONFINE_DAEMON, b.path, b.n);
    for (size_t i = 0; i < b.n; i++)
        free(b.text[i]);
    return bits;
}

static bool
can_seal(void)
{
    int fd = memfile_open_sealable("smtprelay-probe");
    bool ok = fd >= 0 && memfile_seal(fd);

    file_close(&fd);
    return ok;
}

/* A descriptor opened again is for reading only (base/file), the one that there is would be handed over else */
static bool
can_reopen(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), again = fd >= 0 ? filesys_reopen(fd) : -1;
    bool ok = fd < 0 || again >= 0;

    file_close(&fd);
    file_close(&again);
    return ok;
}

char *
bounds_missing(unsigned bits)
{
    const struct {
        bool holds;
        const char *words;
    } defences[] = {
        { bits & CONFINE_FILES, "files are not kept from it (no Landlock)" },
        { bits & CONFINE_CALLS, "system calls are not filtered (no seccomp)" },
        { bits & CONFINE_NO_NEW_PRIVS, "it could gain privileges (no PR_SET_NO_NEW_PRIVS)" },
        { can_seal(), "settings are handed to workers unsealed (no sealed memory files)" },
        { can_reopen(), "workers could write into the messages that they are given (no /proc)" },
    };
    struct buf b;

    buf_init(&b, 500);
    for (size_t i = 0; i < sizeof defences / sizeof defences[0]; i++)
        if (!defences[i].holds)
            buf_add_format(&b, "%s%s", b.len ? ", " : "", defences[i].words);
    if (b.len)
        return buf_steal(&b);
    buf_clear(&b);
    return NULL;
}
