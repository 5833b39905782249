"""A single-use worker: loads libraries, waits for one program, runs it, ends.

It is fenced in before the first import. Standard input is a socket: out goes `R` (ready), in comes
one JSON message with `args`, `stdin` (a path) and `limits` and the descriptors of standard output
and error, out goes the exit code. The program could send that code itself; it could as well exit
with it.
"""

from __future__ import annotations

import array
import importlib
import json
import os
import socket
import sys
import time

import confine  # type: ignore[import-not-found]
import play  # type: ignore[import-not-found]


def main() -> None:
    control = socket.socket(fileno=os.dup(0))
    for name in json.loads(sys.argv[1])["preload"]:
        importlib.import_module(name)
    control.send(b"R")
    message, extra, _, _ = control.recvmsg(1 << 16, socket.CMSG_SPACE(8))
    if not message:
        os._exit(0)
    job = json.loads(message)
    out, err = array.array("i", extra[0][2])[:2]
    for source, target in ((os.open(job["stdin"], os.O_RDONLY), 0), (out, 1), (err, 2)):
        os.dup2(source, target)
        os.close(source)
    confine.lower_limits(job["limits"], cpu_used=time.process_time())
    code = play.play(job["args"])
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # closes the pipes: the reader sees their end before the code
    os.dup2(nowhere, 2)
    control.send(str(code).encode())
    os._exit(code)


main()
