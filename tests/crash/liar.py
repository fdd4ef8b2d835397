# SPDX-License-Identifier: ISC
"""A worker in which a smarthost has taken over: whatever it says, it harms the messages it was given, nobody else.

usage: liar.py --root DIR --programs DIR [--letters N] [--seed N]

Another program stands in the worker's place. It takes each message, and answers with packets of the right form and the wrong content,
with packets of no form, with too few, with too many, or with its end. The seed is printed.
"""
import argparse
import collections
import glob
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading

import stage as stages

CALLERS = 6
PYTHON = "/usr/bin/python3"  # another one may lie where only root comes
ENDS = (0, 65, 67, 69, 70, 71, 74, 75, 76, 77)
# ipc/job.h has the form of the packets
LIAR = """#!%s -BSE
import os, random, socket, struct, time
MAGIC = 0x534d5231
START, STEP, LOG, FACT, DONE, FAILED, HUB, CERTIFICATE, WAITS, TOKEN, CLIENT = 1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 13
UGLY = [b"\\n", b"\\r\\nX-Injected: yes\\r\\n", b"\\x1b[2J", b'"', b"\\xff", b" id=1 status=sent", b"\\\\", b"%%n", b"A" * 300, b"\\xc2\\x9b"]
try:
    s = socket.socket(fileno=3)
except OSError:
    os._exit(0)  # it was only tried whether it can be run
dice = random.Random("%d %%d" %% os.getpid())

def text(most):
    return b"".join(ugly + b"550 5.1.1 no " for ugly in [dice.choice(UGLY), UGLY[1], dice.choice(UGLY)])[:most - 1]

def used():
    words = [b'relay=x"y', b"relay=a id=1", b'tls="x status=sent"', b"auth=\x1b[2J", b"delays=0.1", text(60), b"status=sent", b"relay=127.0.0.1:25"]
    return b" ".join(dice.choices(words, k=4))

def packet(kind, a=0, b=0, rest=b""):
    return struct.pack("=IIII", MAGIC, kind, a & 0xffffffff, b & 0xffffffff) + rest

def fact(recipient):
    numbers = [dice.randrange(9), dice.randrange(6)] if dice.random() < 0.6 else dice.choices([-1, 12, 200, 2**31 - 1, -2**31], k=2)
    numbers += [dice.choice([0, 250, 421, 450, 550, 535, 99999, -5, 2**31 - 1])] + dice.choices([0, 1, 7], k=3)
    return packet(FACT, recipient, 0, struct.pack("=6i16s200s1000s", *numbers, dice.choice([b"5.1.1", b"2.0.0", b"\\n\\x1b", b"9.9.9"]),
                                                  dice.choice([b"127.0.0.1:25", text(199), b""]), text(999)))

def chatter():
    return dice.choice([
        packet(CERTIFICATE, dice.choice([0, 1, 2**30]), dice.randrange(2**32), text(150)), packet(HUB, dice.randrange(3), 0, text(190)),
        packet(TOKEN, 0, dice.randrange(2**32), b"short"), packet(CLIENT, 0, dice.randrange(2**32)), packet(LOG, dice.randrange(4), 0, text(900)),
        packet(STEP, 0, 0, b"s.step=x s.text=" + text(500)), packet(WAITS, 0, 0, text(90)), fact(0)])

def lie(recipients):
    for _ in range(dice.randrange(8)):
        s.send(chatter())
    for i in range(recipients):
        if dice.random() < 0.9:
            s.send(fact(dice.choice([recipients, 2**32 - 1]) if dice.random() < 0.05 else i))
    end = dice.random()
    if end < 0.1:
        os._exit(1)
    if end < 0.15:
        s.send(dice.randbytes(dice.randrange(1, 400)))
    elif end < 0.2:
        s.send(packet(FAILED, dice.randrange(20), 0, text(400)))
    s.send(packet(DONE, 0, 0, used()))

try:
    while True:
        said = s.recv(1 << 17)
        if not said:
            break
        kind, _, recipients = struct.unpack("=III", said[4:16])
        if kind == START:
            lie(recipients)
except OSError:
    pass  # it was thrown out
"""


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--letters", type=int, default=60)
    p.add_argument("--seed", default=os.environ.get("SEED", ""))
    return p.parse_args()


class Impostor:
    """The liar in the worker's place, as long as it is wanted"""

    def __init__(self, stage, seed):
        self.path = stage.root + "/libexec/smtprelay-worker"
        with open(self.path + ".liar", "w") as f:
            f.write(LIAR % (PYTHON if os.access(PYTHON, os.X_OK) else sys.executable, seed))
        os.chmod(self.path + ".liar", 0o755)

    def can_be_run(self):
        """By who the workers are, from where the tests lie"""
        who = {"user": stages.SERVICE_USER, "extra_groups": []} if stages.IS_ROOT else {}
        try:
            return subprocess.run([self.path + ".liar"], close_fds=True, stderr=subprocess.DEVNULL, **who).returncode == 0
        except OSError:
            return False

    def take_place(self):
        os.rename(self.path, self.path + ".true")
        os.rename(self.path + ".liar", self.path)

    def go(self):
        if os.path.exists(self.path + ".true"):
            os.rename(self.path + ".true", self.path)
        if os.path.exists(self.path + ".liar"):
            os.unlink(self.path + ".liar")


def is_shown(c):
    """May this character reach a terminal?"""
    return c in "\n\t" or not (ord(c) < 32 or 0x7f <= ord(c) < 0xa0 or 0xdc80 <= ord(c) < 0xdd00)


def ugly(where, text):
    for line in text.splitlines(keepends=False):
        if not all(map(is_shown, line)):
            yield "%s: %s" % (where, ascii(line))


def hand_in(stage, todo, ends):
    while True:
        try:
            letter = todo.popleft()
        except IndexError:
            return
        ends.append(stage.send(letter, *(["-v"] if letter.number % 3 == 0 else [])))
        if letter.number % 3 == 1:  # an account that was said to be out of order is asked again
            stages.kill(stage.daemon.process.pid, signal.SIGHUP)
            stage.run("-q")


def bad_ends(ends):
    yield from ("%s %s" % (code, text) for code, text in ends if code not in ENDS)
    for _, text in ends:
        yield from ugly("sendmail", text)


def answers(stage):
    """What the tools say, of all that the liar said"""
    for words in ("status", "queue", "log -n 1000", "status --json", "queue --json", "queue --failed --json", "test --daemon --json"):
        code, out, err = stage.run(*words.split(), program="smtprelay")
        if code not in ENDS + (1, 2):
            yield "%s ends with %s" % (words, code)
        yield from ugly(words, out + err)
        for line in out.splitlines() if "--json" in words else []:
            try:
                json.loads(line)
            except ValueError as e:
                yield "%s: %s: %s" % (words, e, line[:200])
    yield from ugly("mailq", stage.run("-bp")[1])


# of a line about a message; blanks stand between its words, but not in them
WORDS = "id uid client from to nrcpt size delay reply relay tls auth delays status why".split()


def forged(line):
    words = re.sub(r'"[^"]*"', "", line).split(" ")[1:]
    for word in words:
        if word.partition("=")[0] not in WORDS or not word.count("="):
            yield "%s is a word of: %s" % (word, line)
            return
    for name in ("id", "status"):
        if sum(word.startswith(name + "=") for word in words) != 1:
            yield "not one %s: %s" % (name, line)


def written(stage, daemon):
    """The log, the history, and the reports in the queue"""
    for path in (daemon.log, stage.queue + "/history"):
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as f:
            text = f.read()
        yield from ugly(os.path.basename(path), text)
        if "X-Injected" not in text:
            yield "%s has no word of the liar's" % os.path.basename(path)
        for line in text.split("\n") if path == daemon.log else []:
            if line.startswith("smtprelay: id=") and " status=" in line:
                yield from forged(line)
        yield from ("a line of its own: " + line for line in text.split("\n") if line.startswith(("X-Injected", "550 5.1.1")))
    for path in glob.glob(stage.queue + "/*/*"):
        with open(path, "rb") as f:
            if b"\nX-Injected" in f.read():
                yield "a header field of its own in " + path


def main():
    opt = options()
    seed = stages.seed_of(opt.seed)
    report = stages.Report()
    report.note("liar: %d letters, SEED=%d" % (opt.letters, seed))
    stage = stages.Stage(opt.root, opt.programs)
    impostor = Impostor(stage, seed)
    try:
        if not impostor.can_be_run():
            report.note("a program that lies there cannot be run by the workers' user")
            return 0
        impostor.take_place()
        hub = stages.Hub(stage)
        stage.configure(hub, InteractiveTimeout="500ms", LogLevel="debug", WarnAfter="1s", QueueLifetime="4s")
        daemon = stages.Daemon(stage)
        if not daemon.start():
            report.case("the daemon starts", ["it does not: " + " / ".join(daemon.tail())])
            return 1
        serving = [p.pid for p in daemon.parts()[0]]
        dice = random.Random(seed)
        todo = collections.deque(stages.Letter(n, 400, dice.randrange(1, 4)) for n in range(opt.letters))
        ends = []
        callers = [threading.Thread(target=hand_in, args=(stage, todo, ends), daemon=True) for _ in range(CALLERS)]
        for c in callers:
            c.start()
        for c in callers:
            c.join()
        report.case("whatever a worker says, each call ends well", bad_ends(ends))
        report.case("whatever a worker says, what the tools show is harmless", answers(stage))
        report.case("whatever a worker says, it writes no line of the log and no header field", written(stage, daemon))
        now = [p.pid for p in daemon.parts()[0]]
        report.case("whatever a worker says, the daemon goes on", [] if now == serving else daemon.tail(5))
        code = daemon.stop()
        report.case("and ends when it is told to", [] if code == 0 else ["%s: %s" % (code, " / ".join(daemon.tail(3)))])
    finally:
        impostor.go()
        if not os.environ.get("KEEP"):
            stage.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
