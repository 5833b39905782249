"""The differential check: the same seeded inputs for a reference and an answer, compared."""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.battery import start
from manyhands.checks.programs.examples import examples_in, known_arguments
from manyhands.checks.programs.in_monty import call_in_monty
from manyhands.checks.programs.inputs import generate, parameter_names, parameters, words_of
from manyhands.checks.programs.inside.literals import decode, encode
from manyhands.checks.programs.link import INSIDE, inside_files
from manyhands.checks.programs.replies import (
    ABS_TOLERANCE,
    CALL_S,
    OUT_OF_TIME,
    REL_TOLERANCE,
    Answers,
    compare,
    raised_by,
    shown,
)
from manyhands.checks.programs.symbolic import can_search, search
from manyhands.checks.sandbox.contracts import Isolation, Limits, SandboxPolicy, SandboxRun
from manyhands.checks.sandbox.monty import REAL_PYTHON
from manyhands.checks.sandbox.monty_differs import differs
from manyhands.checks.sandbox.runner import best
from manyhands.errors import NeedsPython

__all__ = [
    "Answers",
    "call_all",
    "differential",
]

_INPUTS = 400
_FEWEST = 5  # usable inputs below which generated inputs decide nothing
_ENOUGH = 150  # usable inputs below which more are looked for
_ROUNDS = 4
_SEEDS = 40  # inputs that the next round starts from
_QUICK_S = 0.2  # a generated input that costs the reference more is left out
_BUDGET_S = 5.0  # of the reference, for one round
_LIMITS = Limits(wall_s=90.0, cpu_s=40.0)
_RESULTS = "results.jsonl"
#: What Python raises when a program is given a type that it was not written for.
_WRONG_TYPE = ("TypeError", "AttributeError")


async def call_all(
    code: str,
    entry_point: str,
    calls: Sequence[Sequence[Any]],
    *,
    policy: SandboxPolicy | None = None,
    strict: bool = True,
    budget_s: float = _LIMITS.cpu_s,
) -> Answers:
    """Call `entry_point` with each argument list (tagged JSON), in one sandbox.

    `strict`: a call that takes longer than its 2 s is the last. None begins after `budget_s`.
    """
    if await best(policy or SandboxPolicy()) is Isolation.MONTY:
        if what := differs(code):
            said = f"monty runs {what} otherwise than CPython."
            raise NeedsPython(said, hint=REAL_PYTHON)
        return await call_in_monty(
            code, entry_point, calls, strict=strict, budget_s=budget_s, limits=_LIMITS
        )
    setup = {
        "code": code,
        "entry_point": entry_point,
        "file": _RESULTS,
        "seconds": CALL_S,
        "strict": strict,
        "budget": budget_s,
        "calls": [{"id": at, "args": list(args), "kwargs": {}} for at, args in enumerate(calls)],
    }
    job = SandboxRun(
        code=(INSIDE / "answer.py").read_text(),
        files=inside_files("literals.py"),
        stdin=json.dumps({"setup": setup}).encode() + b"\n",
        collect=(_RESULTS,),
        limits=_LIMITS,
    )
    result = await start(job, policy)
    lines = _lines(result.files.get(_RESULTS, b""))
    how = result.limit or (result.stderr.strip().splitlines() or [result.status.value])[-1][:200]
    if not lines or lines[0].get("id") != -1:
        return Answers((), result.isolation, broken=f"it did not load: {how}")
    if lines[0].get("value") is not True:
        raised = dict(lines[0].get("raised") or {})
        text = f"loading it raised {raised.get('type')}: {raised.get('message')}"
        return Answers((), result.isolation, broken=text)
    replies = []
    for at, line in enumerate(lines[1:]):
        if line.get("id") != at or at >= len(calls):
            break
        replies.append(line)
    timed_out = bool(replies) and raised_by(replies[-1]) == OUT_OF_TIME
    died = "" if len(replies) == len(calls) or timed_out else f"the process ended: {how}"
    return Answers(tuple(replies), result.isolation, died=died)


def _lines(content: bytes) -> list[dict[str, Any]]:
    found = []
    for line in content.split(b"\n"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(value, dict):
            break
        found.append(value)
    return found


def _stated_exceptions(source: str) -> frozenset[str]:
    """Names of the exceptions that the text raises on purpose."""
    names = set()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):  # then it does not load either
        return frozenset()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            exc = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(exc, ast.Name):
                names.add(exc.id)
    return frozenset(names)


async def differential(
    reference: str,
    answer: str,
    entry_point: str,
    inputs: Sequence[Sequence[Any]] | None = None,
    *,
    prompt: str = "",
    seed: int = 0,
    count: int = _INPUTS,
    symbolic_s: float = 0.0,
    values_only: bool = False,
    policy: SandboxPolicy | None = None,
) -> CheckOutcome:
    """Compare `answer` with `reference` (best a slow, plain, independent one) call by call.

    Without `inputs` they come from the signature and the examples in the docstring and `prompt`.
    An input where the reference runs out of time counts for nothing; so does a generated input
    where it raises an exception that its text does not raise on purpose: outside its domain.
    With `symbolic_s`, small typed functions that were equal so far are also searched by symbolic
    execution for so many seconds; an input found so must make them differ when called apart.
    With `values_only`, inputs that either program refuses on purpose count for nothing: two right
    programs may do what they like with what the task leaves open.
    """
    started = time.monotonic()
    evidence: dict[str, Any] = {
        "method": "same inputs for both programs, each in its own sandbox",
        "inputs": "generated" if inputs is None else "given",
        "seed": seed,
        "relative_tolerance": REL_TOLERANCE,
        "absolute_tolerance": ABS_TOLERANCE,
    }
    programs = (_called(reference, entry_point), answer, entry_point)
    try:
        if inputs is None:
            known = await _explore(*programs, prompt, seed, count, policy)
        else:
            known = await _given(*programs[::2], inputs, policy)
        verdict, summary = await _compared(
            *programs, known, evidence, symbolic_s, values_only=values_only, policy=policy
        )
    except NeedsPython as error:
        verdict, summary = Verdict.UNDETERMINED, error.message
    return CheckOutcome(verdict, summary, time.monotonic() - started, evidence)


async def _given(
    reference: str, entry_point: str, inputs: Sequence[Sequence[Any]], policy: SandboxPolicy | None
) -> _Known:
    rows = [list(r) if isinstance(r, (list, tuple)) else [r] for r in inputs]
    calls = [[encode(item) for item in row] for row in rows]
    told = await call_all(reference, entry_point, calls, policy=policy, strict=False)
    return _Known.of(calls, told, lambda reply: raised_by(reply) != OUT_OF_TIME)


async def _compared(
    reference: str,
    answer: str,
    entry_point: str,
    known: _Known,
    evidence: dict[str, Any],
    symbolic_s: float,
    *,
    values_only: bool,
    policy: SandboxPolicy | None,
) -> tuple[Verdict, str]:
    """The verdict on `answer`, given what the reference made of the inputs."""
    refused = frozenset[str]()
    if values_only:
        refused = _stated_exceptions(answer) | _stated_exceptions(reference)
        known = known.without(refused)
    evidence["isolation"] = known.isolation.value
    if known.broken:
        return Verdict.UNDETERMINED, f"the reference cannot be used: {known.broken}"
    evidence["usable_inputs"] = len(known.calls)
    evidence["different_results"] = len({json.dumps(r.get("value")) for r in known.replies})
    given = evidence["inputs"] == "given"
    if len(known.calls) < (1 if given else min(_FEWEST, known.tried)):
        text = f"the reference answers only {len(known.calls)} of {known.tried} inputs"
        return Verdict.UNDETERMINED, text
    guessed = not given and _guesses_types(reference, answer, entry_point)
    difference = await _difference(
        answer, entry_point, known, refused, evidence, policy, guessed=guessed
    )
    searched = symbolic_s and known.isolation is not Isolation.MONTY  # by libraries
    if not difference and searched and can_search(reference, answer, entry_point=entry_point):
        rows = await search(reference, answer, entry_point, symbolic_s, policy)
        evidence["symbolic_execution"] = {"seconds": symbolic_s, "proposed_inputs": len(rows)}
        calls = [[encode(item) for item in row] for row in rows]
        if calls:
            told = await call_all(reference, entry_point, calls, policy=policy, strict=False)
            stated = _stated_exceptions(reference)
            more = _Known.of(calls, told, lambda r: "value" in r or raised_by(r) in stated)
            more = more.without(refused)
            difference = await _difference(answer, entry_point, more, refused, evidence, policy)
    if difference:
        return Verdict.REFUTED, difference
    if beyond := evidence.get("not_taken"):
        text = f"the answer takes no {' or '.join(beyond)}; nothing says whether it has to"
        return Verdict.UNDETERMINED, f"{text}. Give 'inputs' or type hints."
    if known.isolation is Isolation.NONE:
        return Verdict.UNDETERMINED, "equal on every input, but without isolation"
    return Verdict.SUPPORTED, f"equal to the reference on {len(known.calls)} inputs"


async def _difference(
    answer: str,
    entry_point: str,
    known: _Known,
    refused: frozenset[str],
    evidence: dict[str, Any],
    policy: SandboxPolicy | None,
    *,
    guessed: bool = False,
) -> str:
    """The first difference from the reference, with its input in the evidence; empty for none.

    What the answer refuses with one of the exceptions in `refused` is no difference. With
    `guessed`, types that it takes in no call are none either; `not_taken` in the evidence tells
    them.
    """
    second = await call_all(answer, entry_point, known.calls, policy=policy)
    if second.broken:
        return f"the answer cannot be used: {second.broken}"
    rows = list(zip(known.calls, known.replies, second.replies, strict=False))
    taken = {_types(call) for call, _, got in rows if raised_by(got) not in _WRONG_TYPE}
    for call, want, got in rows:
        if guessed and taken and _types(call) not in taken and "value" in want:
            beyond = evidence.setdefault("not_taken", [])
            beyond += [_types(call)] if _types(call) not in beyond and len(beyond) < 3 else []
            continue
        difference = "" if raised_by(got) in refused else compare(want, got)
        if difference:
            evidence["counterexample"] = {"args": [shown(item) for item in call]}
            return difference
    if len(second.replies) < len(known.calls):
        call = known.calls[len(second.replies)]
        evidence["counterexample"] = {"args": [shown(item) for item in call]}
        return second.died or "it stopped before the last input"
    return ""


def _guesses_types(reference: str, answer: str, entry_point: str) -> bool:
    """Whether neither program says of what type some argument is."""
    shapes = [parameters(source, entry_point) for source in (reference, answer)]
    return any(all(s.kind == "any" for s in hints) for hints in zip(*shapes, strict=False))


def _types(call: Sequence[Any]) -> str:
    """The types of the arguments in words, with those of the items of lists."""

    def named(value: Any) -> str:
        if isinstance(value, list) and value:
            return f"list of {' and '.join(sorted({type(item).__name__ for item in value}))}"
        return type(value).__name__

    return f"({', '.join(named(decode(item)) for item in call)})"


def _called(source: str, entry_point: str) -> str:
    """The reference under the answer's name, when it has one function and that is called otherwise.

    Its own name stays, for it may call itself.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return source
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    bound = {getattr(n, "id", getattr(n, "name", "")) for n in ast.walk(tree)}
    if len(names) != 1 or entry_point in bound:
        return source
    return f"{source}\n{entry_point} = {names[0]}\n"


@dataclass(frozen=True, slots=True)
class _Known:
    """Calls that count, and what the reference made of them.

    Attributes:
        tried: how many calls the reference was given.
    """

    calls: list[list[Any]]
    replies: list[dict[str, Any]]
    tried: int
    isolation: Isolation
    broken: str = ""

    def without(self, refused: frozenset[str]) -> _Known:
        """The same without the calls that raised one of these exceptions."""
        kept = [at for at, reply in enumerate(self.replies) if raised_by(reply) not in refused]
        calls, replies = [self.calls[at] for at in kept], [self.replies[at] for at in kept]
        return replace(self, calls=calls, replies=replies)

    @classmethod
    def of(
        cls, calls: list[list[Any]], told: Answers, counts: Callable[[dict[str, Any]], bool]
    ) -> _Known:
        pairs = [
            (call, reply)
            for call, reply in zip(calls, told.replies, strict=False)
            if ("value" in reply or "raised" in reply) and counts(reply)
        ]
        kept, replies = [call for call, _ in pairs], [reply for _, reply in pairs]
        return cls(kept, replies, len(calls), told.isolation, told.broken)


async def _explore(
    reference: str,
    answer: str,
    entry_point: str,
    prompt: str,
    seed: int,
    count: int,
    policy: SandboxPolicy | None,
) -> _Known:
    """Generate inputs, in rounds: the later ones start from inputs that the reference accepts.

    Among these, inputs with a rare result come first: they lie where the function decides.
    """
    text = f"{prompt}\n{reference}"
    shapes = parameters(reference, entry_point)
    hinted = parameters(answer, entry_point)
    if len(hinted) == len(shapes):
        shapes = tuple(h if s.kind == "any" else s for s, h in zip(shapes, hinted, strict=True))
    examples: list[tuple[Any, ...]] = [e.args for e in examples_in(prompt, entry_point)]
    examples += [e.args for e in examples_in(reference, entry_point)]
    examples += known_arguments(text, entry_point, parameter_names(reference, entry_point))
    words = words_of(reference, answer)
    stated = _stated_exceptions(reference)

    def counts(reply: dict[str, Any]) -> bool:
        quick = reply.get("seconds", 0.0) <= _QUICK_S
        return quick and ("value" in reply or raised_by(reply) in stated)

    found: dict[str, tuple[list[Any], dict[str, Any]]] = {}
    tried: set[str] = set()
    seeds: list[tuple[Any, ...]] = examples
    for turn in range(_ROUNDS):
        wanted = count if turn else count // 2
        rows = generate(shapes, seeds, wanted, seed + turn, words) if shapes else [[]]
        encoded = [[encode(item) for item in row] for row in rows]
        fresh = {json.dumps(call): call for call in encoded}
        calls = [call for key, call in fresh.items() if key not in tried]
        tried |= fresh.keys()
        told = await call_all(
            reference, entry_point, calls, policy=policy, strict=False, budget_s=_BUDGET_S
        )
        if told.broken:
            return _Known([], [], len(tried), told.isolation, told.broken)
        known = _Known.of(calls, told, counts)
        for call, reply in zip(known.calls, known.replies, strict=True):
            found.setdefault(json.dumps(call), (call, reply))
        if not shapes or (turn and len(found) >= min(_ENOUGH, count // 2)):
            break
        seeds = _seeds(list(found.values())) or examples
    calls = [call for call, _ in found.values()]
    replies = [reply for _, reply in found.values()]
    return _Known(calls, replies, len(tried), told.isolation)


def _seeds(found: Sequence[tuple[list[Any], dict[str, Any]]]) -> list[tuple[Any, ...]]:
    """Inputs with the rarest results first."""
    by_result: dict[str, list[list[Any]]] = {}
    for call, reply in found:
        by_result.setdefault(json.dumps(reply.get("value", raised_by(reply))), []).append(call)
    rows: list[list[Any]] = []
    queues = sorted(by_result.values(), key=len)
    while len(rows) < _SEEDS and any(queues):
        for queue in queues:
            if queue and len(rows) < _SEEDS:
                rows.append(queue.pop(0))
    return [tuple(decode(item) for item in row) for row in rows]
