# SPDX-License-Identifier: ISC
"""Ports for servers that may be started more than once: none that the kernel hands to an outgoing connection while nobody listens."""
import random
import socket

FIRST, LAST = 12000, 28000


def free_port():
    """A port of loopback that nobody has, below the range of outgoing connections (32768 and up, unless somebody changed it)"""
    for port in random.sample(range(FIRST, LAST), 200):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise OSError("no free port between %d and %d" % (FIRST, LAST))


if __name__ == "__main__":
    print(free_port())
