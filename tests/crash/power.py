# SPDX-License-Identifier: ISC
"""The power goes while callers hand in mail: copies of the disk under the queue, as it is at that instant, are looked at.

usage: power.py --root DIR --programs DIR [--cuts N] [--seed N]

The queue lies on a file system of its own in an image file, once for each kind there is a mkfs for. The daemon is stopped (it
makes no call then), the image copied, the daemon goes on. What a caller had an exit 0 for before that is in the copy, whole:
what the kernel has not written yet is not in it. Needs root, a mount namespace and loop devices.
"""
import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import stage as stages

# how it is made, and with what option a copy of it is mounted beside it (btrfs: since Linux 6.7)
MAKERS = (("ext4", ["mkfs.ext4", "-q"], ""), ("xfs", ["mkfs.xfs", "-q"], ",nouuid"), ("btrfs", ["mkfs.btrfs", "-q"], ""))
IMAGE_BYTES = 400 << 20
LETTERS_MAX = 4000  # of a caller: the image is not to be full
CALLERS = 4
HEAD = re.compile(rb"smtprelay-record 1 (\d{10}) (\d{16})\n")
END = b"\nsmtprelay-end\n"


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--root", required=True)
    p.add_argument("--programs", required=True)
    p.add_argument("--cuts", type=int, default=10)
    p.add_argument("--seed", default=os.environ.get("SEED", ""))
    return p.parse_args()


def sbin(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}).returncode == 0


def unmount(folder):
    """A process that is just being started may still hold what this one had open"""
    stages.wait_for(20, sbin, ["umount", folder])


class Disk:
    """An image with a file system, mounted"""

    def __init__(self, stage, maker, twin):
        self.image, self.folder, self.twin = stage.work + "/image", stage.folder("disk"), twin
        with open(self.image, "wb") as f:
            f.truncate(IMAGE_BYTES)
        self.works = sbin(maker + [self.image]) and sbin(["mount", "-o", "loop", self.image, self.folder])

    def copy(self, name):
        """As it is at one instant; False where the kernel does not stop writing to it"""
        for _ in range(50):
            subprocess.run(["cp", "--sparse=always", self.image, name], check=True)
            if sbin(["cmp", "-s", self.image, name]):
                return True
            time.sleep(0.05)
        return False

    def close(self):
        unmount(self.folder)


# ---------------------------------------------------------------- what a copy holds


def read_record(path):
    """The number of the letter; None where it is not whole"""
    with open(path, "rb") as f:
        text = f.read()
    head = HEAD.match(text)
    if not head or not text.endswith(END):
        return None
    begin, size = int(head.group(1)), int(head.group(2))
    if len(text) != begin + size + len(END):
        return None
    header, _, body = text[begin:begin + size].replace(b"\r\n", b"\n").partition(b"\n\n")
    number = re.search(rb"^X-Number: (\d+)$", header, re.M)
    wanted = re.search(rb"^X-Sum: (\w+)$", header, re.M)
    if not number or not wanted or hashlib.sha1(body).hexdigest() != wanted.group(1).decode():
        return None
    return int(number.group(1))


def look(stage, disk, image, accepted):
    """Reasons why this is not what the power may leave"""
    folder = stage.work + "/copy"
    os.makedirs(folder, exist_ok=True)
    if not sbin(["mount", "-o", "loop" + disk.twin, image, folder]):
        return ["the copy cannot be mounted"]
    try:
        if os.stat(folder).st_dev == os.stat(disk.folder).st_dev:
            return ["the kernel takes the copy for the file system it knows already"]
        queue = folder + "/queue/queue"
        names = os.listdir(queue) if os.path.isdir(queue) else []
        numbers = {name: read_record(queue + "/" + name) for name in names}
    finally:
        unmount(folder)
    there = set(numbers.values())
    faults = ["%s is not whole" % name for name, number in numbers.items() if number is None]
    return faults + ["letter %d was accepted and is lost" % n for n in sorted(accepted - there)]


# ---------------------------------------------------------------- callers


class Callers:
    def __init__(self, stage, dice):
        self.stage, self.dice = stage, dice
        self.accepted, self.ended = set(), False
        self.lock = threading.Lock()
        self.next = 0
        self.threads = [threading.Thread(target=self.hand_in, daemon=True) for _ in range(CALLERS)]
        for t in self.threads:
            t.start()

    def hand_in(self):
        for _ in range(LETTERS_MAX):
            if self.ended:
                return
            with self.lock:
                self.next += 1
                letter = stages.Letter(self.next, self.dice.choice((100, 3000, 30000, 70000)))
            code, _ = self.stage.send(letter, "-odq")
            if code == 0:
                with self.lock:
                    self.accepted.add(letter.number)

    def so_far(self):
        with self.lock:
            return set(self.accepted)

    def end(self):
        self.ended = True
        for t in self.threads:
            t.join(90)


def cuts(opt, stage, daemon, disk, dice):
    """Reasons why not all is well; how many letters were accepted"""
    callers = Callers(stage, dice)
    faults, looked = [], 0
    for _ in range(opt.cuts):
        time.sleep(dice.uniform(0.05, 0.5))
        serving, _ = daemon.parts()
        for process in serving:
            stages.kill(process.pid, signal.SIGSTOP)
        accepted = callers.so_far()
        copied = disk.copy(stage.work + "/cut")
        looked += copied
        for process in serving:
            stages.kill(process.pid, signal.SIGCONT)
        if copied:
            faults += look(stage, disk, stage.work + "/cut", accepted)
    callers.end()
    if looked < opt.cuts / 2:
        faults.append("only %d copies could be made" % looked)
    return faults, len(callers.accepted)


def play(opt, report, kind, maker, twin, dice):
    stage = stages.Stage(opt.root, opt.programs)
    disk = Disk(stage, maker, twin)
    daemon = stages.Daemon(stage)
    try:
        if not disk.works:
            report.note("no %s in an image here" % kind)
            return
        stage.queue = disk.folder + "/queue"
        os.mkdir(stage.queue, 0o700)
        os.chmod(disk.folder, 0o711)
        hub = stages.Hub(stage)
        stage.configure(hub)
        if not daemon.start():
            report.case("the daemon starts", ["it does not: " + " / ".join(daemon.tail())])
            return
        faults, accepted = cuts(opt, stage, daemon, disk, dice)
        if accepted < opt.cuts:
            faults.append("only %d letters were accepted: this has tried nothing" % accepted)
        report.case("%s: what was accepted is on the disk, whole, at any instant (%d letters)" % (kind, accepted), faults)
    finally:
        if daemon.process:
            daemon.kill_all()
        disk.close()
        stage.close()


def main():
    opt = options()
    report = stages.Report()
    if not stages.IS_ROOT:
        report.note("power: only root can mount")
        return 0
    if not os.environ.get("POWER_INSIDE"):
        # what is mounted here goes with this process
        if not sbin(["unshare", "--mount", "true"]):
            report.note("power: no mount namespace")
            return 0
        os.environ["POWER_INSIDE"] = "yes"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-B"] + sys.argv)
    seed = stages.seed_of(opt.seed)
    report.note("power: SEED=%d" % seed)
    for kind, maker, twin in MAKERS:
        if shutil.which(maker[0], path="/usr/sbin:/usr/bin:/sbin:/bin"):
            play(opt, report, kind, maker, twin, random.Random(seed))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
