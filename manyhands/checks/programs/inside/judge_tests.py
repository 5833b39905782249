"""The tests' own process: runs them against a stand-in that asks the answer over the pipe.

Lines out: {"call": {id, args, kwargs}} and at the end {"verdict": …}. Lines in: the setup, then
one reply for each call: {"value" | "raised" | "not_plain" | "dead", "args"?}.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
import sys
import traceback
import types
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

from literals import NotPlain, decode, encode  # type: ignore[import-not-found]

_TEXT = 600
# Faults that a wrong kind of return value causes inside the assertion that uses it.
_OF_THE_VALUE = (TypeError, AttributeError, IndexError, KeyError, ValueError, ZeroDivisionError)


class AnswerError(Exception):
    """The answer raised an exception of its own type."""


class Stopped(BaseException):
    """The answer cannot go on or its value cannot cross; no test may swallow it."""


class Candidate:
    """Stands in for the answer: every call travels to the other process."""

    def __init__(self, source: Any, sink: Any, name: str) -> None:
        self._source, self._sink = source, sink
        self.__name__ = self.__qualname__ = name
        self.calls = 0
        self.last: dict[str, Any] = {}
        self.end: dict[str, str] = {}
        self.raised: BaseException | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.end:
            raise Stopped
        try:
            wire = [encode(item) for item in args]
            named = {name: encode(item) for name, item in kwargs.items()}
        except NotPlain as error:
            self.end = {"kind": "argument", "message": f"an argument cannot cross: {error}"}
            raise Stopped from None
        self.calls += 1
        shown = [_show(a) for a in args] + [f"{k}={_show(v)}" for k, v in kwargs.items()]
        self.last = {"args": shown, "wire": wire if len(json.dumps(wire)) < 20_000 else None}
        call = {"id": self.calls, "args": wire, "kwargs": named}
        self._sink.write(json.dumps({"call": call}) + "\n")
        self._sink.flush()
        reply = json.loads(self._source.readline())
        for key, changed in reply.get("args", {}).items():
            original = args[int(key)] if key.isdigit() else kwargs.get(key)
            self.last["changed"] = True
            try:
                _write_back(original, decode(changed))
            except NotPlain:
                reply = {"not_plain": "a changed argument"}
        return self._take(reply)

    def _take(self, reply: dict[str, Any]) -> Any:
        if "dead" in reply:
            self.end = {"kind": "dead", "message": str(reply["dead"])}
            raise Stopped
        if "raised" in reply:
            raised = reply["raised"]
            known = getattr(builtins, str(raised.get("builtin")), None)
            text = str(raised.get("message", ""))
            self.last["raised"] = f"{raised.get('type')}: {text}"[:_TEXT]
            if not (isinstance(known, type) and issubclass(known, Exception)):
                self.end = {"kind": "dead", "message": f"it ended with {self.last['raised']}"}
                raise Stopped
            try:
                error = known(text)
            except TypeError:
                error = AnswerError(f"{raised.get('type')}: {text}")
            self.raised = error
            raise error
        try:
            if "value" not in reply:
                raise NotPlain(str(reply.get("not_plain", "nothing")))
            value = decode(reply["value"])
        except NotPlain as error:
            self.end = {"kind": "value", "message": f"the answer returned {error}"}
            raise Stopped from None
        self.last["returned"] = _show(value)
        return value


def _show(value: Any) -> str:
    try:
        return repr(value)[:_TEXT]
    except Exception:
        return f"<{type(value).__name__}>"


def _write_back(original: Any, new: Any) -> None:
    """Make the caller's object look as the answer left its copy."""
    if type(original) is list and type(new) is list:
        if len(original) == len(new):
            for at, (old_item, item) in enumerate(zip(original, new, strict=True)):
                if type(old_item) is type(item) and isinstance(item, (list, dict, set)):
                    _write_back(old_item, item)
                else:
                    original[at] = item
        else:
            original[:] = new
    elif type(original) is type(new) and isinstance(original, (dict, set)):
        original.clear()
        original.update(new)
    elif isinstance(original, bytearray):
        original[:] = new
    elif type(original).__module__ == "numpy" and getattr(original, "shape", None) == new.shape:
        original[...] = new
    elif type(original).__module__.startswith("pandas"):
        raise NotPlain("a table changed in place")


def _assert_at(tree: ast.Module, line: int) -> ast.Assert | None:
    found = None
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or line):
            found = node
    return found


def _judge(setup: dict[str, Any], candidate: Candidate) -> dict[str, Any]:
    name, tests = setup["entry_point"], setup["tests"]
    module = types.ModuleType("tests")
    sys.modules["tests"] = module
    space = module.__dict__
    try:
        tree = ast.parse(tests)
        if setup["prelude"]:
            exec(compile(setup["prelude"], "prompt.py", "exec"), space)  # noqa: S102
        space[name] = space["candidate"] = candidate
        exec(compile(tree, "tests.py", "exec"), space)  # noqa: S102
        space[name] = space["candidate"] = candidate
        check = space.get("check")
        if callable(check):
            check(candidate)
        else:
            for key, value in list(space.items()):
                if key.startswith("test_") and isinstance(value, types.FunctionType):
                    value(*[candidate][: value.__code__.co_argcount])
    except Stopped:
        return {"verdict": "stopped", **candidate.end}
    except BaseException as error:
        return _failure(error, tree if "tree" in locals() else None, tests, candidate)
    if candidate.end:
        return {"verdict": "stopped", **candidate.end}
    if not candidate.calls:
        return {"verdict": "crash", "message": "the tests never called the answer"}
    return {"verdict": "pass"}


def _failure(
    error: BaseException, tree: ast.Module | None, tests: str, candidate: Candidate
) -> dict[str, Any]:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == "tests.py"]
    line = frames[-1].lineno or 0 if frames else 0
    node = _assert_at(tree, line) if tree is not None else None
    text = ast.get_source_segment(tests, node) if node is not None else ""
    if not text and line:
        text = tests.splitlines()[line - 1].strip()
    said = f"{type(error).__name__}: {_show(error)}"[:_TEXT]
    out = {"line": line, "assertion": (text or "")[:_TEXT], "message": said}
    if candidate.raised is not None and error is candidate.raised:
        return {"verdict": "fail", "why": "the answer raised", **out}
    if not candidate.calls:
        return {"verdict": "crash", **out}
    if isinstance(error, AssertionError):
        return {"verdict": "fail", "why": "an assertion failed", **out}
    if node is not None and isinstance(error, _OF_THE_VALUE):
        return {"verdict": "fail", "why": "what it returned has the wrong kind", **out}
    return {"verdict": "crash", **out}


def main() -> None:
    """Run the tests once and say the verdict."""
    source, sink = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 0)
    os.dup2(quiet, 1)
    setup = json.loads(source.readline())["setup"]
    candidate = Candidate(source, sink, setup["entry_point"])
    verdict = _judge(setup, candidate)
    verdict["calls"], verdict["last"] = candidate.calls, candidate.last
    sink.write(json.dumps(verdict) + "\n")
    sink.flush()


if __name__ == "__main__":
    main()
