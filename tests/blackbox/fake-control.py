# SPDX-License-Identifier: ISC
"""A server on the control socket that behaves as told: fake-control.py SOCKET MODE FOLDER [UID]

Puts its process id into FOLDER/pid once it listens, and each request line into FOLDER/asked.
"""
import os
import socket
import sys
import time

path, mode, folder = sys.argv[1:4]

ANSWERS = {
    "good": b" one\n\n  two\n=0 \n",
    "refuse": b" bob: refused\n=67 bob: nobody\n",
    "half": b" one\n tw",
    "garbage": b"220 hello\n",
    "slow": b"",
}

s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(path)
os.chmod(path, 0o666)
if sys.argv[4:] and sys.argv[4]:
    os.chdir(folder)
    folder = "."
    os.setuid(int(sys.argv[4]))  # a peer's credentials are those of who called listen(2)
s.listen(10)
with open(folder + "/pid.new", "w") as f:
    f.write(str(os.getpid()))
os.rename(folder + "/pid.new", folder + "/pid")
while True:
    c, _ = s.accept()
    try:
        line = b""
        while not line.endswith(b"\n"):
            piece = c.recv(65536)
            if not piece:
                break
            line += piece
        if line:
            with open(folder + "/asked", "ab") as f:
                f.write(line)
        if mode == "silent":
            time.sleep(120)
        elif mode == "slow":  # longer than anybody waits for nothing
            for _ in range(25):
                c.sendall(b"\n")
                time.sleep(1)
            c.sendall(b" at last\n=0 \n")
        elif mode == "flood":
            while True:
                c.sendall(b" a line of a list that has no end\n" * 1000)
        else:
            c.sendall(ANSWERS[mode])
    except OSError:
        pass
    c.close()
