"""The judge: tests in one sandbox, the answer in another, and only plain data crosses between."""

from __future__ import annotations

import ast
import time
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import anyio

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.in_monty import judge_in_monty
from manyhands.checks.programs.inside.literals import NotPlain, check_wire
from manyhands.checks.programs.link import INSIDE, Link, LinkEnded, inside_files, open_link
from manyhands.checks.programs.static import Finding, full_source, study
from manyhands.checks.sandbox.contracts import Isolation, Limits, SandboxPolicy, SandboxRun
from manyhands.checks.sandbox.monty_differs import differs
from manyhands.checks.sandbox.runner import best

__all__ = ["Ending", "Judgement", "judge", "judge_python", "outcome_of"]

_CALL_S = 10.0  # one call of the answer
_MAX_CALLS = 20_000
_REPLY_KEYS = frozenset({"value", "raised", "not_plain", "args", "same"})


class Ending(StrEnum):
    """How the tests ended."""

    PASSED = "passed"
    ASSERTION = "assertion"  # an assertion failed, or could not take what the answer returned
    RAISED = "raised"  # the answer raised and no test expected it
    DIED = "died"  # the answer's process ended or was ended
    NOT_DEFINED = "not_defined"  # the answer does not parse, load or define its entry point
    NOT_PLAIN = "not_plain"  # an argument or a result cannot cross
    TESTS_EMPTY = "tests_empty"  # they pass as well when every result is wrong
    TESTS_CRASHED = "tests_crashed"
    TESTS_DIED = "tests_died"
    LACKS = "lacks"  # only Monty works here, and it has not what one of them needs


_VERDICTS = {
    Ending.PASSED: Verdict.SUPPORTED,
    Ending.ASSERTION: Verdict.REFUTED,
    Ending.RAISED: Verdict.REFUTED,
    Ending.DIED: Verdict.REFUTED,
    Ending.NOT_DEFINED: Verdict.REFUTED,
    Ending.NOT_PLAIN: Verdict.UNDETERMINED,
    Ending.TESTS_EMPTY: Verdict.UNDETERMINED,
    Ending.TESTS_CRASHED: Verdict.UNDETERMINED,
    Ending.TESTS_DIED: Verdict.UNDETERMINED,
    Ending.LACKS: Verdict.UNDETERMINED,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the two processes left.

    Attributes:
        calls: how often the tests called the answer.
        assertion, line: the first assertion that failed, in the tests' text.
        last: arguments, result or exception of the last call, as the tests' process saw them.
    """

    ending: Ending
    message: str
    isolation: Isolation
    calls: int = 0
    assertion: str = ""
    line: int = 0
    last: dict[str, Any] = field(default_factory=dict)


async def judge(
    code: str,
    entry_point: str,
    tests: str,
    *,
    prelude: str = "",
    policy: SandboxPolicy | None = None,
) -> Judgement:
    """Run `tests` (`check(candidate)`, `test_…` functions or plain asserts) against `code`.

    Args:
        prelude: text that the tests may use (helpers of the task); never the answer's.

    The answer's process gets its own code and the arguments of each call. Raises NoIsolation.
    """
    policy = policy or SandboxPolicy()
    if await best(policy) is Isolation.MONTY:
        if what := differs(code) or differs(tests, identity=False):
            said = f"monty runs {what} otherwise than CPython"
            return _read_verdict({"verdict": "lacks", "message": said}, Isolation.MONTY)
        verdict = await judge_in_monty(code, entry_point, tests, prelude, policy.limits, _CALL_S)
        return _read_verdict(verdict, Isolation.MONTY)
    mine = _job("answer.py", policy.limits, "literals.py")
    theirs = _job("judge_tests.py", policy.limits, "literals.py", "verdicts.py")
    async with open_link(mine, policy) as answer, open_link(theirs, policy) as tester:
        return await _relay(code, entry_point, tests, prelude, answer, tester)


def _job(script: str, limits: Limits, *beside: str) -> SandboxRun:
    return SandboxRun(
        code=(INSIDE / script).read_text(), files=inside_files(*beside), limits=limits
    )


async def _relay(
    code: str, entry_point: str, tests: str, prelude: str, answer: Link, tester: Link
) -> Judgement:
    isolation = answer.isolation
    try:
        await answer.send({"setup": {"code": code, "entry_point": entry_point}})
        with anyio.fail_after(_CALL_S):
            loaded = await answer.receive()
    except TimeoutError:
        return Judgement(Ending.DIED, f"the code did not load in {_CALL_S:g} s", isolation)
    except LinkEnded as error:
        return Judgement(Ending.DIED, f"while the code was loaded, {error}", isolation)
    if loaded.get("value") is not True:
        return Judgement(Ending.NOT_DEFINED, _said(loaded), isolation)
    try:
        setup = {"entry_point": entry_point, "tests": tests, "prelude": prelude}
        await tester.send({"setup": setup})
        for _ in range(_MAX_CALLS):
            message = await tester.receive()
            if "verdict" in message:
                return _read_verdict(message, isolation)
            await tester.send(await _ask(answer, message["call"]))
    except LinkEnded as error:
        return Judgement(Ending.TESTS_DIED, f"the tests ended early: {error}", isolation)
    return Judgement(Ending.TESTS_DIED, f"more than {_MAX_CALLS} calls", isolation)


async def _ask(answer: Link, call: dict[str, Any]) -> dict[str, Any]:
    """One call of the answer; whatever is not a well-formed reply to it counts as its death."""
    try:
        await answer.send(call)
        with anyio.fail_after(_CALL_S):
            reply = await answer.receive()
    except TimeoutError:
        return {"dead": f"no answer within {_CALL_S:g} s"}
    except LinkEnded as error:
        return {"dead": str(error)}
    if reply.get("id") != call["id"]:
        return {"dead": "it sent a reply that nobody asked for"}
    kept = {key: reply[key] for key in _REPLY_KEYS & reply.keys()}
    if len(kept.keys() - {"args", "same"}) != 1:
        return {"dead": "it sent a malformed reply"}
    try:
        if "value" in kept:
            check_wire(kept["value"])
        for item in dict(kept.get("args", {})).values():
            check_wire(item)
        kept["same"] = int(kept.get("same", -1))
        if "raised" in kept:
            kept["raised"] = {key: str(text)[:500] for key, text in kept["raised"].items()}
    except (NotPlain, TypeError, ValueError, AttributeError, RecursionError):
        return {"dead": "it sent a malformed reply"}
    return kept


def _said(message: dict[str, Any]) -> str:
    raised = message.get("raised")
    if isinstance(raised, dict):
        return f"loading it raised {raised.get('type')}: {raised.get('message')}"
    return "it did not load"


def _read_verdict(message: dict[str, Any], isolation: Isolation) -> Judgement:
    kinds = {
        "pass": Ending.PASSED,
        "empty": Ending.TESTS_EMPTY,
        "crash": Ending.TESTS_CRASHED,
        "argument": Ending.NOT_PLAIN,
        "value": Ending.NOT_PLAIN,
        "dead": Ending.DIED,
        "not_loaded": Ending.NOT_DEFINED,
        "lacks": Ending.LACKS,
        "late": Ending.TESTS_DIED,
    }
    if message["verdict"] == "fail":
        raised = message.get("why") == "the answer raised"
        ending = Ending.RAISED if raised else Ending.ASSERTION
    else:
        ending = kinds[message.get("kind", message["verdict"])]
    why = str(message.get("why", ""))
    said = str(message.get("message", ""))
    return Judgement(
        ending,
        f"{why}: {said}" if why and said else why or said or "every test passed",
        isolation,
        calls=int(message.get("calls", 0)),
        assertion=str(message.get("assertion", "")),
        line=int(message.get("line", 0)),
        last=dict(message.get("last", {})),
    )


async def judge_python(
    code: str,
    entry_point: str,
    tests: str,
    *,
    prompt: str = "",
    policy: SandboxPolicy | None = None,
) -> CheckOutcome:
    """Check an answer with the tests it was given, HumanEval style.

    `code` is a whole function or the body that completes `prompt`. Definitions of the prompt
    other than the entry point are there for the tests, too.
    """
    started = time.monotonic()
    source = full_source(prompt, code, entry_point)
    findings = study(source, entry_point, prompt=prompt)
    fatal = [f for f in findings if f.fatal]
    if fatal:
        return CheckOutcome(
            Verdict.REFUTED,
            f"the code cannot work: {fatal[0].message}",
            time.monotonic() - started,
            {"static": [f.as_dict() for f in findings], "ending": Ending.NOT_DEFINED.value},
        )
    found = await judge(
        source, entry_point, tests, prelude=_prelude(prompt, entry_point), policy=policy
    )
    outcome = outcome_of(found, findings)
    return replace(outcome, seconds=time.monotonic() - started)


def outcome_of(found: Judgement, findings: list[Finding]) -> CheckOutcome:
    """The judgement as an outcome; without isolation nothing is supported."""
    verdict = _VERDICTS[found.ending]
    summary = found.message
    if verdict is Verdict.SUPPORTED:
        summary = f"the tests passed with {found.calls} calls"
        if found.isolation is Isolation.NONE:
            verdict, summary = Verdict.UNDETERMINED, f"{summary}, but without isolation"
    elif found.ending is Ending.ASSERTION and found.assertion:
        summary = _told(found)
    evidence: dict[str, Any] = {
        "method": "tests and answer in two sandboxes",
        "ending": found.ending.value,
        "isolation": found.isolation.value,
        "calls": found.calls,
        "static": [f.as_dict() for f in findings],
    }
    if found.assertion:
        evidence["assertion"] = found.assertion
        evidence["line"] = found.line
    if verdict is Verdict.REFUTED and found.last:
        evidence["counterexample"] = {k: v for k, v in found.last.items() if k != "wire"}
    return CheckOutcome(verdict, summary, 0.0, evidence)


def _told(found: Judgement) -> str:
    """Which assertion failed, and what the answer had returned just before."""
    said = " ".join(found.assertion.split())
    returned = found.last.get("returned")
    return f"this fails: {said}" + (f" (the answer returned {returned})" if returned else "")


def _prelude(prompt: str, entry_point: str) -> str:
    """The prompt's imports and helpers, without the function that is asked for."""
    for text in (prompt, f"{prompt}\n    pass\n"):
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        body: list[ast.stmt] = [
            node
            for node in tree.body
            if isinstance(node, (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign))
            or (isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name != entry_point)
        ]
        return ast.unparse(ast.Module(body=body, type_ignores=[]))
    return ""
