# SPDX-License-Identifier: ISC
"""Ports for servers that may be started more than once: none that the kernel hands to an outgoing connection while nobody listens.

    ports.py [N]     prints N of them, all different
"""
import random
import socket
import sys

FIRST, LAST = 12000, 28000
given = set()


def free_port():
    """A port of loopback that nobody has, below the range of outgoing connections (32768 and up, unless somebody changed it)"""
    for port in random.sample(range(FIRST, LAST), 200):
        if port in given:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        given.add(port)
        return port
    raise OSError("no free port between %d and %d" % (FIRST, LAST))


if __name__ == "__main__":
    print(*[free_port() for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1)])
