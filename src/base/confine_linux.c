/* SPDX-License-Identifier: ISC */
/*
 * confine: tables of what a profile may do, and the two kernel interfaces they are handed to: seccomp(2) and landlock(7).
 *
 * A call that is in no table fails with ENOSYS, as on a kernel that does not have it: a newer libc that tries one (clone3,
 * openat2, a later stat) falls back to what it used before, where EPERM would make it give up. What no library tries by itself
 * and only an intruder wants (execve, ptrace ...) ends the process: that is the one place where a failure that stays silent
 * would help the wrong side.
 */
#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* ---------------------------------------------------------------- files: Landlock */

/* linux/landlock.h of the build machine may be older than the kernel the program meets */
struct ruleset_attr {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

struct path_attr {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

struct port_attr {
    uint64_t access, port;
};

enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 }; /* the same on every architecture */
enum { RULESET_VERSION = 1, RULE_PATH_BENEATH = 1, RULE_PORT = 2 };

#define FS_WRITE_FILE 0x2u
#define FS_READ_FILE 0x4u
#define FS_READ_DIR 0x8u
#define FS_REMOVE 0x30u /* folders and files */
#define FS_MAKE 0x380u  /* folders, regular files, sockets */
#define FS_REFER 0x2000u
#define FS_TRUNCATE 0x4000u
#define FS_READ (FS_READ_FILE | FS_READ_DIR)
#define FS_WRITE (FS_READ | FS_WRITE_FILE | FS_REMOVE | FS_MAKE | FS_REFER | FS_TRUNCATE)
#define FS_ON_FILES (FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)

/* All that a kernel can refuse, by its ABI */
static const uint64_t fs_known[] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };
enum { NET_BIND_TCP = 1, SCOPE_ABSTRACT_SOCKETS = 1, SCOPE_SIGNALS = 2 };

/* False: for want of descriptors or memory it is not known what the path is */
static bool
add_path(int ruleset, const struct confine_path *p, uint64_t handled)
{
    struct path_attr rule = { .fd = open(p->path, O_PATH | O_CLOEXEC) };
    struct stat st;

    if (rule.fd < 0)
        return errno != EMFILE && errno != ENFILE && errno != ENOMEM;
    rule.access = (p->access == CONFINE_WRITE ? FS_WRITE : FS_READ) & handled;
    if (fstat(rule.fd, &st) == 0) {
        if (!S_ISDIR(st.st_mode))
            rule.access &= FS_ON_FILES;
        /* a path it does not take is a path that stays closed */
        (void)syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0);
    }
    (void)close(rule.fd);
    return true;
}

/* SourceAddress: from any address, by a port of the kernel's choice, where nobody connects to */
static bool
add_source(int ruleset)
{
    struct port_attr rule = { NET_BIND_TCP, 0 };

    return syscall(ADD_RULE, ruleset, RULE_PORT, &rule, 0) == 0;
}

static bool
confine_files(enum confine_profile profile, const struct confine_path *paths, size_t n)
{
    struct ruleset_attr attr = { 0, 0, 0 };
    long abi = syscall(CREATE_RULESET, NULL, 0, RULESET_VERSION);
    size_t known = sizeof fs_known / sizeof fs_known[0];
    int ruleset;
    bool ok = true;

    /* the first ABI refuses every rename and link from folder to folder, which is how mail enters the queue */
    if (abi < 1 || (abi == 1 && profile == CONFINE_DAEMON))
        return false;
    attr.fs = fs_known[(size_t)abi < known ? (size_t)abi : known - 1];
    if (profile == CONFINE_WORKER) {
        attr.net = NET_BIND_TCP;
        attr.scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
    }
    ruleset = (int)syscall(CREATE_RULESET, &attr, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
    if (ruleset < 0)
        return false;
    for (size_t i = 0; ok && i < n; i++)
        ok = add_path(ruleset, &paths[i], attr.fs);
    if (attr.net && abi >= 4)
        ok = ok && add_source(ruleset);
#if SANITIZED
    ok = ok &&
         add_path(ruleset, &(struct confine_path){ "/proc", CONFINE_READ }, attr.fs); /* its own memory map */
#endif
    /* without what is needed it would be worse than nothing */
    ok = ok && syscall(RESTRICT_SELF, ruleset, 0) == 0;
    (void)close(ruleset);
    return ok;
}

/* ---------------------------------------------------------------- calls: the tables */

#if defined(__x86_64__) && defined(__LP64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__LP64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif
#define ALLOW SECCOMP_RET_ALLOW
#define KILL SECCOMP_RET_KILL_PROCESS
#define FAIL(e) (SECCOMP_RET_ERRNO | (e))

/* newer than some headers, numbered alike everywhere */
enum { NR_CLOSE_RANGE = 436, NR_FACCESSAT2 = 439, NR_FUTEX_WAITV = 449 };

/* The first rule for a call whose test holds decides: (argument & mask) == value; no mask: always. Low words only: all the
   arguments that are tested are ints or flags of 32 bits. */
struct rule {
    int nr;
    uint32_t answer;
    uint8_t argument;
    uint32_t mask;
    uint32_t value;
};

#define CALL(name)                  \
    {                               \
        __NR_##name, ALLOW, 0, 0, 0 \
    }
#define CALL_IF(name, arg, mask, value)      \
    {                                        \
        __NR_##name, ALLOW, arg, mask, value \
    }
#define REFUSE(name, e)               \
    {                                 \
        __NR_##name, FAIL(e), 0, 0, 0 \
    }
#define REFUSE_IF(name, e, arg, mask, value)   \
    {                                          \
        __NR_##name, FAIL(e), arg, mask, value \
    }
#define DEADLY(name)               \
    {                              \
        __NR_##name, KILL, 0, 0, 0 \
    }
#define ALL_BITS 0xffffffffu
#define SELF 0xffffffffu /* as value with ALL_BITS: this process; no pid is that high */
#define OPENS_FOR_MORE (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

static const struct rule common[] = {
    CALL(read),
    CALL(pread64),
    CALL(readv),
    CALL(preadv),
    CALL(write),
    CALL(writev),
    CALL(close),
    { NR_CLOSE_RANGE, ALLOW, 0, 0, 0 },
    CALL(lseek),
    CALL(ppoll),
    CALL(pselect6),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_pwait),
    CALL(eventfd2),
    CALL(pipe2),
    CALL(dup),
    CALL(dup3),
    CALL(fcntl),
    CALL(fstat),
    CALL(newfstatat),
    CALL(statx),
    CALL(faccessat),
    { NR_FACCESSAT2, ALLOW, 0, 0, 0 },
    CALL(readlinkat),
    CALL(getcwd),
    CALL(getdents64),
    CALL(fadvise64),
    CALL(connect),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(sendto),
    CALL(recvfrom),
    CALL(sendmsg),
    CALL(recvmsg),
    CALL(sendmmsg),
    CALL(recvmmsg),
    CALL(shutdown),
    /* writable code only ever serves whoever is not the compiler */
    REFUSE_IF(mmap, EPERM, 2, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC),
    CALL(mmap),
    REFUSE_IF(mprotect, EPERM, 2, PROT_EXEC, PROT_EXEC),
    CALL(mprotect),
    CALL(munmap),
    CALL(mremap),
    CALL(brk),
    CALL(madvise),
    CALL(mlock),
    CALL(munlock),
    CALL(futex),
    { NR_FUTEX_WAITV, ALLOW, 0, 0, 0 },
    CALL(set_robust_list),
    CALL(sched_yield),
    CALL(sched_getaffinity),
    CALL(membarrier),
    CALL(getcpu),
#ifdef __NR_rseq
    CALL(rseq),
#endif
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(rt_sigpending),
    CALL(rt_sigtimedwait),
    CALL(sigaltstack),
    CALL(restart_syscall),
    CALL_IF(tgkill, 0, ALL_BITS, SELF),
    REFUSE(tgkill, EPERM),
    CALL_IF(kill, 0, ALL_BITS, SELF),
    REFUSE(kill, EPERM),
    CALL(clock_gettime),
    CALL(clock_getres),
    CALL(clock_nanosleep),
    CALL(nanosleep),
    CALL(gettimeofday),
    CALL(getrandom),
    CALL(getpid),
    CALL(gettid),
    CALL(getppid),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(getgroups),
    CALL(uname),
    CALL(sysinfo),
    CALL(getrusage),
    CALL_IF(prlimit64, 0, ALL_BITS, 0),
    CALL_IF(prlimit64, 0, ALL_BITS, SELF),
    CALL(getrlimit),
    /* what stdio and resolvers ask of a descriptor; no typing into the caller's terminal (TIOCSTI) */
    CALL_IF(ioctl, 1, ALL_BITS, TCGETS),
    CALL_IF(ioctl, 1, ALL_BITS, FIONREAD),
    CALL_IF(ioctl, 1, ALL_BITS, FIONBIO),
    REFUSE(ioctl, ENOTTY),
    CALL(exit),
    CALL(exit_group),
#ifdef __x86_64__
    CALL(stat),
    CALL(lstat),
    CALL(access),
    CALL(readlink),
    CALL(poll),
    CALL(select),
    CALL(epoll_create),
    CALL(epoll_wait),
    CALL(eventfd),
    CALL(pipe),
    CALL(dup2),
    CALL(getdents),
    CALL(time),
    CALL(arch_prctl),
#endif
};

static const struct rule worker[] = {
    CALL_IF(socket, 0, ALL_BITS, AF_INET),
    CALL_IF(socket, 0, ALL_BITS, AF_INET6),
    REFUSE(socket, EAFNOSUPPORT),
    CALL(bind), /* SourceAddress; it cannot listen */
    CALL_IF(openat, 2, OPENS_FOR_MORE, O_RDONLY),
    REFUSE(openat, EACCES),
#ifdef __x86_64__
    CALL_IF(open, 1, OPENS_FOR_MORE, O_RDONLY),
    REFUSE(open, EACCES),
#endif
};

static const struct rule keeper[] = {
    CALL_IF(socket, 0, ALL_BITS, AF_UNIX),
    REFUSE(socket, EAFNOSUPPORT),
    CALL(socketpair),
    CALL(bind),
    CALL(listen),
    CALL(accept),
    CALL(accept4),
    CALL(openat),
    CALL(pwrite64),
    CALL(pwritev),
    CALL(unlinkat),
    CALL(renameat),
    CALL(renameat2),
    CALL(linkat),
    CALL(mkdirat),
    CALL(fsync),
    CALL(fdatasync),
    CALL(ftruncate),
    CALL(fallocate),
    CALL(flock),
    CALL(fchmod),
    CALL(fchmodat),
    CALL(fchown),
    CALL(fchownat),
    CALL(utimensat),
    CALL(statfs),
    CALL(fstatfs),
    CALL(umask),
    CALL(chdir),
    CALL(fchdir),
    CALL(sendfile),
    CALL(copy_file_range),
    CALL(splice),
    CALL(sync_file_range),
    CALL(inotify_init1),
    CALL(inotify_add_watch),
    CALL(inotify_rm_watch),
    CALL(memfd_create),
    CALL(timerfd_create),
    CALL(timerfd_settime),
    CALL(timerfd_gettime),
    CALL(signalfd4),
    CALL(setitimer),
    CALL(rt_sigsuspend),
    CALL(wait4),
    CALL(waitid),
    /* threads; clone3 hides its flags behind a pointer and is not there */
    CALL_IF(clone, 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM),
    CALL(sched_getparam),
    CALL(sched_getscheduler),
    CALL(sched_get_priority_max),
    CALL(sched_get_priority_min),
#ifdef __x86_64__
    CALL(open),
    CALL(unlink),
    CALL(rename),
    CALL(link),
    CALL(mkdir),
    CALL(rmdir),
    CALL(chmod),
    CALL(chown),
    CALL(signalfd),
    CALL(inotify_init),
    CALL(alarm),
    CALL(utimes),
#endif
};

/* Only an intruder gets here. fork fails below without a sound: abort messages of some libraries try it. */
static const struct rule deadly[] = {
    DEADLY(execve),
    DEADLY(execveat),
    DEADLY(ptrace),
    DEADLY(process_vm_readv),
    DEADLY(process_vm_writev),
    DEADLY(mount),
    DEADLY(umount2),
    DEADLY(pivot_root),
    DEADLY(chroot),
    DEADLY(setns),
    DEADLY(unshare),
    DEADLY(bpf),
    DEADLY(perf_event_open),
    DEADLY(userfaultfd),
    DEADLY(init_module),
    DEADLY(finit_module),
    DEADLY(delete_module),
    DEADLY(kexec_load),
    DEADLY(reboot),
    DEADLY(swapon),
    DEADLY(swapoff),
    DEADLY(add_key),
    DEADLY(request_key),
    DEADLY(keyctl),
    DEADLY(open_by_handle_at),
    DEADLY(quotactl),
    DEADLY(acct),
    DEADLY(setuid),
    DEADLY(setgid),
    DEADLY(setreuid),
    DEADLY(setregid),
    DEADLY(setresuid),
    DEADLY(setresgid),
    DEADLY(setgroups),
};

/* LeakSanitizer stops the threads of its process from a tracer that shares its memory */
static const struct rule sanitizer[] = {
#if SANITIZED
    CALL_IF(clone, 0, CLONE_VM | CLONE_UNTRACED, CLONE_VM | CLONE_UNTRACED),
    CALL(ptrace),
    CALL(prctl),
    CALL(wait4),
    CALL(tgkill),
    CALL(process_vm_readv),
#else
    CALL(exit),
#endif
};

/* ---------------------------------------------------------------- calls: the filter */

#define FILTER_MAX 1500
enum { RULE_LENGTH = 6 };

struct program {
    struct sock_filter code[FILTER_MAX];
    unsigned short n;
};

static void
emit(struct program *p, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
    p->code[p->n++] =
        (struct sock_filter){ .code = (uint16_t)code, .jt = (uint8_t)jt, .jf = (uint8_t)jf, .k = k };
}

static void
emit_load(struct program *p, size_t offset)
{
    emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* The number of the call is in the accumulator, before and after */
static void
emit_rule(struct program *p, const struct rule *r)
{
    uint32_t value = r->value == SELF && r->mask == ALL_BITS ? (uint32_t)getpid() : r->value;

    if (!r->mask) {
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->nr, 0, 1);
        emit(p, BPF_RET | BPF_K, r->answer, 0, 0);
        return;
    }
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->nr, 0, 5);
    emit_load(p, offsetof(struct seccomp_data, args) + 8u * r->argument); /* little-endian: the low word */
    emit(p, BPF_ALU | BPF_AND | BPF_K, r->mask, 0, 0);
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    emit(p, BPF_RET | BPF_K, r->answer, 0, 0);
    emit_load(p, offsetof(struct seccomp_data, nr));
}

static bool
emit_rules(struct program *p, const struct rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p->n + 2 * RULE_LENGTH > FILTER_MAX)
            return false;
        emit_rule(p, &rules[i]);
    }
    return true;
}

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static bool
build(struct program *p, enum confine_profile profile)
{
    bool is_worker = profile == CONFINE_WORKER;

    emit_load(p, offsetof(struct seccomp_data, arch));
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    emit(p, BPF_RET | BPF_K, KILL, 0, 0);
    emit_load(p, offsetof(struct seccomp_data, nr));
    /* what a tracer made of a call it skips (strace's injection): the kernel runs nothing for it */
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0xffffffffu, 0, 1);
    emit(p, BPF_RET | BPF_K, ALLOW, 0, 0);
#ifdef __x86_64__
    /* x32 has the same architecture word and other numbers */
    emit(p, BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1);
    emit(p, BPF_RET | BPF_K, KILL, 0, 0);
#endif
    if (!emit_rules(p, sanitizer, COUNT(sanitizer)) || !emit_rules(p, common, COUNT(common)) ||
        !emit_rules(p, is_worker ? worker : keeper, is_worker ? COUNT(worker) : COUNT(keeper)) ||
        !emit_rules(p, deadly, COUNT(deadly)))
        return false;
    emit(p, BPF_RET | BPF_K, FAIL(ENOSYS), 0, 0);
    return true;
}

static bool
confine_calls(enum confine_profile profile)
{
    struct program p;
    struct sock_fprog filter = { .filter = p.code };

    p.n = 0;
    if (!build(&p, profile))
        return false;
    filter.len = p.n;
    return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0 ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

#else

/* Call numbers and the order of arguments differ: an architecture without a table of its own goes without */
static bool
confine_calls(enum confine_profile profile)
{
    (void)profile;
    return false;
}

#endif

/* ---------------------------------------------------------------- both */

unsigned
confine_enter(enum confine_profile profile, const struct confine_path *paths, size_t n)
{
    unsigned bits = 0;

    /* without it neither of the others is to be had by an ordinary user */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 0;
    bits |= CONFINE_NO_NEW_PRIVS;
    if (confine_files(profile, paths, n))
        bits |= CONFINE_FILES;
    if (confine_calls(profile)) /* last: its tables have no place for the calls above */
        bits |= CONFINE_CALLS;
    return bits;
}
