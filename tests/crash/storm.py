# SPDX-License-Identifier: ISC
"""Processes killed at random moments while letters are handed in: none is lost, none is cut, few arrive twice, nothing is left over.

usage: storm.py --root DIR --programs DIR [--letters N] [--seed N] [--without-daemon] [--two-hubs]

Each letter has a number and a checksum; the hub writes down each copy it took. SIGKILL goes to the supervisor, to the process that
serves, to workers, to all of them at once, and to sendmail. At the end the daemon is started once more and the queue runs dry.
With two hubs the one that is asked first is good, out of reach, silent, or has no time, and goes from one to the other without notice;
the configuration is written anew, and read again by SIGHUP, just as often.
The seed is printed; the same seed makes the same letters and the same choice of victims.
"""
import argparse
import collections
import os
import random
import re
import signal
import sys
import threading
import time

import stage as stages

CALLERS = 10
SCRIPT = """
option seed %d
# the verdict takes its time, so that there is a moment to be killed in; some have to try again
on dot chance 3
    sleep 0ms-900ms
    default
on dot chance 4
    sleep 0ms-40ms
    reply 451 4.3.0 not now
on dot chance 2
    close
on dot
    sleep 0ms-40ms
    default
on accepted chance 5
    close
on accepted chance 5
    reply 421 4.4.2 idle for too long
    close
"""

RUDE = "gone behind the dot"  # its 250 may be lost on the way
# what the smarthost that is asked first may be like
NATURES = {
    "good": SCRIPT,
    "black hole": "option listen blackhole\n",
    "refusing": "option listen no\n",
    "silent": "on greeting\n    hang\n",
    "closing": "on connect\n    reset\n",
    "busy": "on greeting\n    reply 421 4.3.2 too busy\n    close\n",
    "putting off": "on MAIL chance 30\n    reply 451 4.3.0 not now\n",
    RUDE: "on dot chance 50\n    close\non dot\n    reply 250 2.0.0 taken\n    reset\n",
}

# how a call came to its end
TAKEN, REFUSED, UNKNOWN, NEVER = "taken", "refused", "unknown", "never"


class Call:
    """What is known of one letter: what its caller was told"""

    def __init__(self, letter, way):
        self.letter, self.way = letter, way
        self.end = None
        self.code = None
        self.text = ""


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--letters", type=int, default=250)
    p.add_argument("--seed", default=os.environ.get("SEED", ""))
    p.add_argument("--without-daemon", action="store_true")
    p.add_argument("--two-hubs", action="store_true")
    return p.parse_args()


# ---------------------------------------------------------------- the callers


def make_letter(number, dice):
    size = dice.choices([dice.randrange(100, 4000), dice.randrange(60000, 200000), dice.randrange(1100000, 2200000)], [92, 7, 1])[0]
    return stages.Letter(number, size, dice.choice([1, 1, 1, 2]))


def make_calls(count, dice):
    ways = ["plain"] * 60 + ["-odb"] * 12 + ["-odq"] * 6 + ["bs"] * 12 + ["half"] * 10
    return [Call(make_letter(n, dice), dice.choice(ways)) for n in range(count)]


def judge(call, code, text):
    """What the exit code says of the letter"""
    call.code, call.text = code, text
    if code == 0:
        call.end = TAKEN
    elif code is not None and code < 0:
        call.end = UNKNOWN  # the storm has killed it
    elif code == 75 and "may have been sent" in text:
        call.end = UNKNOWN
    else:
        call.end = REFUSED


def say_plain(stage, call, uid):
    arguments = [call.way] if call.way.startswith("-") else []
    judge(call, *stage.send(call.letter, *arguments, uid=uid))


def say_half(stage, call, uid, dice):
    """A caller that dies before its last byte: nothing may be sent"""
    text = call.letter.text()
    p = stage.call(["-i", "-f", "alice@example.org", "--"] + call.letter.recipients, uid=uid)
    try:
        p.stdin.write(text[:dice.randrange(len(text))])
        p.stdin.flush()
        time.sleep(dice.random() * 0.03)
    except OSError:
        pass  # the storm was quicker
    p.kill()
    try:
        p.stdin.close()
    except OSError:
        pass
    p.wait()
    p.stdout.close()
    p.stderr.close()
    stage.ended(p)
    call.end, call.code = NEVER, -signal.SIGKILL


def read_reply(stream):
    """(code, text) of one reply of any number of lines; (0, "") where there is no more"""
    text = []
    while True:
        line = stream.readline().decode("utf-8", "replace").rstrip("\r\n")
        if len(line) < 3:
            return 0, ""
        text.append(line[4:])
        if line[3:4] != "-":
            return int(line[:3]), " ".join(text)


def speak(p, call):
    """A letter over SMTP; the reply to its last line decides"""
    body = re.sub(rb"^\.", b"..", call.letter.text(), flags=re.M).replace(b"\n", b"\r\n")
    lines = [b"EHLO c", b"MAIL FROM:<alice@example.org>"] + [b"RCPT TO:<%s>" % r.encode() for r in call.letter.recipients]
    code, text = read_reply(p.stdout)
    for line in lines + [b"DATA"]:
        if code // 100 != 2:
            break
        p.stdin.write(line + b"\r\n")
        p.stdin.flush()
        code, text = read_reply(p.stdout)
    if code != 354:
        return REFUSED, text
    p.stdin.write(body + b".\r\n")
    p.stdin.flush()
    code, text = read_reply(p.stdout)
    if code // 100 == 2:
        return TAKEN, text
    return UNKNOWN if code == 0 or "may have been sent" in text else REFUSED, text


def say_bs(stage, call, uid):
    p = stage.call(["-bs"], uid=uid)
    watchdog = threading.Timer(90, p.kill)
    watchdog.start()
    try:
        call.end, call.text = speak(p, call)
    except OSError:
        call.end = UNKNOWN
    try:
        p.stdin.close()
    except OSError:
        pass
    p.wait()
    if not watchdog.is_alive():
        call.end, call.code, call.text = REFUSED, None, "it hangs"
    watchdog.cancel()
    p.stdout.close()
    p.stderr.close()
    stage.ended(p)


class Caller(threading.Thread):
    def __init__(self, stage, calls, seed):
        super().__init__(daemon=True)
        self.stage, self.calls, self.dice = stage, calls, random.Random(seed)

    def run(self):
        while True:
            try:
                call = self.calls.popleft()
            except IndexError:
                return
            uid = self.dice.choice([0, stages.OTHER_UID])
            if call.way == "half":
                say_half(self.stage, call, uid, self.dice)
            elif call.way == "bs":
                say_bs(self.stage, call, uid)
            else:
                say_plain(self.stage, call, uid)
            if call.end == REFUSED:
                time.sleep(0.05)  # nobody serves just now: not all the others into the same gap


# ---------------------------------------------------------------- two smarthosts


class Fickle:
    """A smarthost at one port that is now this, now that; each of its lives has a folder of its own"""

    def __init__(self, stage, dice):
        self.stage, self.dice, self.port = stage, dice, 0
        self.lives = []
        self.natures = []

    def begin(self, nature):
        script = NATURES[nature]
        hub = stages.Hub(self.stage, script % self.dice.randrange(1000) if "%d" in script else script, port=self.port)
        self.port = hub.port
        self.lives.append(hub)
        self.natures.append(nature)

    def change(self):
        """How many transactions that can have torn: one for each session that was open"""
        hub = self.lives[-1]
        stages.kill(hub.process.pid, signal.SIGSTOP)  # no session begins behind our back
        torn = len(stages.descendants(hub.process.pid))
        hub.stop()
        self.begin(self.dice.choice(sorted(NATURES)))
        return torn

    def torn(self):
        """What it took without saying so for certain"""
        return sum(hub.count() for hub, nature in zip(self.lives, self.natures) if nature == RUDE)


class Smarthosts:
    """One, or two of which the first is not to be relied upon"""

    def __init__(self, stage, dice, seed, two, mode):
        self.stage, self.dice, self.mode = stage, dice, mode
        self.good = stages.Hub(stage, SCRIPT % seed)
        self.fickle = Fickle(stage, dice) if two else None
        if two:
            self.fickle.begin(dice.choice(sorted(NATURES)))
        self.configure()

    def configure(self, **settings):
        if self.fickle:
            settings["mailhub"] = '("127.0.0.1:%d", "127.0.0.1:%d")' % (self.fickle.port, self.good.port)
        self.stage.configure(self.good, mode=self.mode, InteractiveTimeout="500ms",
                             ConnectTimeout="10s" if self.fickle else "20s", **settings)

    def reconfigure(self):
        self.configure(Workers=self.dice.randrange(1, 6), IdleTimeout=self.dice.choice(["1s", "30s"]),
                       hostname="h%d.example.org" % self.dice.randrange(100))

    def all(self):
        return [self.good] + (self.fickle.lives if self.fickle else [])

    def running(self):
        return [self.good] + (self.fickle.lives[-1:] if self.fickle else [])

    def copies(self):
        return [c for hub in self.all() for c in hub.copies()]

    def odd(self):
        return [line for hub in self.all() for line in hub.odd()]


# ---------------------------------------------------------------- the storm


class Storm:
    """Kills, and counts how many transactions each kill can have torn: at most one for each worker that it reached"""

    def __init__(self, stage, daemon, hubs, dice):
        self.stage, self.daemon, self.hubs, self.dice = stage, daemon, hubs, dice
        self.kills = collections.Counter()
        self.torn = 0
        self.faults = []
        self.last_big = None

    def strike(self):
        if self.hubs.fickle and self.dice.random() < 0.2:
            self.dice.choice([self.weather, self.reload])()
            return
        kind = self.dice.choices(["worker", "serve", "supervisor", "all", "sendmail"], [40, 12, 12, 12, 24])[0]
        if not self.daemon and kind != "sendmail":
            kind = self.dice.choice(["worker", "direct"])
        # one supervisor waits longer after each time its child has died; a new one does not
        if kind == "serve" and self.last_big == "serve":
            kind = "supervisor"
        if kind in ("serve", "supervisor", "all"):
            self.last_big = kind
        getattr(self, kind)()

    def weather(self):
        self.torn += self.hubs.fickle.change()
        self.kills["weather"] += 1

    def reload(self):
        """Nobody may notice"""
        self.hubs.reconfigure()
        if self.daemon:
            stages.kill(self.daemon.process.pid, signal.SIGHUP)
            self.kills["reload"] += 1

    def victim(self, found):
        return self.dice.choice(sorted(found, key=lambda p: p.pid)) if found else None

    def below(self, pid):
        return [p for p in stages.descendants(pid) if not p.zombie]

    def hit(self, kind, pid, torn):
        if pid and stages.kill(pid):
            self.kills[kind] += 1
            self.torn += torn

    def worker(self):
        found = self.victim([p for p in self.below(os.getpid()) if p.name.startswith("smtprelay-work")])
        self.hit("worker", found and found.pid, 1)

    def sendmail(self):
        with self.stage.lock:
            pids = sorted(self.stage.callers)
        # its own helpers go on without it: nothing is torn
        self.hit("sendmail", self.dice.choice(pids) if pids else None, 0)

    def direct(self):
        """A process of a call without the daemon"""
        found = self.victim([p for p in self.below(os.getpid()) if p.name == "smtprelayd"])
        self.hit("direct", found and found.pid, 1)

    def serve(self):
        serving, workers = self.daemon.parts()
        found = self.victim(serving)
        self.hit("serve", found and found.pid, len(workers))

    def supervisor(self):
        workers = self.daemon.parts()[1]
        others = self.daemon.parts()[0] + workers
        self.hit("supervisor", self.daemon.process.pid, len(workers))
        self.daemon.process.wait()
        left = stages.wait_for(40, lambda: not [p for p in others if is_alive(p)])
        if not left:
            self.faults.append("what the supervisor had started outlives it")
            for p in others:
                stages.kill(p.pid)
        self.again()

    def all(self):
        self.kills["all"] += 1
        self.torn += len(self.daemon.parts()[1])
        self.daemon.kill_all()
        self.again()

    def again(self):
        if not self.daemon.start():
            self.faults.append("the daemon does not start again: %s" % " / ".join(self.daemon.tail(3)))

    def rage(self, callers):
        while any(c.is_alive() for c in callers):
            time.sleep(self.dice.random() * 0.06)
            self.stage.processes()
            self.strike()


def is_alive(process):
    now = stages.read_process(process.pid)
    return bool(now) and now.name == process.name and not now.zombie


# ---------------------------------------------------------------- afterwards


def run_dry(stage, daemon, *hubs):
    """One start, and everything that waits goes out; the faults"""
    if daemon:
        if daemon.stop() not in (0, 143, -signal.SIGTERM):
            yield "the daemon does not end well: %s" % " / ".join(daemon.tail(3))
            daemon.kill_all()
    if not stages.wait_for(60, lambda: not stage.processes(hubs)):
        yield "somebody stays: %s" % [(p.name, p.arguments) for p in stage.processes(hubs)][:5]
    if daemon and not daemon.start():
        yield "the daemon does not start: %s" % " / ".join(daemon.tail(3))
        return
    # over some three workers may have been killed: those are held until somebody lets them go
    code, _, err = stage.run("release", "--held", "--yes", program="smtprelay")
    if code != 0 and "no message" not in err:
        yield "release ends with %s: %s" % (code, err)
    end = time.monotonic() + 90
    while stage.queued() and time.monotonic() < end:
        if not daemon:
            code, _, err = stage.run("-q")
            if code != 0:
                yield "sendmail -q ends with %s: %s" % (code, err)
                return
        time.sleep(0.05)
    if daemon:
        code = daemon.stop()
        if code not in (0, 143, -signal.SIGTERM):
            yield "the daemon ends with %s: %s" % (code, " / ".join(daemon.tail(3)))
    if not stages.wait_for(60, lambda: not stage.processes(hubs)):
        yield "somebody stays: %s" % [(p.name, p.arguments) for p in stage.processes(hubs)][:5]


def deaths(daemon, kills):
    """Those that nobody of us has caused"""
    with open(daemon.log, errors="replace") as f:
        lines = f.read().splitlines()
    ended = [line for line in lines if "the daemon process was ended" in line or "the daemon process ended" in line]
    if len(ended) > kills["serve"]:
        yield "%d times in %d kills: %s" % (len(ended), kills["serve"], " / ".join(sorted(set(ended))))
    yield from (line for line in lines if "Sanitizer" in line or "runtime error" in line or "panic" in line)


def arrivals(copies):
    """(number, recipient) -> its copies, in the order they were taken"""
    found = collections.defaultdict(list)
    for copy in sorted(copies, key=lambda c: c.taken):
        for r in copy.recipients:
            found[copy.number, r].append(copy)
    return found


def keys(calls, *ends):
    return [(c, (c.letter.number, r)) for c in calls if c.end in ends for r in c.letter.recipients]


def lost(calls, found):
    for call, key in keys(calls, TAKEN):
        if key not in found:
            yield "letter %d (%s) to %s was taken and did not arrive" % (call.letter.number, call.way, key[1])


def unwanted(calls, found):
    for call, key in keys(calls, REFUSED, NEVER):
        if key in found:
            yield "letter %d (%s) ended with %s '%s' and arrived" % (call.letter.number, call.way, call.code, call.text)


def odd_ends(calls):
    for call in calls:
        if call.end is None or call.way not in ("bs", "half") and call.code not in (0, 75, -signal.SIGKILL):
            yield "letter %d (%s) ended with %s: %s" % (call.letter.number, call.way, call.code, call.text)


def extra_copies(found):
    """How often letters were sent once more: both recipients of one letter get their second copies in one transaction"""
    extra = collections.defaultdict(int)
    for (number, _), copies in found.items():
        extra[number] = max(extra[number], len(copies) - 1)
    return sum(extra.values())


def many_ids(copies):
    """Whoever gets a letter twice can see that it is the same one"""
    ids = collections.defaultdict(set)
    for copy in copies:
        ids[copy.number].add(copy.id)
    for number, found in sorted(ids.items()):
        if len(found) > 1 or not min(found):
            yield "letter %s: %s" % (number, sorted(found))


def judge_all(report, what, stage, storm, calls):
    dry = list(run_dry(stage, storm.daemon, *storm.hubs.running()))
    copies = storm.hubs.copies()
    found = arrivals(copies)
    extra = extra_copies(found)
    if storm.hubs.fickle:
        storm.torn += storm.hubs.fickle.torn()
        report.note("the one asked first was %s" % dict(collections.Counter(storm.hubs.fickle.natures)))
    report.note("%s; %s; %d extra copies, at most %d torn" % (
        dict(storm.kills), dict(collections.Counter(c.end for c in calls)), extra, storm.torn))
    report.case("%s: each call ends with 0 or 75, and none hangs" % what, odd_ends(calls))
    report.case("%s: what was answered with exit 0 arrives, whatever was killed" % what, lost(calls, found))
    report.case("%s: what was refused, or cut off before its last byte, does not arrive" % what, unwanted(calls, found))
    report.case("%s: no more extra copies than transactions were on the wire at the kills" % what,
                ["%d, and only %d transactions can have been torn" % (extra, storm.torn)] if extra > storm.torn else [])
    report.case("%s: all copies of a letter have the same Message-ID" % what, many_ids(copies))
    report.case("%s: no letter arrives cut" % what, ["letter %s" % c.number for c in copies if not c.whole])
    report.case("%s: one start later the queue is empty" % what, storm.faults + dry + list(stage.leftovers()))
    report.case("%s: the smarthost saw no bad manners" % what, storm.hubs.odd())
    if storm.daemon:
        report.case("%s: it dies of nothing else" % what, deaths(storm.daemon, storm.kills))


def main():
    opt = options()
    seed = stages.seed_of(opt.seed)
    what = "without the daemon" if opt.without_daemon else "with the daemon"
    what += " and with two smarthosts" if opt.two_hubs else ""
    report = stages.Report()
    report.note("storm %s: %d letters, SEED=%d" % (what, opt.letters, seed))
    dice = random.Random(seed)
    stage = stages.Stage(opt.root, opt.programs)
    try:
        hubs = Smarthosts(stage, random.Random(dice.random()), seed, opt.two_hubs, 0o644 if opt.without_daemon else 0o600)
        daemon = None if opt.without_daemon else stages.Daemon(stage)
        if daemon and not daemon.start():
            report.case("the daemon starts", ["it does not: " + " / ".join(daemon.tail())])
            return 1
        calls = make_calls(opt.letters, dice)
        todo = collections.deque(calls)
        callers = [Caller(stage, todo, dice.random()) for _ in range(CALLERS)]
        storm = Storm(stage, daemon, hubs, random.Random(dice.random()))
        for c in callers:
            c.start()
        storm.rage(callers)
        judge_all(report, what, stage, storm, calls)
        if report.failed and daemon:
            for line in daemon.tail(30):
                report.note(line)
    finally:
        if not os.environ.get("KEEP"):
            stage.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
