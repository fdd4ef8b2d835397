# SPDX-License-Identifier: ISC
"""A go-between on loopback that writes down who came: relay.py plain|socks PORT FOLDER

Prints its own port; what comes goes on to 127.0.0.1:PORT. FOLDER/relay has a line for each connection: the address it came from
and, with socks (RFC 1928, no login), what was asked for: "name mx.example:25", "ip 127.0.0.1:25".
"""
import os
import socket
import sys
import threading

mode, port, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def exactly(s, n):
    data = b''
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            raise OSError('it has gone')
        data += piece
    return data


def socks(s):
    exactly(s, exactly(s, 2)[1])
    s.sendall(b'\5\0')
    kind = exactly(s, 4)[3]
    if kind == 3:
        host, what = exactly(s, exactly(s, 1)[0]).decode(), 'name'
    else:
        host, what = socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, exactly(s, 4 if kind == 1 else 16)), 'ip'
    wanted = int.from_bytes(exactly(s, 2), 'big')
    s.sendall(b'\5\0\0\1\0\0\0\0\0\0')
    return '%s %s:%d' % (what, host, wanted)


def copy(a, b):
    try:
        while True:
            data = a.recv(65536)
            if not data:
                break
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(s, peer):
    try:
        asked = socks(s) if mode == 'socks' else ''
    except OSError:
        return
    with open(os.path.join(folder, 'relay'), 'a') as f:
        f.write('%s %s\n' % (peer[0].replace('::ffff:', ''), asked))
    on = socket.create_connection(('127.0.0.1', port))
    threading.Thread(target=copy, args=(on, s), daemon=True).start()
    copy(s, on)


listener = socket.socket(socket.AF_INET6)
listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
listener.bind(('::', 0))
listener.listen(20)
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=listener.accept(), daemon=True).start()
