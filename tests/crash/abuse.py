# SPDX-License-Identifier: ISC
"""Clients of the daemon's sockets that mean no good: they harm themselves, nobody else.

usage: abuse.py --root DIR --programs DIR [--rounds N] [--seed N] [--any-memory]
"""
import argparse
import os
import random
import select
import socket
import subprocess
import sys
import time

import stage as stages
from storm import run_dry

MEMORY_KB = 64000
LONG = 1000  # rounds, from where on a case may wait for the daemon's patience
FEW = 48  # descriptors: fewer than a daemon and its control sessions may have
ENVELOPE = b"EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<c@example.net>\r\n"
# what random changes are made to
SAYINGS = (ENVELOPE + b"BDAT 10 LAST\r\n0123456789", b"X-BS\n" + ENVELOPE.replace(b"\r\n", b"\n"),
           b"EHLO x\r\nMAIL FROM:<a@example.org> X-MODE=i X-NAME=%00 X-CWD=/\r\nRCPT TO:<c@example.net>\r\nDATA\r\na: b\r\n\r\nx\r\n.\r\n",
           b"list\n", b"run I\n", b"verify a\n", b"status\n", b"queue\n", b"wake\n")
# a process of another user that holds as many connections as it gets
HOLDER = """
import socket, sys, time
held = []
try:
    for _ in range(int(sys.argv[2])):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(2)
        s.connect(sys.argv[1])
        held.append(s)
except OSError:
    pass
print(len(held), flush=True)
time.sleep(120)
"""


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--rounds", type=int, default=200)
    p.add_argument("--seed", default=os.environ.get("SEED", ""))
    p.add_argument("--any-memory", action="store_true", help="a sanitizer needs more")
    return p.parse_args()


class Abuse:
    def __init__(self, opt, report, stage, daemon, hub):
        self.opt, self.report, self.stage, self.daemon, self.hub = opt, report, stage, daemon, hub
        self.dice = random.Random(stages.seed_of(opt.seed))
        self.serving = daemon.parts()[0][0].pid
        self.letters = 0

    def connect(self, path):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(path)
        return s

    def memory(self):
        """Resident, in kB"""
        with open("/proc/%d/status" % self.serving) as f:
            return int(f.read().split("VmRSS:")[1].split()[0])

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.serving)) if stages.IS_ROOT else 0

    def still_good(self):
        """The same process serves others as before"""
        now = [p.pid for p in self.daemon.parts()[0]]
        if now != [self.serving]:
            yield "the process that serves has changed: " + " / ".join(self.daemon.tail(3))
        self.letters += 1
        code, err = self.stage.send(stages.Letter(self.letters, 500))
        if code != 0:
            yield "a letter ends with %s %s" % (code, err)
        code, _, err = self.stage.run("-bp")
        if code != 0:
            yield "mailq ends with %s %s" % (code, err)

    def spoil(self, text):
        b = bytearray(text)
        for _ in range(self.dice.randrange(6)):
            at = self.dice.randrange(len(b) + 1)
            how = self.dice.randrange(3)
            if how == 0:
                b[at:at + 1] = bytes([self.dice.randrange(256)])
            elif how == 1:
                del b[at:at + self.dice.randrange(1, 8)]
            else:
                b[at:at] = bytes([self.dice.randrange(256)]) * self.dice.randrange(1, 2000)
        return bytes(b)

    def garbage(self):
        for _ in range(self.opt.rounds):
            text = self.dice.randbytes(self.dice.randrange(1, 5000)) if self.dice.random() < 0.3 else self.spoil(self.dice.choice(SAYINGS))
            s = self.connect(self.dice.choice([self.daemon.socket, self.daemon.socket + ".ctl"]))
            try:
                s.sendall(text)
                if self.dice.random() < 0.5:
                    s.shutdown(socket.SHUT_WR)
                if self.dice.random() < 0.3:
                    s.settimeout(0.02)
                    s.recv(10000)
            except OSError:
                pass
            s.close()
        return self.still_good()

    def endless_line(self):
        for path in (self.daemon.socket, self.daemon.socket + ".ctl"):
            s = self.connect(path)
            try:
                for _ in range(1000):
                    s.sendall(b"x" * 65536)
                yield "64 MB without a line's end are taken"
            except OSError:
                pass
            s.close()
        yield from self.still_good()

    def deaf(self):
        """They ask, and do not read"""
        held = []
        for _ in range(20):
            s = self.connect(self.daemon.socket)
            s.settimeout(0.05)
            try:
                for _ in range(1000):
                    s.sendall(b"EHLO x\r\n" * 5000)
                yield "40 MB are taken of somebody who reads nothing"
            except OSError:
                pass
            held.append(s)
        kb = self.memory()
        if kb > MEMORY_KB and not self.opt.any_memory:
            yield "%d kB for 20 of them" % kb
        yield from self.still_good()
        for s in held:
            s.close()

    def descriptors_passed(self):
        before = self.descriptors()
        for path, text in ((self.daemon.socket, b"EHLO x\r\n"), (self.daemon.socket + ".ctl", b"list\n")):
            for _ in range(50):
                s = self.connect(path)
                socket.send_fds(s, [text], [0, 1, 2])
                s.recv(10)
                s.close()
        yield from self.still_good()
        if not stages.wait_for(20, lambda: self.descriptors() <= before + 1):
            yield "%d descriptors became %d" % (before, self.descriptors())

    def deaf_askers(self):
        """Who asks for much and reads nothing is left alone after a while"""
        held = []
        for _ in range(5):
            s = self.connect(self.daemon.socket + ".ctl")
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            s.sendall(b"trace - - " + b" ".join(b"x%d@example.org" % n for n in range(3000)) + b"\n")
            held.append(s)
        yield from self.still_good()
        poll = select.poll()
        for s in held:
            poll.register(s, 0)
        if not stages.wait_for(60, lambda: sum(bool(events & select.POLLHUP) for _, events in poll.poll(0)) == len(held)):
            yield "they are waited for"
        for s in held:
            s.close()

    def few_descriptors(self):
        """None is left for those who wait at its sockets: it serves them later, and is at rest until then"""
        self.daemon.stop()
        if not self.daemon.start(prefix=["prlimit", "--nofile=%d:%d" % (FEW, FEW)]):
            yield "it does not start: " + " / ".join(self.daemon.tail())
            return
        self.serving = self.daemon.parts()[0][0].pid
        waiting = [self.connect(self.daemon.socket + ".ctl") for _ in range(FEW)]
        busy = 0
        for _ in range(20):  # until it has seen to all of them
            before = self.ticks()
            time.sleep(1)
            busy = self.ticks() - before
            if busy <= os.sysconf("SC_CLK_TCK") // 4:
                break
        else:
            yield "%d of %d ticks a second" % (busy, os.sysconf("SC_CLK_TCK"))
        for s in waiting:
            s.close()
        if not stages.wait_for(20, lambda: self.stage.run("-bp")[0] == 0):
            yield "nobody is served when they have gone"
        yield from self.still_good()

    def ticks(self):
        """What the process that serves has had of the processor"""
        with open("/proc/%d/stat" % self.serving) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def half_messages(self):
        held = []
        for _ in range(30):
            s = self.connect(self.daemon.socket)
            s.sendall(ENVELOPE + b"BDAT 40000000\r\nx: y\r\n\r\n" + b"y" * 100000)
            held.append(s)
        yield from self.still_good()
        for s in held:
            s.close()
        if not stages.wait_for(20, lambda: not list(self.stage.leftovers())):
            yield from self.stage.leftovers()

    def flood(self, path, wanted):
        """Another user holds all he can get; root is served all the same"""
        p = subprocess.Popen(["/usr/bin/env", "python3", "-c", HOLDER, path, str(wanted)], stdout=subprocess.PIPE, user=stages.OTHER_UID,
                             group=stages.OTHER_UID, extra_groups=[], env=dict(self.stage.environment(), PATH="/usr/bin:/bin"), cwd="/")
        held = p.stdout.readline()
        if not held.strip() or int(held) < 1:
            yield "nothing could be held"
        yield from self.still_good()
        p.kill()
        p.communicate()

    def strange_files(self):
        """The queue is on its way, and somebody works in its folder: each goes that can, the others are put aside and named"""
        self.hub.stop()
        held = [stages.Letter(1000 + n, 500) for n in range(6)]
        for letter in held:
            code, err = self.stage.send(letter)
            if code != 0:
                yield "a letter ends with %s %s" % (code, err)
        folder = self.stage.queue + "/queue/"
        names = {}
        for name in self.stage.queued():
            with open(folder + name, "rb") as f:
                names[int(f.read().split(b"X-Number: ")[1].split()[0])] = name
        os.unlink(folder + names[1000])
        os.truncate(folder + names[1001], 100)
        if stages.IS_ROOT:
            os.chown(folder + names[1002], 0, 0)
        os.chmod(folder + names[1002], 0)
        os.unlink(folder + names[1003])
        os.symlink("/etc/passwd", folder + names[1003])
        os.rename(folder + names[1004], self.stage.work + "/elsewhere")
        self.hub.start()
        if not stages.wait_for(30, lambda: not set(self.stage.queued()) - {names[1003]}):
            yield "it does not run dry: %s" % self.stage.queued()
        os.rename(self.stage.work + "/elsewhere", folder + names[1004])
        self.stage.run("-q")
        if not stages.wait_for(30, lambda: not set(self.stage.queued()) - {names[1003]}):
            yield "what came back stays: %s" % self.stage.queued()
        arrived = sorted(c.number for c in self.hub.copies() if c.number >= 1000)
        if arrived != [1004, 1005]:
            yield "arrived: %s" % arrived
        for n in (1001, 1002, 1003):
            if names[n] not in self.stage.queued("corrupt") and n != 1003:
                yield "no. %d is not in corrupt/" % n
            if not any(names[n] in line and "corrupt/" in line for line in self.daemon.tail(1000)):
                yield "the log does not name no. %d" % n
            for path in (folder + names[n], self.stage.queue + "/corrupt/" + names[n]):
                if os.path.lexists(path):
                    os.unlink(path)
        yield from self.still_good()

    def run(self):
        case = self.report.case
        case("garbage at both sockets stops nobody", self.garbage())
        case("a line without an end is cut off", self.endless_line())
        case("clients that never read cost little", self.deaf())
        case("descriptors that are passed are not kept", self.descriptors_passed())
        if self.opt.rounds >= LONG:
            case("who reads nothing of what he asked for holds nothing for long", self.deaf_askers())
        case("messages that are never ended leave nothing", self.half_messages())
        if stages.IS_ROOT and os.access("/usr/bin/python3", os.X_OK):
            case("a user who holds all sessions he can get keeps nobody out", self.flood(self.daemon.socket, 1200))
            case("a user who holds all control sessions he can get keeps nobody out", self.flood(self.daemon.socket + ".ctl", 200))
        case("files that were tampered with in the queue stop nobody and are named", self.strange_files())
        case("without a descriptor for who comes it waits in peace", self.few_descriptors())
        case("afterwards nothing is left over", list(run_dry(self.stage, self.daemon, self.hub)) + list(self.stage.leftovers()))


def main():
    opt = options()
    report = stages.Report()
    stage = stages.Stage(opt.root, opt.programs)
    try:
        hub = stages.Hub(stage)
        stage.configure(hub)
        daemon = stages.Daemon(stage)
        if not daemon.start():
            report.case("the daemon starts", ["it does not: " + " / ".join(daemon.tail())])
            return 1
        Abuse(opt, report, stage, daemon, hub).run()
        if report.failed:
            for line in daemon.tail(20):
                report.note(line)
    finally:
        if not os.environ.get("KEEP"):
            stage.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
