"""The tests' own process: runs them against a stand-in that asks the answer over the pipe.

Lines out: {"call": {id, args, kwargs}} and at the end {"verdict": …}. Lines in: the setup, then
one reply for each call: {"value" | "raised" | "not_plain" | "dead", "args"?}.
Tests that pass are run again, in here, against a stand-in whose every result is wrong: tests that
pass then, too, look at nothing.
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
from verdicts import TEXT, failure, wrong  # type: ignore[import-not-found]


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
        self.results: list[Any] = []

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
        self.results.append(reply.get("value", ["e"]))
        for key, changed in reply.get("args", {}).items():
            original = args[int(key)] if key.isdigit() else kwargs.get(key)
            self.last["changed"] = True
            try:
                _write_back(original, decode(changed))
            except NotPlain:
                reply = {"not_plain": "a changed argument"}
        value = self._take(reply)
        at = reply.get("same", -1)
        own = args[at] if isinstance(at, int) and 0 <= at < len(args) else None
        return own if own is not None and type(own) is type(value) else value

    def _take(self, reply: dict[str, Any]) -> Any:
        if "dead" in reply:
            self.end = {"kind": "dead", "message": str(reply["dead"])}
            raise Stopped
        if "raised" in reply:
            raised = reply["raised"]
            known = getattr(builtins, str(raised.get("builtin")), None)
            text = str(raised.get("message", ""))
            self.last["raised"] = f"{raised.get('type')}: {text}"[:TEXT]
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


class Impostor:
    """Answers the same calls in the same order, each with a wrong value, and changes nothing."""

    def __init__(self, results: list[Any], name: str) -> None:
        self._left = iter(results)
        self.__name__ = self.__qualname__ = name

    def __call__(self, *_: Any, **__: Any) -> Any:
        try:
            return wrong(decode(next(self._left)))
        except StopIteration:
            raise Stopped from None


def _show(value: Any) -> str:
    try:
        return repr(value)[:TEXT]
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
    elif type(original).__module__.startswith("pandas") and type(original) is type(new):
        try:
            original._update_inplace(new)  # there is no public way to change rows and columns
        except Exception:
            raise NotPlain("a table changed in place") from None


def _run(setup: dict[str, Any], tree: ast.Module, candidate: Any) -> None:
    """Run the tests once, in a module of their own."""
    name = setup["entry_point"]
    module = types.ModuleType("tests")
    sys.modules["tests"] = module
    space = module.__dict__
    if setup["prelude"]:
        exec(compile(setup["prelude"], "prompt.py", "exec"), space)  # noqa: S102
    space[name] = space["candidate"] = candidate
    exec(compile(tree, "tests.py", "exec"), space)  # noqa: S102
    space[name] = space["candidate"] = candidate
    check = space.get("check")
    if callable(check):
        check(candidate)
        return
    for key, value in list(space.items()):
        if key.startswith("test_") and isinstance(value, types.FunctionType):
            for given in _parameters(value):
                free = [n for n in value.__code__.co_varnames[: value.__code__.co_argcount] if n not in given]  # noqa: E501  # fmt: skip
                value(**dict.fromkeys(free[:1], candidate), **given)
        elif isinstance(value, type) and "unittest" in sys.modules:
            unittest = sys.modules["unittest"]
            if issubclass(value, unittest.TestCase) and value.__module__ == "tests":
                for test in unittest.defaultTestLoader.loadTestsFromTestCase(value):
                    test.debug()  # raises what fails


def _parameters(test: Any) -> list[dict[str, Any]]:
    """The arguments that `pytest.mark.parametrize` gives a test; one empty set without it."""
    chosen: list[dict[str, Any]] = [{}]
    for mark in getattr(test, "pytestmark", []):
        if mark.name != "parametrize":
            continue
        names, rows = mark.args[:2]
        listed = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
        sets = []
        for row in rows:
            values = getattr(row, "values", None)
            values = row if values is None or callable(values) else values
            values = [values] if len(listed) == 1 and values is row else values
            sets.append(dict(zip(listed, values, strict=True)))
        chosen = [{**one, **two} for one in chosen for two in sets]
    return chosen


def _judge(setup: dict[str, Any], candidate: Candidate) -> dict[str, Any]:
    try:
        tree = ast.parse(setup["tests"])
        _run(setup, tree, candidate)
    except Stopped:
        return {"verdict": "stopped", **candidate.end}
    except BaseException as error:
        return _failure(error, setup["tests"], candidate)
    if candidate.end:
        return {"verdict": "stopped", **candidate.end}
    if not candidate.calls:
        return {"verdict": "crash", "message": "the tests never called the answer"}
    try:
        _run(setup, tree, Impostor(candidate.results, setup["entry_point"]))
    except BaseException:
        return {"verdict": "pass"}
    return {"verdict": "empty", "message": "the tests also pass when every result is wrong"}


def _failure(error: BaseException, tests: str, candidate: Candidate) -> dict[str, Any]:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == "tests.py"]
    verdict: dict[str, Any] = failure(
        error,
        f"{type(error).__name__}: {_show(error)}",
        frames[-1].lineno or 0 if frames else 0,
        tests,
        called=candidate.calls > 0,
        by_answer=candidate.raised is not None and error is candidate.raised,
    )
    return verdict


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
