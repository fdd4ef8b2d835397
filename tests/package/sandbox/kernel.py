# SPDX-License-Identifier: ISC
"""The kernel's side of a sandbox: mounts, namespaces, capabilities, seccomp filters and Landlock, by system call."""
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 0x80000
NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWCGROUP, NEWTIME = (
    0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x2000000, 0x80)
ATTR_RDONLY, ATTR_NOEXEC, AT_RECURSIVE, AT_FDCWD = 1, 8, 0x8000, -100
SYS_MOUNT_SETATTR = 442
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_SET_KEEPCAPS, PR_SET_NAME = 24, 38, 47, 8, 15


def check(result, what):
    if result < 0:
        e = ctypes.get_errno()
        raise OSError(e, f"{what}: {os.strerror(e)}")
    return result


def text(s):
    return None if s is None else os.fsencode(s)


# ---------------------------------------------------------------- mounts and namespaces


def mount(source, target, kind=None, flags=0, data=None):
    check(libc.mount(text(source), text(target), text(kind), ctypes.c_ulong(flags), text(data)), f"mount {target}")


def bind(source, target):
    mount(source, target, flags=MS_BIND | MS_REC)


def mount_attributes(path, add=0, remove=0, recursive=True):
    attr = struct.pack("=QQQQ", add, remove, 0, 0)
    check(libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, text(path), AT_RECURSIVE if recursive else 0, attr, len(attr)),
          f"mount_setattr {path}")


def unshare(flags):
    check(libc.unshare(flags), "unshare")


def prctl(*args):
    check(libc.prctl(*(ctypes.c_ulong(a) for a in (*args, 0, 0, 0, 0)[:5])), f"prctl {args[0]}")


def name_process(name):
    libc.prctl(PR_SET_NAME, ctypes.c_char_p(name.encode()), 0, 0, 0)


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running


def map_users(maps):
    """A user namespace in which only these (uid, gid) exist, each as itself: its maps are written from outside."""
    here, there = os.pipe(), os.pipe()
    pid = os.getpid()
    child = os.fork()
    if child == 0:
        os.read(here[0], 1)
        for name, column in (("uid_map", 0), ("gid_map", 1)):
            lines = sorted({m[column] for m in maps})
            with open(f"/proc/{pid}/{name}", "w") as f:
                f.write("".join(f"{n} {n} 1\n" for n in lines))
        os.write(there[1], b"x")
        os._exit(0)
    unshare(NEWUSER)
    os.write(here[1], b"x")
    ok = os.read(there[0], 1)
    os.waitpid(child, 0)
    for fd in (*here, *there):
        os.close(fd)
    if not ok:
        raise OSError("the user namespace got no map")


# ---------------------------------------------------------------- capabilities

CAPABILITIES = """chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service
net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot
sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog
wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore""".split()


def drop_bounding(keep):
    with open("/proc/sys/kernel/cap_last_cap" if os.path.exists("/proc/sys/kernel/cap_last_cap") else os.devnull) as f:
        last = int(f.read() or len(CAPABILITIES) - 1)
    for n in range(last + 1):
        if n >= len(CAPABILITIES) or CAPABILITIES[n] not in keep:
            prctl(PR_CAPBSET_DROP, n)


def become(uid, gid, groups, ambient):
    """The user for good, with these capabilities ambient."""
    numbers = [CAPABILITIES.index(c) for c in ambient]
    if numbers:
        prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if numbers:
        bits = sum(1 << n for n in numbers)
        low, high = bits & 0xffffffff, bits >> 32
        head = struct.pack("=Ii", 0x20080522, 0)
        check(libc.capset(head, struct.pack("=6I", low, low, low, high, high, high)), "capset")
        for n in numbers:
            prctl(PR_CAP_AMBIENT, 2, n)


# ---------------------------------------------------------------- seccomp
#
# A filter is a list of rules (number, argument, mask, value, errno): the first whose call has (argument & mask) == value
# decides; mask 0: always; errno 0: allowed. The last word is the errno for all other calls.

ARCHITECTURES = {"x86_64": 0xc000003e, "aarch64": 0xc00000b7}
ALLOW, FAIL, NOTIFY, KILL = 0x7fff0000, 0x00050000, 0x7fc00000, 0x80000000


def load_library():
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    lib.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    return lib


class Calls:
    """Names and numbers of system calls, as libseccomp and systemd-analyze know them."""

    def __init__(self):
        self.lib = load_library()
        self.groups = {}

    def number(self, name):
        n = self.lib.seccomp_syscall_resolve_name(name.encode())
        return n if n >= 0 else None

    def name(self, number):
        p = self.lib.seccomp_syscall_resolve_num_arch(0, number)
        return ctypes.string_at(p).decode() if p else str(number)

    def read_groups(self, lines):
        group = None
        for line in lines:
            if line.startswith("@"):
                group = self.groups.setdefault(line.strip(), [])
            elif line.startswith("    ") and not line.strip().startswith("#") and group is not None:
                group.append(line.strip())

    def expand(self, word):
        if not word.startswith("@"):
            return {word}
        found = set()
        for w in self.groups[word]:
            found |= self.expand(w)
        return found


def decide(rules, otherwise, number, args):
    for nr, argument, mask, value, answer in rules:
        if nr == number and (not mask or args[argument] & mask == value):
            return answer
    return otherwise


def program(rules, otherwise, answer_of):
    code = []

    def emit(op, k, jt=0, jf=0):
        code.append(struct.pack("=HBBI", op, jt, jf, k & 0xffffffff))

    emit(0x20, 4)  # the architecture: native only
    emit(0x15, ARCHITECTURES[os.uname().machine], 1, 0)
    emit(0x06, KILL)
    emit(0x20, 0)
    for nr, argument, mask, value, answer in rules:
        if not mask:
            emit(0x15, nr, 0, 1)
            emit(0x06, answer_of(answer))
            continue
        emit(0x15, nr, 0, 5)
        emit(0x20, 16 + 8 * argument)
        emit(0x54, mask)
        emit(0x15, value, 0, 1)
        emit(0x06, answer_of(answer))
        emit(0x20, 0)
    emit(0x06, answer_of(otherwise))
    return code


class Fprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def install(code, listen):
    raw = b"".join(code)
    buffer = ctypes.create_string_buffer(raw, len(raw))
    prog = Fprog(len(code), ctypes.cast(buffer, ctypes.c_void_p))
    return check(libc.syscall(317 if os.uname().machine == "x86_64" else 277, 1, 8 if listen else 0, ctypes.byref(prog)),
                 "seccomp")


def supervise(fd, log, rules, otherwise, calls):
    """Answers what the filter refuses as it would have been answered, and writes it down. Until nobody is left."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        events = poll.poll()
        if events and events[0][1] & select.POLLIN:
            notif = bytearray(80)
            try:
                fcntl.ioctl(fd, 0xc0502100, notif)
            except OSError as e:
                if e.errno in (errno.ENOENT, errno.EINTR):
                    continue
                return
            ident, pid, _, number, _, _, *args = struct.unpack("=QIIiIQ6Q", notif)
            answer = decide(rules, otherwise, number, [a & 0xffffffff for a in args])
            try:
                with open(f"/proc/{pid}/comm") as f:
                    comm = f.read().strip()
            except OSError:
                comm = "?"
            # as on a kernel that is too old for it: libraries expect that
            if answer != errno.ENOSYS:
                log.write(f"{comm} {calls.name(number)} {' '.join(hex(a) for a in args)} {errno.errorcode.get(answer, answer)}\n")
                log.flush()
            try:
                fcntl.ioctl(fd, 0xc0182101, struct.pack("=QqiI", ident, 0, -answer, 0))
            except OSError:
                pass  # it is not there any more
        elif events:
            return


def close_all_but(keep):
    for n in os.listdir("/proc/self/fd"):
        if int(n) not in keep:
            try:
                os.close(int(n))
            except OSError:
                pass  # the one that listed them


def prepare_filter(rules, otherwise, calls, log_path):
    """
    A function that loads the filter into this process. What it refuses is written to the file by a process of its own, which
    is made here, before the filter holds; without a file nobody is told.
    """
    if not log_path:
        return lambda: install(program(rules, otherwise, lambda a: FAIL | a if a else ALLOW), False)
    mine, his = socket.socketpair()
    log = open(log_path, "a")
    pid = os.getpid()
    if os.fork() == 0:
        if os.fork() == 0:
            mine.close()
            os.setsid()
            fd = take_listener(pid, his)
            close_all_but((fd, log.fileno()))
            supervise(fd, log, rules, otherwise, calls)
        os._exit(0)
    his.close()
    log.close()
    os.wait()

    def load():
        # said before: the filter may refuse to say anything
        fd = os.dup(0)
        os.close(fd)
        mine.send(bytes([fd]))
        install(program(rules, otherwise, lambda a: ALLOW if a == 0 else FAIL | a if a == errno.ENOSYS else NOTIFY), True)
        os.read(mine.fileno(), 1)
    return load


def take_listener(pid, his):
    """The descriptor by which the kernel asks about what the filter refuses: the other process has it, and waits."""
    number = his.recv(1)
    if not number:
        os._exit(0)  # it did not get that far
    pidfd = os.pidfd_open(pid)
    while True:
        fd = libc.syscall(438, pidfd, number[0], 0)  # pidfd_getfd
        if fd >= 0:
            his.send(b"x")
            return fd
        if ctypes.get_errno() != errno.EBADF:
            os._exit(1)
        time.sleep(0.001)


# ---------------------------------------------------------------- Landlock

FS_READ = 0x1 | 0x4 | 0x8  # execute, read files, read folders
FS_BY_ABI = (0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff)


def landlock_abi():
    return libc.syscall(LANDLOCK_CREATE, None, 0, 1)


def landlock(readable):
    """All that this kernel can refuse is refused, but reading below these paths."""
    abi = landlock_abi()
    handled = FS_BY_ABI[min(abi, 5)]
    attr = struct.pack("=QQQ", handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)[:24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = check(libc.syscall(LANDLOCK_CREATE, attr, len(attr), 0), "landlock")
    for path in readable:
        fd = os.open(path, os.O_PATH)
        rights = FS_READ if os.path.isdir(path) else FS_READ & ~0x8
        check(libc.syscall(LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", rights & handled, fd), 0), f"landlock {path}")
        os.close(fd)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    check(libc.syscall(LANDLOCK_RESTRICT, ruleset, 0), "landlock")
    os.close(ruleset)
