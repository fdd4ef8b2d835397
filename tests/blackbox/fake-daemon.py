# SPDX-License-Identifier: ISC
"""A server on the hand-over socket that behaves as told: fake-daemon.py SOCKET MODE FOLDER [UID]

Puts its process id into FOLDER/pid once it listens, and what it took as a message into FOLDER/taken.
"""
import os
import re
import socket
import sys
import time

path, mode, folder = sys.argv[1:4]


def hang(*_):
    time.sleep(120)


def greet(c, wait=0):
    c.sendall(b"220 fake.example.org ESMTP smtprelay wait=%d\r\n" % wait)


def read_all(c):
    """Commands and chunks up to the last one; the number of replies due, or None at an early end"""
    data, replies, message = b"", 0, b""
    while True:
        line, newline, rest = data.partition(b"\n")
        if not newline:
            piece = c.recv(65536)
            if not piece:
                return None
            data += piece
            continue
        data, replies = rest, replies + 1
        chunk = re.match(rb"BDAT (\d+)( LAST)?", line)
        if not chunk:
            continue
        size = int(chunk.group(1))
        while len(data) < size:
            piece = c.recv(65536)
            if not piece:
                return None
            data += piece
        message, data = message + data[:size], data[size:]
        if chunk.group(2):
            with open(folder + "/taken", "wb") as f:
                f.write(message)
            return replies


def good(c):
    greet(c)
    replies = read_all(c)
    if replies:
        c.sendall(b"250 2.0.0 ok\r\n" * replies)
        c.recv(1)


def no_answer(c):
    greet(c, 2)
    read_all(c)
    hang()


def refuses_and_hangs(c):
    greet(c, 1)
    read_all(c)
    c.sendall(b"250 2.0.0 ok\r\n" * 2 + b"550 5.1.1 EX67 bob: no such user\r\n")
    hang()


def half_answer(c):
    greet(c)
    replies = read_all(c)
    c.sendall(b"250 2.0.0 ok\r\n" * (replies - 1) + b"250 2.0.0 o")


def stall(c):
    greet(c)
    hang()


def ends_early(c):
    greet(c)
    c.recv(100)


def ends_late(c):
    greet(c)
    read_all(c)


def no_line(c):
    while True:
        c.sendall(b"220-x")
        time.sleep(0.2)


def flood(c):
    while True:
        c.sendall(b"220-" + b"x" * 60000)


def busy(c):
    c.sendall(b"421 4.3.2 EX75 smtprelayd: too busy\r\n")


def odd_codes(c):
    greet(c)
    replies = read_all(c)
    c.sendall(b"250 2.0.0 ok\r\n" * (replies - 1) + b"550 5.0.0 EX00 smtprelayd: a code that is none\r\n")


s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(path)
os.chmod(path, 0o666)
if sys.argv[4:] and sys.argv[4]:
    os.chdir(folder)
    folder = "."
    os.setuid(int(sys.argv[4]))  # a peer's credentials are those of who called listen(2)
s.listen(0 if mode == "backlog" else 10)
waiting = []
if mode == "backlog":
    for _ in range(10):
        w = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        w.setblocking(False)
        try:
            w.connect(path)
        except OSError:
            break
        waiting.append(w)
with open(folder + "/pid.new", "w") as f:
    f.write(str(os.getpid()))
os.rename(folder + "/pid.new", folder + "/pid")
if mode == "backlog":
    hang()
while True:
    connection, _ = s.accept()
    try:
        (hang if mode == "silent" else globals()[mode])(connection)
    except OSError:
        pass
    connection.close()
