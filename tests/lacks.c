/* SPDX-License-Identifier: ISC */
/*
 * lacks: run a program as on a kernel that lacks something.
 *
 *   lacks NAME[,NAME...] -- COMMAND...      `lacks --list` names them; exit 77: it cannot be done here (no seccomp, another architecture)
 *
 * What is left out answers as such a kernel would: ENOSYS for a call, EOPNOTSUPP for O_TMPFILE, and so on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__) && defined(__LP64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__LP64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__i386__)
#define ARCH AUDIT_ARCH_I386
#endif

enum { CANNOT = 77, RULES_MAX = 64, NR_CLOSE_RANGE = 436, NR_LANDLOCK = 444 };
#define TMPFILE_BIT ((uint32_t)(O_TMPFILE & ~O_DIRECTORY))
#define ALWAYS 0u /* as mask: whatever the arguments are */

/* Refused if (argument & mask) == value */
struct refusal {
    const char *name;
    long nr;
    unsigned argument;
    uint32_t mask, value;
    int answer;
};

static const struct refusal refusals[] = {
    { "landlock", NR_LANDLOCK, 0, ALWAYS, 0, ENOSYS },
    { "seccomp", SYS_seccomp, 0, ALWAYS, 0, ENOSYS },
    { "seccomp", SYS_prctl, 0, 0xffffffffu, PR_SET_SECCOMP, EINVAL },
    { "memfd", SYS_memfd_create, 0, ALWAYS, 0, ENOSYS },
    { "sealing", SYS_memfd_create, 1, 2, 2, EINVAL },
    { "close_range", NR_CLOSE_RANGE, 0, ALWAYS, 0, ENOSYS },
    { "close_range_flags", NR_CLOSE_RANGE, 2, 4, 4, EINVAL }, /* Linux 5.9 and 5.10 */
    { "tmpfile", SYS_openat, 2, TMPFILE_BIT, TMPFILE_BIT, EOPNOTSUPP },
#ifdef SYS_open
    { "tmpfile", SYS_open, 1, TMPFILE_BIT, TMPFILE_BIT, EOPNOTSUPP },
#endif
    { "renameat2", SYS_renameat2, 0, ALWAYS, 0, ENOSYS },
    { "links", SYS_linkat, 0, ALWAYS, 0, EPERM }, /* what vfat says */
    { "execveat", SYS_execveat, 0, ALWAYS, 0, ENOSYS },
    { "eventfd", SYS_eventfd2, 0, ALWAYS, 0, ENOSYS },
#ifdef SYS_getsockopt
    { "peergroups", SYS_getsockopt, 2, 0xffffffffu, 59, ENOPROTOOPT },
#endif
#ifdef SYS_sendmsg
    { "room", SYS_sendmsg, 0, ALWAYS, 0, ENOBUFS }, /* a control group that has used up its memory */
#endif
#ifdef SYS_socket
    { "netlink", SYS_socket, 0, 0xffffffffu, AF_NETLINK, EAFNOSUPPORT },
#endif
};
#define COUNT (sizeof refusals / sizeof refusals[0])

#ifdef ARCH

struct program {
    struct sock_filter code[RULES_MAX * 8];
    unsigned short n;
};

static void
emit(struct program *p, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
    p->code[p->n++] =
        (struct sock_filter){ .code = (uint16_t)code, .jt = (uint8_t)jt, .jf = (uint8_t)jf, .k = k };
}

static void
refuse(struct program *p, const struct refusal *r)
{
    emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, nr), 0, 0);
    if (r->mask == ALWAYS) {
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->nr, 0, 1);
    } else {
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->nr, 0, 4);
        emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * r->argument),
            0, 0);
        emit(p, BPF_ALU | BPF_AND | BPF_K, r->mask, 0, 0);
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, r->value, 0, 1);
    }
    emit(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)r->answer, 0, 0);
}

/* False: no such name */
static int
add(struct program *p, const char *name)
{
    int found = 0;

    for (size_t i = 0; i < COUNT; i++) {
        if (strcmp(refusals[i].name, name) != 0)
            continue;
        refuse(p, &refusals[i]);
        found = 1;
    }
    return found;
}

static int
enter(struct program *p)
{
    struct sock_fprog filter = { .len = p->n, .filter = p->code };

    /* root needs no promise, which would change what set-id programs below do */
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0 ||
           (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
               prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

static int
leave_out(char *names)
{
    struct program p = { .n = 0 };
    char *rest = NULL;

    /* another architecture's calls (a 32-bit program below) have other numbers and stay as they are */
    emit(&p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, arch), 0, 0);
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    emit(&p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
        if (!add(&p, name)) {
            fprintf(stderr, "lacks: %s is not known\n", name);
            exit(64);
        }
    emit(&p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    return enter(&p);
}

#else

static int
leave_out(char *names)
{
    (void)names;
    return 0;
}

#endif

int
main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < COUNT; i++)
            if (i == 0 || strcmp(refusals[i].name, refusals[i - 1].name) != 0)
                puts(refusals[i].name);
        return 0;
    }
    if (argc < 4 || strcmp(argv[2], "--") != 0) {
        fprintf(stderr, "usage: lacks NAME[,NAME...] -- COMMAND...\n");
        return 64;
    }
    if (!leave_out(argv[1])) {
        fprintf(stderr, "lacks: no filter here: %s\n", strerror(errno));
        return CANNOT;
    }
    (void)execvp(argv[3], argv + 3);
    fprintf(stderr, "lacks: %s: %s\n", argv[3], strerror(errno));
    return 127;
}
