# SPDX-License-Identifier: ISC
"""A call of sendmail, or the daemon, killed at each of its system calls, one after the other: lost, doubled or left over is nothing.

usage: sweep.py --root DIR --programs DIR [--step N] [--daemon]      needs strace

All processes are traced; each dies as it begins its K-th pwrite(2), then its K-th fsync(2), and so on. K goes up by --step until
nobody dies any more. Afterwards the queue is run without being disturbed.
"""
import argparse
import os
import shutil
import subprocess
import sys

import stage as stages
from storm import arrivals

CALLS = ("openat", "mkdirat", "pwrite64", "fdatasync", "fsync", "linkat", "unlinkat", "renameat", "flock", "fstatfs", "getdents64",
         "pread64", "memfd_create", "lseek", "socketpair", "connect", "sendto", "sendmsg", "recvfrom", "recvmsg", "poll", "read", "write",
         "close", "exit_group")
MOST = 400
LATER = """
on dot once
    reply 451 4.3.0 not now
"""


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--step", type=int, default=1)
    p.add_argument("--daemon", action="store_true")
    return p.parse_args()


class Sweep:
    def __init__(self, opt, report):
        self.opt, self.report = opt, report
        self.stage = stages.Stage(opt.root, opt.programs)
        self.number = 0
        self.log = self.stage.work + "/strace"
        self.daemon = stages.Daemon(self.stage) if opt.daemon else None
        self.what = "the daemon" if opt.daemon else "a call"

    def strace(self, name, k):
        return ["strace", "-f", "-q", "-o", self.log, "-e", "trace=" + name, "-e", "inject=%s:signal=KILL:when=%d" % (name, k)]

    def call(self, prefix, arguments, text):
        p = subprocess.run(prefix + [self.stage.sendmail] + arguments, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           env=self.stage.environment(), cwd="/", timeout=90)
        return p.returncode, p.stderr.decode("utf-8", "replace").strip()

    def send(self, prefix, letter, mode):
        return self.call(prefix, mode + ["-i", "-f", "alice@example.org", "--"] + letter.recipients, letter.text())

    def settle(self):
        """Nobody of the call is left, then the queue runs dry"""
        if not stages.wait_for(60, lambda: not self.stage.processes([self.hub])):
            yield "somebody stays"
        for _ in range(5):
            if not self.stage.queued():
                break
            code, err = self.call([], ["-q"], b"")
            if code != 0:
                yield "sendmail -q ends with %s: %s" % (code, err)

    def call_traced(self, prefix, letter, mode):
        if mode != ["-q"]:
            return self.send(prefix, letter, mode)
        code, err = self.send([], letter, ["-odq"])
        self.call(prefix, ["-q"], b"")
        return code, err

    def daemon_traced(self, prefix, letter, mode):
        """The daemon goes through it all until it is dead, or done; another one without a tracer is started and ended afterwards"""
        daemon = self.daemon
        if mode == ["-q"]:
            code, err = self.send([], letter, ["-odq"])
        daemon.start(3, prefix)
        if mode != ["-q"]:
            code, err = self.send([], letter, mode)
        stages.wait_for(2, lambda: not self.stage.queued() or self.died())
        daemon.kill_all()
        return code, err

    def daemon_again(self):
        # whose first process was the one that died, those end by themselves a moment later
        if not stages.wait_for(30, lambda: not self.stage.processes([self.hub])):
            yield "its processes outlive the first one"
        if not self.daemon.start():
            yield "the daemon does not start again: " + " / ".join(self.daemon.tail(3))
            return
        if not stages.wait_for(30, lambda: not self.stage.queued()):
            yield "the queue does not run dry"
        code = self.daemon.stop()
        if code != 0:
            yield "the daemon ends with %s" % code

    def died(self):
        try:
            with open(self.log, "rb") as f:
                return b"killed by SIGKILL" in f.read()
        except FileNotFoundError:
            return False

    def point(self, name, k, mode):
        """One letter and one place to die at: (did anybody die, what was wrong)"""
        letter = stages.Letter(self.number, 3000)
        self.number += 1
        if os.path.exists(self.log):
            os.unlink(self.log)
        play = self.daemon_traced if self.daemon else self.call_traced
        code, err = play(self.strace(name, k), letter, mode)
        died = self.died()
        faults = list(self.daemon_again()) if self.daemon else []
        faults += self.settle()
        copies = len(arrivals(self.hub.copies())[letter.number, letter.recipients[0]])
        if code == 0 and copies == 0:
            faults.append("exit 0 and lost")
        if code not in (0, 75, -9, 137):
            faults.append("exit code %s: %s" % (code, err))
        if copies and code == 75 and "may have been sent" not in err:
            faults.append("exit 75 (%s) and it arrived" % err)
        if copies > 2:
            faults.append("%d copies" % copies)
        faults += self.stage.leftovers()
        return died, ["%s no. %d: %s" % (name, k, f) for f in faults]

    def one_name(self, name, mode, first, faults):
        """The number of places; a call that a process makes once more than the others leaves no gap of two"""
        points, k, calm = 0, first, 0
        while calm < 2 and k < MOST:
            died, wrong = self.point(name, k, mode)
            faults += wrong
            points += died
            calm = 0 if died else calm + 1
            k += self.opt.step
        return points

    def run(self, what, mode, script):
        self.hub = stages.Hub(self.stage, script)
        self.stage.configure(self.hub, RetryMin="100ms", RetryMax="200ms")
        faults, points = [], 0
        for n, name in enumerate(CALLS):
            points += self.one_name(name, mode, 1 + n % self.opt.step, faults)
        if points < 5:
            faults.append("%d places only" % points)
        if not all(c.whole for c in self.hub.copies()):
            faults.append("a copy is cut")
        self.report.note("%s, %s: killed at %d places" % (self.what, what, points))
        self.report.case("%s killed at any system call, %s: nothing is lost, doubled or left over" % (self.what, what), faults + self.hub.odd())
        self.hub.stop()


def main():
    opt = options()
    report = stages.Report()
    if not shutil.which("strace") or subprocess.run(["strace", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode:
        print("ok (skipped, no strace) killed at each system call")
        return 0
    sweep = Sweep(opt, report)
    try:
        sweep.run("queueing", ["-odq"], "")
        sweep.run("while the smarthost says later", ["-odi"], LATER)
        sweep.run("running the queue", ["-q"], "")
    finally:
        if not os.environ.get("KEEP"):
            sweep.stage.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
