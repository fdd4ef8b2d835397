# SPDX-License-Identifier: ISC
"""A queue of a million messages: callers are served while it is read and shown, lists begin at once, memory stays small.

usage: million.py --root DIR --programs DIR [--messages N]

The messages are one message copied under fresh names, for an account whose smarthost is down; letters to another account go on
meanwhile. Figures are printed, limits are generous: they are broken by what grows with the queue, not by a slow machine.
"""
import argparse
import os
import pwd
import statistics
import subprocess
import sys
import threading
import time

import stage as stages

ENTRY = 200  # bytes the daemon may keep for a message
DAEMON_KB = 40000  # and besides
TOOL_KB = 12000
UNREAD_S = 8  # a list that is not read is given up after ten
LONG_S, SHORT_QUEUE = 3, 100000  # the first line, the slowest caller; haste and memory are not asked for where a few messages prove nothing


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--messages", type=int, default=1000000)
    return p.parse_args()


def peak_kb(pid):
    try:
        with open("/proc/%d/status" % pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0


def serving(daemon):
    """The process that has the queue in its memory: the largest one"""
    return max([peak_kb(p.pid) for p in daemon.parts()[0]] + [0])


def cpu(daemon):
    total = 0
    for p in daemon.parts()[0]:
        try:
            with open("/proc/%d/stat" % p.pid) as f:
                fields = f.read().rsplit(")", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total


def at_rest(daemon):
    before = cpu(daemon)
    time.sleep(0.5)
    return cpu(daemon) - before <= 5


def fill(queue, n):
    """Copies of the one record that is there, each with a name of its own in name and content"""
    folder = queue + "/queue"
    (name,) = os.listdir(folder)
    with open(folder + "/" + name, "rb") as f:
        record = f.read()
    owner = pwd.getpwnam(stages.SERVICE_USER) if stages.IS_ROOT else None
    for i in range(n - 1):
        fresh = name[:4] + "%0*d" % (len(name) - 4, i)
        descriptor = os.open(folder + "/" + fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, record.replace(name.encode(), fresh.encode()))
        if owner:
            os.fchown(descriptor, owner.pw_uid, owner.pw_gid)
        os.close(descriptor)


class Callers(threading.Thread):
    """A letter after the other, each timed"""

    def __init__(self, stage):
        super().__init__(daemon=True)
        self.stage, self.took, self.faults, self.over = stage, [], [], False

    def run(self):
        while not self.over:
            begun = time.monotonic()
            code, err = self.stage.send(stages.Letter(len(self.took), 500))
            self.took.append(time.monotonic() - begun)
            if code != 0 or err:
                self.faults.append("a caller ended with %s %s" % (code, err))
            time.sleep(0.02)

    def end(self):
        self.over = True
        self.join()
        return self


class Caller:
    """with Caller(...) as c: what happens meanwhile"""

    def __init__(self, stage, report, what):
        self.stage, self.report, self.what = stage, report, what

    def __enter__(self):
        self.callers = Callers(self.stage)
        self.callers.start()
        return self.callers

    def __exit__(self, *exception):
        c = self.callers.end()
        if not c.took:
            return
        self.report.note("%s: %d callers, median %.0f ms, worst %.0f ms" % (self.what, len(c.took), 1e3 * statistics.median(c.took), 1e3 * max(c.took)))
        slow = ["one waited for %.1f s" % max(c.took)] if max(c.took) > self.stage.patience else []
        self.report.case("%s callers are served" % self.what, c.faults + slow)


def run_list(stage, program, *arguments):
    """(seconds to the first byte, seconds, lines, kB, exit code) of a list"""
    begun = time.monotonic()
    p = subprocess.Popen([stage.root + "/sbin/" + program] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         stdin=subprocess.DEVNULL, env=stage.environment(), cwd="/")
    first, lines, kb = None, 0, 0
    while True:
        piece = os.read(p.stdout.fileno(), 1 << 16)
        first = first or time.monotonic() - begun
        kb = max(kb, peak_kb(p.pid)) # what wait4 tells begins with what this process had
        if not piece:
            break
        lines += piece.count(b"\n")
    p.wait()
    p.stdout.close()
    return first, time.monotonic() - begun, lines, kb, p.returncode


def check_list(opt, stage, report, program, *arguments, lines, code=0, at_once=True):
    name = " ".join((program,) + arguments)
    with Caller(stage, report, "while %s runs" % name):
        first, took, got, kb, ended = run_list(stage, program, *arguments)
    report.note("%s: first line after %.0f ms, %.1f s in all, %d lines, %d kB" % (name, 1e3 * first, took, got, kb))
    faults = []
    if at_once and first > stage.patience:
        faults.append("the first line came after %.1f s" % first)
    if got < lines:
        faults.append("%d lines, not %d" % (got, lines))
    if kb > TOOL_KB and opt.messages > SHORT_QUEUE:
        faults.append("it took %d kB" % kb)
    if ended != code:
        faults.append("it ended with %s" % ended)
    report.case("%s begins at once and takes little memory" % name, faults)


def slow_reader(stage, report):
    """Lists that nobody reads"""
    begun = time.monotonic()
    stage.run("queue", "--count", "--sender", "nobody", program="smtprelay", limit=300)
    alone = time.monotonic() - begun
    readers = [subprocess.Popen([stage.root + "/sbin/sendmail", "-bp"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                                env=stage.environment(), cwd="/") for _ in range(3)]
    with Caller(stage, report, "while three lists are not read"):
        time.sleep(2)
        begun = time.monotonic()
        code, _, err = stage.run("queue", "--count", "--sender", "nobody", program="smtprelay", limit=300)
        took = time.monotonic() - begun
    report.note("a list beside three that nobody reads: %.1f s, %.1f s alone" % (took, alone))
    report.case("lists that nobody reads hold up no other list",
                ["%s %s" % (code, err)] * (code != 0) + ["it took %.1f s" % took] * (took > UNREAD_S and took > 10 * alone))
    for p in readers:
        p.kill()
        p.wait()
        p.stdout.close()


def change_all(stage, report, verb, n):
    begun = time.monotonic()
    with Caller(stage, report, "while all is changed by %s" % verb):
        code, out, err = stage.run(verb, "--account", "bulk", "--yes", program="smtprelay", limit=1800)
    report.note("smtprelay %s of %d: %.1f s" % (verb, n, time.monotonic() - begun))
    report.case("smtprelay %s changes all" % verb, [] if code == 0 and str(n) in out else ["%s %s %s" % (code, out[-200:], err[-200:])])


def play(opt, stage, hub, daemon, report):
    accounts = '( { name = "bulk"; sender = "@bulk.example"; mailhub = "127.0.0.1:1"; } )'
    stage.configure(hub, accounts=accounts, RetryMin="1s", RetryMax="5m", RunawayLimit=0)
    if not daemon.start():
        raise RuntimeError(" / ".join(daemon.tail()))
    code, _, err = stage.run("-i", "-odb", "-f", "news@bulk.example", "someone@example.net")
    if code != 0 or not stages.wait_for(20, stage.queued):
        raise RuntimeError("the first message: %s %s" % (code, err))
    daemon.stop()
    begun = time.monotonic()
    fill(stage.queue, opt.messages)
    report.note("%d messages written in %.0f s" % (opt.messages, time.monotonic() - begun))
    begun = time.monotonic()
    up = daemon.start()
    report.case("the daemon answers at once, however much there is to be read", [] if up and time.monotonic() - begun < 2 * stage.patience else [" / ".join(daemon.tail())])
    with Caller(stage, report, "while the queue is read"):
        stages.wait_for(600, lambda: at_rest(daemon))
    report.note("started, read and at rest after %.1f s; the daemon's peak is %d kB" % (time.monotonic() - begun, serving(daemon)))
    check_list(opt, stage, report, "sendmail", "-bp", lines=3 * opt.messages)
    check_list(opt, stage, report, "smtprelay", "queue", lines=opt.messages)
    check_list(opt, stage, report, "smtprelay", "queue", "--count", "--account", "bulk", lines=1, at_once=False)
    check_list(opt, stage, report, "smtprelay", "status", lines=3, code=1, at_once=False)
    check_list(opt, stage, report, "sendmail", "-qRsomeone", lines=0, at_once=False)
    slow_reader(stage, report)
    kb = serving(daemon)
    report.note("the daemon's peak is %d kB" % kb)
    if opt.messages > SHORT_QUEUE:
        report.case("the daemon's memory is a few bytes a message", ["%d kB" % kb] if kb > DAEMON_KB + opt.messages * ENTRY // 1000 else [])
    change_all(stage, report, "hold", opt.messages)
    change_all(stage, report, "remove", opt.messages)
    report.note("the daemon's peak is %d kB" % serving(daemon))
    daemon.stop()


def main():
    opt = options()
    report = stages.Report()
    stage = stages.Stage(opt.root, opt.programs)
    stage.patience = LONG_S if opt.messages > SHORT_QUEUE else 30
    try:
        hub = stages.Hub(stage, "", "--tls", "none")
        play(opt, stage, hub, stages.Daemon(stage), report)
        hub.stop()
    finally:
        stage.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
