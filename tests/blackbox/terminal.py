# SPDX-License-Identifier: ISC
"""Run a program at a terminal of its own: terminal.py ANSWERS PROGRAM ARGUMENTS...

ANSWERS is "PROMPT=TEXT" lines: when PROMPT has appeared, TEXT (with \\n, \\x03 and so on) is typed. Prints what the terminal showed; the
last line is "exit CODE" or "signal NUMBER", and "echo on" or "echo off" as the program left the terminal.
"""
import os
import pty
import select
import sys
import termios
import time

LIMIT = 150


def is_echoing(fd):
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


def main():
    answers = [a.split("=", 1) for a in sys.argv[1].splitlines() if a]
    keep = os.open("/dev/null", os.O_RDONLY)
    master, slave = pty.openpty()
    os.set_inheritable(slave, True)
    pid = os.fork()
    if pid == 0:
        os.close(keep)
        os.close(master)
        os.login_tty(slave) if hasattr(os, "login_tty") else take_terminal(slave)
        os.execv(sys.argv[2], sys.argv[2:])
    shown, seen = b"", 0
    end, status = time.time() + LIMIT, None
    while time.time() < end:
        if select.select([master], [], [], 0.05)[0]:
            shown += os.read(master, 65536)
        elif status is not None:
            break
        if answers and answers[0][0].encode() in shown[seen:]:
            if "\\x03" in answers[0][1] or not is_echoing(slave) or "?" in answers[0][0]:
                seen = len(shown)
                os.write(master, answers.pop(0)[1].encode().decode("unicode_escape").encode("latin-1"))
        if status is None:
            done, code = os.waitpid(pid, os.WNOHANG)
            status = code if done else None
    if status is None:
        os.kill(pid, 9)
        status = os.waitpid(pid, 0)[1]
    sys.stdout.write(shown.decode("utf-8", "replace").replace("\r\n", "\n"))
    print("\n%s" % ("signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "exit %d" % os.WEXITSTATUS(status)))
    print("echo on" if is_echoing(slave) else "echo off")


def take_terminal(slave):
    import fcntl
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(slave, fd)


main()
