"""Tests in one Monty process and the answer in another: what `judge` does where only Monty works.

The same messages cross as between the two sandboxes: values as tagged lists, checked here.
"""

from __future__ import annotations

import ast
import builtins
import datetime
import json
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from manyhands.checks.programs.inside.literals import NotPlain, check_wire, decode, encode
from manyhands.checks.programs.inside.verdicts import TEXT, failure, wrong
from manyhands.checks.programs.link import INSIDE
from manyhands.checks.programs.replies import CALL_S, OUT_OF_TIME, Answers
from manyhands.checks.sandbox.contracts import Isolation, Limits
from manyhands.checks.sandbox.monty import REAL_PYTHON, Box, watched
from manyhands.checks.sandbox.monty_lacks import lack
from manyhands.errors import NeedsPython

if TYPE_CHECKING:
    from pydantic_monty import MontySession

__all__ = ["call_in_monty", "judge_in_monty"]

_CONTAINERS = "ltsfgq"
_SCALARS = (bool, int, float, str, bytes, complex, datetime.date, datetime.timedelta, Decimal)
_DEPTH = 100
_MAX_CALLS = 20_000
_THE_TESTS = "<python-input-2>"  # Monty's name for the third text of a process


class _Lacking(Exception):
    """A program needs something that Monty has not; the message names it."""


class _Ended(Exception):
    """The answer's process cannot go on; the message says why."""


class _NotLoaded(Exception):
    """The answer does not define its entry point; the message says why."""


def _lacking(what: str) -> str:
    return f"needs a real interpreter, not monty, which lacks {what}"


class _Answer:
    """The answer, defined in a process of its own, which never sees the tests."""

    def __init__(self, session: MontySession, box: Box, code: str, entry_point: str) -> None:
        self._session, self._box, self._code = session, box, code
        self._denied: list[str] = []
        if not entry_point.isidentifier():
            raise _NotLoaded(f"{entry_point!r} is no name of a function")
        self._feed(f"{code}\n\nNone")
        self._feed((INSIDE / "wire_monty.py").read_text() + "\nNone")
        raised = self._raised(f"_mh_call = {entry_point}\nNone")
        if raised is not None and self._raised(f"_mh_call = Solution().{entry_point}\nNone"):
            raise _NotLoaded(f"loading it raised {raised['type']}: {raised['message']}")

    def _feed(self, text: str) -> None:
        raised = self._raised(text)
        if raised is not None:
            raise _NotLoaded(f"loading it raised {raised['type']}: {raised['message']}")

    def _raised(self, text: str, inputs: dict[str, Any] | None = None) -> dict[str, str] | None:
        """Run a text, tell what it raised. Raises _Lacking, _Ended, NotPlain."""
        from pydantic_monty import MontyConversionError, MontyCrashedError, MontyError

        try:
            self._session.feed_run(
                text, inputs=inputs, print_callback=_unheard, os=self._box.answer(self._denied)
            )
        except MontyConversionError as error:
            raise NotPlain("an argument that monty cannot take") from error
        except (MontyCrashedError, RuntimeError) as error:  # the second: it had ended before
            raise _Ended("the process ended") from error
        except MontyError as error:
            found, said = error.exception(), str(error.exception())
            if "limit exceeded" in said and isinstance(found, TimeoutError | MemoryError):
                raise _Ended(OUT_OF_TIME if isinstance(found, TimeoutError) else said) from error
            if what := lack(error, self._code, self._denied):  # type: ignore[arg-type]
                raise _Lacking(what) from error
            kind = type(found).__name__
            return {"type": kind, "builtin": kind, "message": said[:500]}
        return None

    def call(self, call: dict[str, Any]) -> dict[str, Any]:
        """One call, as `inside/answer.py` replies to it. Raises _Lacking, _Ended."""
        from pydantic_monty import MontyError

        out: dict[str, Any] = {"id": call["id"]}
        try:
            args = [_passed(decode(item)) for item in call["args"]]
            kwargs = {name: _passed(decode(item)) for name, item in call["kwargs"].items()}
            raised = self._raised(
                "_mh_value = _mh_call(*_mh_args, **_mh_kwargs)\nNone",
                {"_mh_args": args, "_mh_kwargs": kwargs, "_mh_value": None},
            )
            told, same, after, named = self._session.feed_run(
                "[_mh_try(_mh_value), _mh_same(_mh_value, _mh_args), "
                "[_mh_try(one) for one in _mh_args], "
                "{name: _mh_try(one) for name, one in _mh_kwargs.items()}]",
                print_callback=_unheard,
            )
            if raised is not None:
                return {**out, "raised": raised, **_changed(call, after, named)}
            if told[0] != "value":
                return {**out, "not_plain": str(told[1])[:500]}
            value = _wired(told[1])
            return {**out, "value": value, "same": int(same), **_changed(call, after, named)}
        except NotPlain as error:
            return {**out, "not_plain": str(error)}
        except (MontyError, ValueError, TypeError, LookupError, AttributeError) as error:
            # too large, or the answer plays with our names
            return {**out, "not_plain": f"what monty cannot pass on ({str(error)[:200]})"}


def _unheard(stream: str, text: str) -> None:
    del stream, text


def _changed(call: dict[str, Any], after: list[Any], named: dict[str, Any]) -> dict[str, Any]:
    """The arguments that are other than they were, if any."""
    now = {str(at): told for at, told in enumerate(after)} | named
    was = {str(at): wire for at, wire in enumerate(call["args"])} | call["kwargs"]
    changed = {
        key: wire
        for key, (kind, value) in now.items()
        if kind == "value" and (wire := _wired(value)) != was[key]
    }
    return {"args": changed} if changed else {}


def _wired(node: Any, depth: int = 0) -> Any:
    """What `_mh_wire` gave as `encode` would have written it. Raises NotPlain."""
    if not isinstance(node, list):
        return encode(node)
    tag, rest = (node[0], node[1:]) if node else ("", [])
    if depth > _DEPTH or not isinstance(tag, str):
        raise NotPlain("not a value on the wire")
    if tag == "d":
        wire = ["d", *([_wired(key, depth + 1), _wired(item, depth + 1)] for key, item in rest)]
    elif tag == "r":
        wire = ["r", *map(str, rest)]
    elif len(tag) == 1 and tag in _CONTAINERS:
        items = [_wired(item, depth + 1) for item in rest]
        wire = [tag, *(sorted(items, key=repr) if tag in "sf" else items)]
    else:
        raise NotPlain("not a value on the wire")
    if depth == 0:
        check_wire(wire)
    return wire


def _passed(value: Any) -> Any:
    """The value itself, when Monty takes it. Raises NotPlain."""
    if isinstance(value, dict):
        for pair in value.items():
            _passed(pair)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            _passed(item)
    elif value is not None and value is not ... and not isinstance(value, _SCALARS):
        raise NotPlain(f"a {type(value).__name__}, which monty does not take")
    return value


async def call_in_monty(
    code: str,
    entry_point: str,
    calls: Sequence[Sequence[Any]],
    *,
    strict: bool,
    budget_s: float,
    limits: Limits,
) -> Answers:
    """What a program says to calls, as `differential.call_all` has it. Raises NeedsPython."""
    box = Box()
    replies: list[dict[str, Any]] = []
    broken = died = ""
    ends = time.monotonic() + budget_s

    def some() -> bool:
        """Make calls in one process until one of them spoils it; whether another may go on."""
        nonlocal broken, died
        with box.session(CALL_S, limits.memory_bytes) as session:
            try:
                answer = _Answer(session, box, code, entry_point)
            except (_NotLoaded, _Ended) as error:
                broken = str(error)
                return False
            for at in range(len(replies), len(calls)):
                started = time.monotonic()
                if started > ends:
                    return False
                try:
                    reply = answer.call({"id": at, "args": list(calls[at]), "kwargs": {}})
                except _Ended as error:
                    if str(error) != OUT_OF_TIME:
                        died = f"the process ended: {error}"
                        return False
                    replies.append({"id": at, "raised": {"type": OUT_OF_TIME}})
                    return not strict
                replies.append({**reply, "seconds": time.monotonic() - started})
        return False

    def every() -> None:
        while some():
            pass

    try:
        await watched(box, limits.wall_s, every)
    except _Lacking as error:
        raise NeedsPython(f"The program {_lacking(str(error))}.", hint=REAL_PYTHON) from None
    return Answers(tuple(replies), Isolation.MONTY, broken, died)


class _Candidate:
    """The host's end of the stand-in that the tests call."""

    def __init__(self, answer: _Answer) -> None:
        self._answer = answer
        self.calls = 0
        self.last: dict[str, Any] = {}
        self.end: dict[str, str] = {}
        self.raised: BaseException | None = None
        self.results: list[Any] = []

    def ask(self, given: list[Any], named: dict[str, Any]) -> tuple[Any, int, dict[str, Any]]:
        if self.end or self.calls >= _MAX_CALLS:
            raise self._stop("dead", f"more than {_MAX_CALLS} calls")
        try:
            args, kwargs = [_plain(one) for one in given], {k: _plain(v) for k, v in named.items()}
        except NotPlain as error:
            raise self._stop("argument", f"an argument cannot cross: {error}") from None
        self.calls += 1
        self.raised = None
        shown = [_show(one) for one in args] + [f"{k}={_show(v)}" for k, v in kwargs.items()]
        self.last = {"args": shown, "wire": args if len(json.dumps(args)) < 20_000 else None}
        try:
            reply = self._answer.call({"id": self.calls, "args": args, "kwargs": kwargs})
        except _Lacking as error:
            raise self._stop("lacks", f"the answer {_lacking(str(error))}") from None
        except _Ended as error:
            late = str(error) == OUT_OF_TIME
            raise self._stop("dead", "no answer in time" if late else str(error)) from None
        self.results.append(reply.get("value", ["e"]))
        if "raised" in reply:
            raised = reply["raised"]
            self.last["raised"] = f"{raised['type']}: {raised['message']}"[:TEXT]
            known = getattr(builtins, raised["builtin"], None)
            if not (isinstance(known, type) and issubclass(known, Exception)):
                raise self._stop("dead", f"it ended with {self.last['raised']}")
            # Some want more than a message: UnicodeError's subclasses. A ValueError both are.
            made = ValueError if issubclass(known, UnicodeError) else known
            self.raised = made(raised["message"])
            raise self.raised
        if "value" not in reply:
            raise self._stop("value", f"the answer returned {reply['not_plain']}")
        try:
            changed = {k: _passed(decode(wire)) for k, wire in reply.get("args", {}).items()}
            value = _passed(decode(reply["value"]))
        except NotPlain as error:
            raise self._stop("value", f"the answer returned {error}") from None
        if changed:
            self.last["changed"] = True
        self.last["returned"] = _show(reply["value"])
        return value, reply["same"] if reply["same"] < len(args) else -1, changed

    def _stop(self, kind: str, message: str) -> RuntimeError:
        """What no test may swallow: every later call stops, too, and `end` goes before all."""
        self.end = self.end or {"kind": kind, "message": message}
        return RuntimeError("the answer cannot go on")


class _Impostor:
    """Answers the same calls in the same order, each with a wrong value, and changes nothing."""

    def __init__(self, results: list[Any]) -> None:
        self._left = iter(results)

    def ask(self, given: list[Any], named: dict[str, Any]) -> tuple[Any, int, dict[str, Any]]:
        del given, named
        return wrong(decode(next(self._left, None))), -1, {}


def _plain(told: Any) -> Any:
    if told[0] != "value":
        raise NotPlain(str(told[1]))
    return _wired(told[1])


def _show(wire: Any) -> str:
    return repr(decode(wire))[:TEXT]


def _steps(tests: str) -> str:
    """The calls that run the tests once they are defined."""
    functions = [node for node in ast.parse(tests).body if isinstance(node, ast.FunctionDef)]
    if any(one.name == "check" for one in functions):
        return "check(candidate)"
    lines = []
    for one in functions:
        if one.name.startswith("test_"):
            needed = len(one.args.args) - len(one.args.defaults)
            lines.append(f"{one.name}({'candidate' if needed else ''})")
    return "\n".join(lines)


def _run_tests(
    box: Box, limits: Limits, entry_point: str, prelude: str, tests: str, ask: Any
) -> tuple[BaseException, int, str] | None:
    """Run the tests in a process of their own.

    Returns the exception that ended them, its line in the tests, and what Monty lacked for them;
    None when nothing ended them.
    """
    from pydantic_monty import MontyError

    bound = f"candidate = _mh_candidate\n{entry_point} = _mh_candidate\nNone"
    wire = (INSIDE / "wire_monty.py").read_text()
    texts = (prelude, f"{wire}\n{bound}", tests, bound, _steps(tests))
    denied: list[str] = []
    with box.session(limits.cpu_s, limits.memory_bytes) as session:
        for text in texts:
            try:
                session.feed_run(
                    f"{text}\n\nNone", external_lookup={"_mh_ask": ask}, print_callback=_unheard,
                    os=box.answer(denied),
                )  # fmt: skip
            except MontyError as error:
                frames = error.traceback() if hasattr(error, "traceback") else []
                lines = [f.line for f in frames if f.filename == _THE_TESTS]
                what = lack(error, text, denied)  # type: ignore[arg-type]
                return error.exception(), lines[-1] if lines else 0, what
    return None


async def judge_in_monty(
    code: str, entry_point: str, tests: str, prelude: str, limits: Limits, call_s: float
) -> dict[str, Any]:
    """The verdict of the tests, in the words of `inside/judge_tests.py`, and three of its own:
    `not_loaded`, `late`, and `lacks` where Monty is not enough."""
    box = Box()

    def work() -> dict[str, Any]:
        with box.session(call_s, limits.memory_bytes) as session:
            try:
                answer = _Answer(session, box, code, entry_point)
            except _Lacking as error:
                return {"verdict": "lacks", "message": f"the answer {_lacking(str(error))}"}
            except _NotLoaded as error:
                return {"verdict": "not_loaded", "message": str(error)}
            except _Ended as error:
                return {"verdict": "dead", "message": f"while the code was loaded: {error}"}
            candidate = _Candidate(answer)
            verdict = _verdict(box, limits, (entry_point, prelude, tests), candidate)
            return {**verdict, "calls": candidate.calls, "last": candidate.last}

    told = await watched(box, limits.wall_s, work)
    if box.late:  # whatever they were at: it says nothing about the answer
        return {"verdict": "late", "message": f"not done within {limits.wall_s:g} s"}
    return told


def _verdict(
    box: Box, limits: Limits, texts: tuple[str, str, str], candidate: _Candidate
) -> dict[str, Any]:
    try:
        ended = _run_tests(box, limits, *texts, candidate.ask)
    except (SyntaxError, ValueError, RecursionError) as error:
        return {"verdict": "crash", "message": f"{type(error).__name__}: {error}"}
    if candidate.end:
        return {"verdict": "stopped", **candidate.end}
    if ended is not None:
        found, line, what = ended
        by_answer = candidate.raised is not None and type(found) is type(candidate.raised)
        if what and not by_answer:
            return {"verdict": "lacks", "message": f"the program of the tests {_lacking(what)}"}
        said, called = f"{type(found).__name__}: {found!r}", candidate.calls > 0
        return failure(found, said, line, texts[2], called=called, by_answer=by_answer)
    if not candidate.calls:
        return {"verdict": "crash", "message": "the tests never called the answer"}
    impostor = _Impostor(candidate.results)
    if _run_tests(box, limits, *texts, impostor.ask) is not None:
        return {"verdict": "pass"}
    return {"verdict": "empty", "message": "the tests also pass when every result is wrong"}
