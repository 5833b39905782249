"""What a hand is asked, what it gives back, and when its work may be called verified.

Requests are flat pydantic models: their JSON schemas hold no `$ref`, so that a plan, a grammar
and a remote caller can all use them (`schemas.flat_schema`).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

__all__ = [
    "OWN_WORD",
    "REQUESTS",
    "Artifact",
    "Attempt",
    "CodeRequest",
    "Evidence",
    "EvidenceKind",
    "HandName",
    "HandRequest",
    "HandResult",
    "MathKind",
    "MathRequest",
    "Spend",
    "Status",
    "ToolRequest",
    "VerifyRequest",
    "VisualizeRequest",
    "decide_status",
    "proves",
]


class HandName(StrEnum):
    CODE = "code"
    MATH = "math"
    VISUALIZE = "visualize"
    VERIFY = "verify"
    #: A tool of another MCP server: a step like the others, without a model or a check of ours.
    TOOL = "tool"


class Status(StrEnum):
    """How far an answer may be trusted.

    `verified`: at least one independent machine check passed, none failed on the accepted attempt.
    `refuted`: a machine check showed it wrong. `unverified`: nothing showed it wrong or right.
    `cannot`: the hand abstained. `failed`: no usable answer came.
    """

    VERIFIED = "verified"
    REFUTED = "refuted"
    UNVERIFIED = "unverified"
    CANNOT = "cannot"
    FAILED = "failed"


class EvidenceKind(StrEnum):
    MACHINE = "machine"
    OPINION = "opinion"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Evidence(_Frozen):
    """What one check found.

    Attributes:
        name: the check, for example `blind_tests`.
        passed: None when the check could not decide (it crashed, or does not apply).
        independent: the check rests on something other than the answer itself: tests written
            from the task, the source data recomputed, a second program.
        evidence: one readable line.
        isolation: the sandbox layer that held the run; empty when nothing was run.
    """

    name: str
    passed: bool | None
    evidence: str
    kind: EvidenceKind = EvidenceKind.MACHINE
    independent: bool = False
    isolation: str = ""
    seconds: float = 0.0
    detail: dict[str, JsonValue] = Field(default_factory=dict)


class Spend(_Frozen):
    """What work cost: model calls, tokens, and seconds of loading and of generating."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    load_s: float = 0.0
    model_s: float = 0.0
    loads: int = 0

    def __add__(self, other: Spend) -> Spend:
        return Spend(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            load_s=self.load_s + other.load_s,
            model_s=self.model_s + other.model_s,
            loads=self.loads + other.loads,
        )


class Artifact(_Frozen):
    """A full output, stored once by content hash.

    Attributes:
        id: `sha256:` and 64 hex digits.
        name: the file name it would have.
        media_type: for example `text/x-python`, `image/png`.
        size: bytes.
    """

    id: str
    name: str
    media_type: str
    size: int


class Attempt(_Frozen):
    """One try at a step: who tried, what it said, and what the checks found."""

    number: int
    role: str
    tier: str
    model: str
    checks: tuple[Evidence, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    seconds: float = 0.0
    spend: Spend = Spend()
    fault: str = ""
    abstained: str = ""

    @property
    def failed_checks(self) -> tuple[Evidence, ...]:
        return tuple(check for check in self.checks if check.passed is False)


class HandResult(_Frozen):
    """What a hand's work came to.

    Attributes:
        value: the result as text: a program's output, an expression, a chart's facts, a verdict.
        accepted: number of the attempt that `value` comes from; 0 when none was accepted.
        open_points: what stayed unproved, in words.
    """

    hand: HandName
    status: Status
    summary: str
    value: str = ""
    attempts: tuple[Attempt, ...] = ()
    accepted: int = 0
    open_points: tuple[str, ...] = ()

    @property
    def spend(self) -> Spend:
        total = Spend()
        for attempt in self.attempts:
            total += attempt.spend
        return total

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The checks of the accepted attempt."""
        for attempt in self.attempts:
            if attempt.number == self.accepted:
                return attempt.checks
        return ()

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        for attempt in self.attempts:
            if attempt.number == self.accepted:
                return attempt.artifacts
        return ()


def proves(isolation: str) -> bool:
    """Whether what passed there was shown: not without a sandbox, nor by another interpreter.

    Monty runs most of Python as CPython does, and nobody can list where it does not.
    """
    return isolation not in ("none", "monty")


def decide_status(checks: Iterable[Evidence]) -> Status:
    """Judge one attempt by its checks; opinions never count, nor what `proves` nothing.

    A failed machine check refutes. Otherwise one passed, independent machine check verifies.
    """
    machine = [check for check in checks if check.kind is EvidenceKind.MACHINE]
    if any(check.passed is False for check in machine):
        return Status.REFUTED
    proof = [check for check in machine if check.passed and check.independent]
    if proof and all(proves(check.isolation) for check in machine):
        return Status.VERIFIED
    return Status.UNVERIFIED


#: What a subject is taken to claim when nobody says what.
OWN_WORD = "It does what it says of itself."

Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Name = Annotated[str, Field(max_length=200)]


class _Request(_Frozen):
    hand: HandName


class CodeRequest(_Request):
    """Write a Python function; it is run against tests written from the task alone.

    With data, the function gets one argument per data name, in order: a dict that maps each
    column name to the list of its values. It is then also run on the real data.
    """

    hand: Literal[HandName.CODE] = HandName.CODE
    task: Text
    entry_point: Name = Field("solve", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    data: tuple[Name, ...] = ()


class MathKind(StrEnum):
    """What is asked, and so how the answer is checked (`docs/checks.md`)."""

    ANTIDERIVATIVE = "antiderivative"
    DERIVATIVE = "derivative"
    DEFINITE_INTEGRAL = "definite_integral"
    IDENTITY = "identity"
    LIMIT = "limit"
    SUM = "sum"
    SOLUTION = "solution"
    ODE = "ode"
    MATRIX = "matrix"
    FREE = "free"


class MathRequest(_Request):
    """Work out one expression; it is checked against what was given.

    `given` holds the check's inputs as text, for example `{"f": "x*exp(x)", "var": "x"}` for an
    antiderivative. `free` has no such check and can never be verified.
    """

    hand: Literal[HandName.MATH] = HandName.MATH
    task: Text
    kind: MathKind = MathKind.FREE
    given: dict[str, str] = Field(default_factory=dict)


class VisualizeRequest(_Request):
    """Draw a chart of one data file; what it shows is compared with the data recomputed."""

    hand: Literal[HandName.VISUALIZE] = HandName.VISUALIZE
    task: Text
    data: tuple[Name, ...] = Field(min_length=1, max_length=1)
    chart: Literal["line", "scatter", "bar", "hist", "heatmap"] = "line"
    x: Name = ""
    y: Name = ""
    agg: Literal["none", "mean", "sum", "count", "median", "min", "max"] = "none"


class VerifyRequest(_Request):
    """Judge a claim by programs written from the claim alone, or a subject by running it.

    Attributes:
        subject: the text of a program, or of a case as JSON (`docs/checks.md`). It is judged by
            its own examples, and by the claim when that is another than `OWN_WORD`.
        data: the table that the claim is about, or that the subject reads.
    """

    hand: Literal[HandName.VERIFY] = HandName.VERIFY
    claim: Text = OWN_WORD
    data: tuple[Name, ...] = Field(default=(), max_length=1)
    subject: Annotated[str, Field(max_length=400_000)] = ""

    @model_validator(mode="after")
    def _about_something(self) -> Self:
        if not self.data and not self.subject:
            raise ValueError("give `data` that the claim is about, or a `subject`")
        return self


class ToolRequest(_Request):
    """Call a tool of another MCP server; its result is text from outside and never verified."""

    hand: Literal[HandName.TOOL] = HandName.TOOL
    task: Text
    tool: Annotated[str, Field(min_length=3, max_length=200, pattern="/")]
    arguments: dict[str, JsonValue] = Field(default_factory=dict)


HandRequest = Annotated[
    CodeRequest | MathRequest | VisualizeRequest | VerifyRequest | ToolRequest,
    Field(discriminator="hand"),
]

#: One registry of hands: it makes the plan's grammar and, at the MCP door, the tools.
REQUESTS: dict[HandName, type[_Request]] = {
    HandName.CODE: CodeRequest,
    HandName.MATH: MathRequest,
    HandName.VISUALIZE: VisualizeRequest,
    HandName.VERIFY: VerifyRequest,
    HandName.TOOL: ToolRequest,
}


def request_from(hand: str, fields: dict[str, Any]) -> _Request:
    """Build the typed request of `hand`; raises `pydantic.ValidationError` on a wrong field."""
    return REQUESTS[HandName(hand)].model_validate({"hand": hand, **fields})
