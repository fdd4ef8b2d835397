# SPDX-License-Identifier: ISC
"""Peers of the listener (Listen) that mean no good, or know no better: they harm themselves, others are served.

usage: strangers.py --root DIR --programs DIR [--connections N] [--rounds N] [--seed N]

Where it may, it works in a network of its own with a second machine beside it (network namespaces), whose users nobody knows.
"""
import argparse
import ctypes
import errno
import os
import random
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import stage as stages
from storm import run_dry

CLONE_NEWNET = 0x40000000
MEMORY_KB = 150000
PYTHON = "/usr/bin/python3"  # one that every user may run
BY_OTHERS = stages.IS_ROOT and os.access(PYTHON, os.X_OK)
HERE, HERE6 = "192.0.2.1", "2001:db8:0:1::1"
ENVELOPE = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<c@example.net>\r\n"
TEXT = b"Subject: by tcp\r\n\r\ntext\r\n"

# A process elsewhere or of another user, which does one thing, says how it went, and stays until its input ends
HELPER = r"""
import smtplib, socket, sys
what, host, port, source, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
source = (source, 0) if source else None
held = []
def connect():
    s = socket.create_connection((host, port), 20, source)
    held.append(s)
    return s.recv(300).decode()[:3]
if what == "hold":
    said = {}
    for _ in range(n):
        try:
            code = connect()
        except OSError as e:
            code = type(e).__name__
        said[code] = said.get(code, 0) + 1
    print(" ".join("%s=%d" % p for p in sorted(said.items())), flush=True)
elif what == "send":
    codes = []
    for _ in range(n):
        try:
            s = smtplib.SMTP(host, port, "there.example.org", 60, source)
            s.sendmail("a@example.org", ["c@example.net"], "Subject: by tcp\r\n\r\ntext\r\n")
            s.quit()
            codes.append("250")
        except smtplib.SMTPResponseException as e:
            codes.append("%d %s" % (e.smtp_code, e.smtp_error.decode()))
        except smtplib.SMTPRecipientsRefused as e:
            codes.append("%d %s" % (list(e.recipients.values())[0][0], list(e.recipients.values())[0][1].decode()))
        except OSError as e:
            codes.append(repr(e))
    print(" | ".join(codes), flush=True)
sys.stdin.read()
"""


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--connections", type=int, default=10000)
    p.add_argument("--rounds", type=int, default=300)
    p.add_argument("--seed", default=os.environ.get("SEED", ""))
    p.add_argument("--any-memory", action="store_true", help="a sanitizer needs more")
    return p.parse_args()


class Elsewhere:
    """A network of our own, and a machine beside us with two addresses; nothing where that cannot be had"""

    def __init__(self):
        self.process = None
        if not (BY_OTHERS and shutil.which("ip") and shutil.which("nsenter")):
            return
        if ctypes.CDLL(None).unshare(CLONE_NEWNET) != 0:
            return
        self.run("ip link set lo up")
        self.process = subprocess.Popen(["unshare", "-n", "sleep", "600"])
        own = os.readlink("/proc/self/ns/net")
        ready = stages.wait_for(20, lambda: os.readlink("/proc/%d/ns/net" % self.process.pid) != own)
        if not ready or not all([
                self.run("ip link add v0 type veth peer name v1"), self.run("ip link set v1 netns %d" % self.process.pid),
                self.run("ip addr add %s/24 dev v0" % HERE), self.run("ip addr add %s/64 dev v0 nodad" % HERE6), self.run("ip link set v0 up"),
                self.run("ip addr add 192.0.2.2/24 dev v1", True), self.run("ip addr add 192.0.2.3/24 dev v1", True),
                self.run("ip addr add 2001:db8:0:1::2/64 dev v1 nodad", True), self.run("ip addr add 2001:db8:0:1::3/64 dev v1 nodad", True),
                self.run("ip link set v1 up", True)]):
            self.close()

    def run(self, command, there=False):
        before = ["nsenter", "-t", str(self.process.pid), "-n"] if there else []
        return subprocess.run(before + command.split(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def __bool__(self):
        return self.process is not None

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class Strangers:
    def __init__(self, opt, report, stage, daemon, hub, port, elsewhere, settings):
        self.settings = settings
        self.opt, self.report, self.stage, self.daemon, self.hub, self.port, self.elsewhere = opt, report, stage, daemon, hub, port, elsewhere
        self.dice = random.Random(stages.seed_of(opt.seed))
        self.letters = 0
        self.serving = daemon.parts()[0][0].pid

    # ---- peers

    def connect(self, host="127.0.0.1", greeted=True):
        s = socket.create_connection((host, self.port), 20)
        if greeted:
            s.recv(300)
        return s

    def helper(self, what, n=1, host="127.0.0.1", source="", uid=None, there=False):
        command = [PYTHON, "-c", HELPER, what, host, str(self.port), source, str(n)]
        if there:
            command = ["nsenter", "-t", str(self.elsewhere.process.pid), "-n"] + command
        more = {}
        if uid and stages.IS_ROOT:
            more = dict(user=uid, group=uid, extra_groups=[])
        p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, **more)
        return p, p.stdout.readline().decode().strip()

    def let_go(self, *helpers):
        for p, _ in helpers:
            p.communicate()

    def say(self, text, limit=30, pieces=(), host="127.0.0.1"):
        """All that is answered to it until the other side hangs up, or nothing comes for a while"""
        s = self.connect(host)
        s.settimeout(limit)
        heard = b""
        try:
            for piece in (text,) + tuple(pieces):
                s.sendall(piece)
                if piece is not text or pieces:
                    heard += s.recv(10000)
            while True:
                got = s.recv(65536)
                if not got:
                    break
                heard += got
        except OSError as e:
            heard += b"(%s)" % type(e).__name__.encode()
        s.close()
        return heard

    def lines(self, text, host="127.0.0.1"):
        """A dialog as it should be: each group when the one before is answered"""
        s = self.connect(host)
        f = s.makefile("rb")
        said = []
        for group in text:
            s.sendall(group)
            for _ in range(1 if group.endswith(b".\r\n") and b"\r\n.\r\n" in group else group.count(b"\r\n")):
                while True:
                    line = f.readline()
                    if not line:
                        return said + ["(end)"]
                    if line[3:4] == b" ":
                        break
                said.append(line.decode().strip())
        s.close()
        return said

    # ---- what must hold meanwhile

    def memory(self):
        with open("/proc/%d/status" % self.serving) as f:
            return int(f.read().split("VmRSS:")[1].split()[0])

    def others_are_served(self, tcp=BY_OTHERS):
        now = [p.pid for p in self.daemon.parts()[0]]
        if now != [self.serving]:
            yield "the process that serves has changed: " + " / ".join(self.daemon.tail(3))
        self.letters += 1
        start = time.monotonic()
        code, err = self.stage.send(stages.Letter(self.letters, 500))
        if code != 0:
            yield "a letter ends with %s %s" % (code, err)
        if tcp:
            p = self.helper("send", uid=stages.OTHER_UID)
            if p[1] != "250":
                yield "a message by TCP is answered %s" % p[1]
            self.let_go(p)
        if time.monotonic() - start > 60:
            yield "it takes %d s" % (time.monotonic() - start)
        if self.memory() > MEMORY_KB and not self.opt.any_memory:
            yield "%d kB" % self.memory()

    def nothing_came(self, before):
        self.stage.send(stages.Letter(900 + self.letters, 300))  # what is on its way is there before this one
        if self.hub.count() != before + 1:
            yield "%d messages came" % (self.hub.count() - before - 1)

    # ---- cases

    def idle(self):
        """Many connections that say nothing: of this user, and of somebody elsewhere"""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        n = min(self.opt.connections, hard - 200)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, n + 200) if soft < n + 200 else soft, hard))
        held = []
        for i in range(n):
            try:
                held.append(self.connect(greeted=False))
            except OSError as e:
                if e.errno not in (errno.ETIMEDOUT, errno.ECONNRESET, None):
                    yield "connection %d: %s" % (i, e)
        yield from self.others_are_served()
        yield from self.others_are_served(tcp=False)
        for s in held:
            s.close()

    def drops(self):
        """One byte at a time, for ever"""
        held = [self.connect() for _ in range(150)]
        end = time.monotonic() + 3
        texts = [b"EHLO " + b"x" * 1000, b"EHLO x\r\n"]
        at = 0
        while time.monotonic() < end:
            for i, s in enumerate(held):
                text = texts[i % 2]
                try:
                    s.send(text[at % len(text):at % len(text) + 1])
                except OSError:
                    pass
            at += 1
        yield from self.others_are_served()
        for s in held:
            s.close()

    def drops_of_text(self):
        """One byte at a time of a message, then gone"""
        held = []
        for _ in range(40):
            s = self.connect()
            for piece in (b"EHLO x\r\n", ENVELOPE, b"DATA\r\n"):
                s.sendall(piece)
                s.recv(1000)
            held.append(s)
        for c in b"Subject: x":
            for s in held:
                s.sendall(bytes([c]))
        yield from self.others_are_served()
        for i, s in enumerate(held):
            if i % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        if not stages.wait_for(20, lambda: not list(self.stage.leftovers())):
            yield from self.stage.leftovers()

    def early(self):
        """A whole dialog at once, as a web page or a server can be talked into sending it"""
        before = self.hub.count()
        blob = b"EHLO x\r\n" + ENVELOPE + b"DATA\r\n" + TEXT + b".\r\nQUIT\r\n"
        for text in (blob, b"POST / HTTP/1.1\r\nHost: x\r\n\r\n" + blob, b"\r\n" + blob):
            heard = self.say(text, 20)
            if b"\n354" in heard or not (b"554 5.5.0" in heard or b"554 5.5.1" in heard):
                yield "answered %r" % heard
        s = self.connect()
        s.sendall(b"EHLO x\r\n")
        s.recv(1000)
        s.sendall(ENVELOPE + b"DATA\r\n" + TEXT + b".\r\n")
        heard = b""
        while True:
            got = s.recv(1000)
            if not got:
                break
            heard += got
        if b"554 5.5.0" not in heard:
            yield "text behind DATA is answered %r" % heard
        yield from self.nothing_came(before)

    def nagging(self):
        """100,000 times nothing"""
        for command in (b"NOOP\r\n", b"RSET\r\n", b"VRFY a\r\n", b"FOO\r\n", b"AUTH PLAIN AGEAYg==\r\n", b"STARTTLS\r\n"):
            heard = self.say(command * 100000, 30)
            if b"\r\n421 4.7.0" not in heard or heard.count(b"\n") > 200:
                yield "%r is answered %d times: %r" % (command, heard.count(b"\n"), heard[-100:])
        yield from self.others_are_served()

    def name_all(self, n, extra):
        """A session that names n recipients and stays; (how each was answered, the session)"""
        rcpt = b"".join(b"RCPT TO:<r%d@example.net>%s\r\n" % (i, extra) for i in range(n))
        s = self.connect()
        s.settimeout(60)
        f = s.makefile("rb")
        s.sendall(b"EHLO x\r\n")
        while f.readline()[3:4] != b" ":
            pass
        s.sendall(b"MAIL FROM:<a@example.org>\r\n")
        f.readline()
        codes = {}
        for at in range(0, len(rcpt), 1 << 16):
            piece = rcpt[at:at + (1 << 16)]
            s.sendall(piece)
            for _ in range(piece.count(b"\n")):
                code = f.readline()[:9].decode()
                codes[code] = codes.get(code, 0) + 1
        return codes, s

    def recipients(self):
        """As many as may be in one message, and more"""
        codes, s = self.name_all(10100, b" ORCPT=rfc822;" + b"y" * 450)
        if codes != {"250 2.1.5": 10000, "452 4.5.3": 100}:
            yield "answered %s" % codes
        yield from self.others_are_served()
        s.close()

    def many_recipients(self):
        """As many as may be in many messages at once: there is an end to it, but not for those with few"""
        held, taken = [], 0
        for _ in range(17):
            codes, s = self.name_all(10000, b"")
            held.append(s)
            taken += codes.get("250 2.1.5", 0)
        if taken > 151000 or taken < 149000:
            yield "%d are taken" % taken
        yield from self.others_are_served()
        for s in held:
            s.close()

    def much_text(self):
        """Many messages that are never ended: memory has an end before they have"""
        held, before = [], self.anonymous()  # its settings
        for _ in range(160):
            s = self.connect()
            for piece in (b"EHLO x\r\n", ENVELOPE, b"DATA\r\n"):
                s.sendall(piece)
                s.recv(1000)
            s.sendall((b"x" * 70 + b"\r\n") * 14000)
            held.append(s)
        yield from self.others_are_served()
        kb = self.anonymous() - before
        if kb > 150000:
            yield "%d kB of memory files" % kb
        for s in held:
            s.close()
        if not stages.wait_for(20, lambda: self.anonymous() == before):
            yield "%d kB of memory files are left" % (self.anonymous() - before)

    def anonymous(self):
        """What the files without a name in its memory hold, in kB"""
        folder, total = "/proc/%d/fd/" % self.serving, 0
        for name in os.listdir(folder) if stages.IS_ROOT else []:
            try:
                if "memfd:" in os.readlink(folder + name):
                    total += os.stat(folder + name).st_size
            except OSError:
                pass
        return total // 1024

    def cut(self):
        """Sessions that end anywhere, some by a reset, some half closed"""
        groups = (b"EHLO x\r\n", ENVELOPE, b"DATA\r\n", TEXT + b".\r\n", b"QUIT\r\n")
        whole = b"".join(groups)
        for _ in range(self.opt.rounds):
            s = self.connect(greeted=self.dice.random() < 0.9)
            at, end = 0, self.dice.randrange(len(whole))
            try:
                for group in groups:
                    s.sendall(group[:max(0, end - at)])
                    at += len(group)
                    if at > end:
                        break
                    if self.dice.random() < 0.95:
                        s.recv(1000)
                how = self.dice.randrange(3)
                if how == 0:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif how == 1:
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(1000):
                        pass
            except OSError:
                pass
            s.close()
        yield from self.others_are_served()
        if not stages.wait_for(30, lambda: not list(self.stage.leftovers())):
            yield from self.stage.leftovers()

    def half_closed(self):
        """Who has said all and closes his half gets all answers"""
        for host in ["127.0.0.1", "::1"]:
            s = self.connect(host)
            for group in (b"EHLO x\r\n", ENVELOPE, b"DATA\r\n"):
                s.sendall(group)
                s.recv(1000)
            s.sendall(TEXT + b".\r\nQUIT\r\n")
            s.shutdown(socket.SHUT_WR)
            heard = b""
            while True:
                got = s.recv(1000)
                if not got:
                    break
                heard += got
            if b"250 2.0.0 sent" not in heard or b"\r\n221 " not in heard:
                yield "%s: answered %r" % (host, heard)

    def last_word(self):
        """Who is cut off in the midst of much that he sends can still read why"""
        s = self.connect()
        for group in (b"EHLO x\r\n", ENVELOPE, b"DATA\r\n"):
            s.sendall(group)
            s.recv(1000)
        s.settimeout(20)
        heard = b""
        try:
            s.sendall(b"bad\nline\r\n" + b"x" * 70 * 1000)
            time.sleep(0.2)  # no matter how long: it is gone by then or not
            s.sendall(b"y" * 70 * 1000)
            while True:
                got = s.recv(1000)
                if not got:
                    break
                heard += got
        except OSError as e:
            heard += repr(e).encode()
        if not heard.startswith(b"550 5.5.2") or b"Error" in heard:
            yield "answered %r" % heard
        s.close()

    def tls(self):
        heard = self.say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 10)
        if not heard.startswith(b"554 5.5.1"):
            yield "answered %r" % heard

    def from_elsewhere(self):
        """One address has its share of sessions; others, and users of this machine, have theirs"""
        a = self.helper("hold", 120, HERE, "192.0.2.2", there=True)
        if a[1] != "220=50 421=70":
            yield "of 120 sessions: %s" % a[1]
        b = self.helper("send", 1, HERE, "192.0.2.3", there=True)
        if b[1] != "250":
            yield "another address: %s" % b[1]
        yield from self.others_are_served()
        six = self.helper("hold", 60, HERE6, "2001:db8:0:1::2", there=True)
        if six[1] != "220=50 421=10":
            yield "of 60 sessions by IPv6: %s" % six[1]
        same = self.helper("hold", 1, HERE6, "2001:db8:0:1::3", there=True)
        if same[1] != "421=1":
            yield "a second address of the same /64: %s" % same[1]
        self.let_go(a, b, six, same)

    def too_often(self):
        """One address has its share of connections in a minute"""
        start = time.monotonic()
        a = self.helper("send", 1300, HERE, "192.0.2.2", there=True)
        codes = a[1].split(" | ")
        taken = codes.count("250")
        fed = 1200 + 20 * (time.monotonic() - start)
        if not 1000 <= taken <= fed + 1 or (fed < 1300 and not codes[-1].startswith("421 ")):
            yield "%d of 1300 are taken, the last is answered %s" % (taken, codes[-1])
        b = self.helper("send", 1, HERE, "192.0.2.3", there=True)
        if b[1] != "250":
            yield "another address: %s" % b[1]
        yield from self.others_are_served()
        self.let_go(a, b)

    def allowed_only(self):
        """Where only some users may send, somebody nobody knows may not"""
        self.stage.configure(self.hub, AllowUsers='( "root", "%d" )' % stages.OTHER_UID, **self.settings)
        os.kill(self.daemon.process.pid, signal.SIGHUP)
        a = None
        end = time.monotonic() + 20
        while time.monotonic() < end and (not a or a[1] == "250"):
            a = self.helper("send", 1, HERE, "192.0.2.3", there=True)
            self.let_go(a)
        if not a[1].startswith("554 "):
            yield "answered %s" % a[1]
        yield from self.others_are_served()

    def run(self):
        case = self.report.case
        case("a whole dialog sent at once is not taken", self.early())
        case("who says nothing that leads to a message is sent away", self.nagging())
        case("who has closed his half of the connection gets all answers", self.half_closed())
        case("who is cut off can read why", self.last_word())
        case("who begins with TLS is told at once", self.tls())
        case("sessions cut anywhere leave nothing", self.cut())
        case("many recipients cost little, and those beyond the limit are for later", self.recipients())
        case("many recipients in many messages fill no memory, and messages with few have room", self.many_recipients())
        case("many messages without an end fill no memory", self.much_text())
        case("messages that come a byte at a time hold up nobody and leave nothing", self.drops_of_text())
        case("commands that come a byte at a time hold up nobody", self.drops())
        case("%d idle connections keep nobody out" % self.opt.connections, self.idle())
        if self.elsewhere:
            case("an address has its share of sessions", self.from_elsewhere())
            case("an address has its share of a minute", self.too_often())
            case("where only some users may send, somebody whose user is not known may not", self.allowed_only())
        self.stage.configure(self.hub)
        self.elsewhere.close()
        case("afterwards nothing is left over", list(run_dry(self.stage, self.daemon, self.hub)) + list(self.stage.leftovers()))


def main():
    opt = options()
    report = stages.Report()
    elsewhere = Elsewhere()
    stage = stages.Stage(opt.root, opt.programs)
    try:
        hub = stages.Hub(stage)
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        addresses = ["127.0.0.1:%d" % port, "[::1]:%d" % port] + (["%s:%d" % (HERE, port), "[%s]:%d" % (HERE6, port)] if elsewhere else [])
        settings = dict(Listen="( %s )" % ", ".join('"%s"' % a for a in addresses), ListenNetworks='( "192.0.2.0/24", "2001:db8::/32" )')
        stage.configure(hub, **settings)
        daemon = stages.Daemon(stage)
        if not daemon.start():
            report.case("the daemon starts", ["it does not: " + " / ".join(daemon.tail())])
            return 1
        Strangers(opt, report, stage, daemon, hub, port, elsewhere, settings).run()
        if report.failed:
            for line in daemon.tail(20):
                report.note(line)
    finally:
        elsewhere.close()
        if not os.environ.get("KEEP"):
            stage.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
