"""The answer's own process: defines what it was given and answers calls, one JSON line each.

It is told the code, the entry point and the arguments of each call, never the tests. Whatever
the code does in here, all it can send out is a return value, an exception or silence.
Lines in: {"setup": {code, entry_point, file?, seconds?, calls?, strict?, budget?}}, then
{"id", "args", "kwargs"}.
Lines out: {"id", "value" | "raised" | "not_plain", "args"?, "same"?}; `args` holds changed
arguments, `same` the number of the argument that was returned itself.
With `calls`, they are answered in order into the file named `file`, with the seconds that each
took, until the last, the first that is too slow (`strict`), or `budget` seconds; then it ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import types
from typing import Any, TextIO

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

from literals import NotPlain, decode, encode  # type: ignore[import-not-found]

_MESSAGE = 500  # characters of an exception's message that cross


class OutOfTime(BaseException):
    """A call took longer than its share."""


def describe(error: BaseException) -> dict[str, str]:
    """Type name, builtin ancestors and message of an exception, as plain text."""
    try:
        text = str(error)[:_MESSAGE]
    except BaseException:
        text = ""
    names = [k.__name__ for k in type(error).__mro__ if k.__module__ == "builtins"]
    return {"type": type(error).__name__, "builtin": names[0], "message": text}


def reply(function: Any, call: dict[str, Any]) -> dict[str, Any]:
    """Make one call and say what came of it."""
    args = [decode(item) for item in call["args"]]
    kwargs = {name: decode(item) for name, item in call.get("kwargs", {}).items()}
    out: dict[str, Any] = {"id": call["id"]}
    try:
        value = function(*args, **kwargs)
        out["value"] = encode(value)
        for at, item in enumerate(args):
            if value is item and isinstance(item, (list, dict, set, bytearray)):
                out["same"] = at
    except NotPlain as error:
        out["not_plain"] = str(error)[:_MESSAGE]
    except BaseException as error:
        out["raised"] = describe(error)
    try:
        after = [encode(item) for item in args]
        changed = {str(at): w for at, w in enumerate(after) if w != call["args"][at]}
        named = {k: encode(v) for k, v in kwargs.items()}
        changed |= {k: w for k, w in named.items() if w != call["kwargs"][k]}
    except BaseException:
        changed = {}
    if changed:
        out["args"] = changed
    return out


def define(setup: dict[str, Any]) -> Any:
    """Run the answer's text as a module of its own and return its entry point."""
    module = types.ModuleType("answer")
    sys.modules["answer"] = module
    exec(compile(setup["code"], "answer.py", "exec"), module.__dict__)  # noqa: S102
    name = setup["entry_point"]
    if name not in module.__dict__ and isinstance(module.__dict__.get("Solution"), type):
        return getattr(module.__dict__["Solution"](), name)
    return module.__dict__[name]


def _alarm(*_: Any) -> None:
    raise OutOfTime


def main() -> None:
    """Serve one answer until the other side closes the pipe."""
    source, sink = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 0)
    os.dup2(quiet, 1)
    setup = json.loads(source.readline())["setup"]
    target: TextIO = open(setup["file"], "w") if setup.get("file") else sink  # noqa: PTH123, SIM115

    def say(line: dict[str, Any]) -> None:
        try:
            text = json.dumps(line)
        except BaseException as error:
            text = json.dumps({"id": line["id"], "raised": describe(error)})
        target.write(text + "\n")
        target.flush()

    try:
        function = define(setup)
    except BaseException as error:
        say({"id": -1, "raised": describe(error)})
        return
    say({"id": -1, "value": True})
    if "calls" in setup:
        signal.signal(signal.SIGALRM, _alarm)
        clock = time.perf_counter
        begun = clock()
        for call in setup["calls"]:
            if clock() - begun > setup["budget"]:
                return
            start = clock()
            signal.setitimer(signal.ITIMER_REAL, setup["seconds"])
            try:
                line = reply(function, call)
            except OutOfTime as error:
                line = {"id": call["id"], "raised": describe(error)}
            signal.setitimer(signal.ITIMER_REAL, 0)
            line["seconds"] = clock() - start
            say(line)
            if line.get("raised", {}).get("type") == OutOfTime.__name__ and setup["strict"]:
                return
        return
    for text in source:
        say(reply(function, json.loads(text)))


if __name__ == "__main__":
    main()
