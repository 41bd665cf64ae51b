#!/usr/bin/env python3
"""A small client: python3 client.py HOST [PORT]. Type NICK you, then MSG text, WHO or QUIT."""

import socket
import sys
import threading


def send(server):
    """Sends each typed line, and QUIT at the end of the input."""
    try:
        for line in sys.stdin:
            server.sendall(line.rstrip("\r\n").encode() + b"\n")
        server.sendall(b"QUIT\n")
    except OSError:
        pass  # The server has closed the connection.


host, port = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 9000
with socket.create_connection((host, port)) as server:
    threading.Thread(target=send, args=(server,), daemon=True).start()
    for line in server.makefile(encoding="utf-8", errors="replace", newline="\n"):
        # A server may be hostile: nothing that a terminal obeys is shown.
        print("".join(c if c.isprintable() else "?" for c in line.rstrip("\r\n")), flush=True)
