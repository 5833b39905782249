# ruff: noqa: PTH109
"""A long-lived worker: one JSON request per line in, one JSON reply per line out.

Run as `session_worker.py SPEC`, SPEC being JSON: `preload` (module names), `handler`
(`module:function`, found in the working folder). The function takes and returns what JSON can say.
Only our own code runs here; what it reads is untrusted, which is why it is fenced in.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import IO, Any


def main() -> None:
    spec = json.loads(sys.argv[1])
    sys.path[0] = os.getcwd()  # instead of the launcher's folder
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)  # a print must not be taken for a reply
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        for name in spec["preload"]:
            importlib.import_module(name)
        module, _, function = spec["handler"].partition(":")
        handle = getattr(importlib.import_module(module), function)
    except Exception as error:
        _send(replies, {"error": f"{type(error).__name__}: {error}"})
        return
    _send(replies, {"ready": True})
    for line in requests:
        request = json.loads(line)
        try:
            reply = {"id": request["id"], "value": handle(request["body"])}
            text = json.dumps(reply)
        except MemoryError:
            text = json.dumps({"id": request["id"], "error": "MemoryError", "memory": True})
        except (Exception, RecursionError) as error:
            said = f"{type(error).__name__}: {error}"[:2000]
            text = json.dumps({"id": request["id"], "error": said})
        replies.write(text + "\n")
        replies.flush()


def _send(replies: IO[str], message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


main()
