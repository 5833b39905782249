"""What can happen in a run: one typed body per kind of event.

Events are written to the journal in order, streamed to the door that asked, and shown by it.
`Generating` and `AnswerDelta` are progress: they are streamed, never written.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

__all__ = [
    "BODY",
    "AnswerDelta",
    "Answered",
    "Asked",
    "AttemptDone",
    "AttemptStarted",
    "Body",
    "CheckDone",
    "Condensed",
    "CouncilDone",
    "CouncilDraft",
    "EffectDecided",
    "EffectFinished",
    "EffectIntended",
    "Event",
    "Framed",
    "Generating",
    "ModelLoaded",
    "ModelLoading",
    "Note",
    "NoteReason",
    "PassageRead",
    "Rated",
    "Recalled",
    "RunFinished",
    "RunOutcome",
    "RunStarted",
    "Said",
    "StepDone",
    "StepStarted",
]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RunStarted(_Body):
    kind: Literal["run_started"] = "run_started"
    question: str
    conversation_id: str
    door: str
    data: dict[str, str] = Field(default_factory=dict)  # name -> where it lies
    sha256: dict[str, str] = Field(default_factory=dict)  # name -> of its content
    context: dict[str, str] = Field(default_factory=dict)  # label -> text from the door
    save_folder: str = ""
    role: str = ""
    hands: bool = True
    council: bool = False
    version: str = ""
    simulated: bool = False


class Recalled(_Body):
    kind: Literal["recalled"] = "recalled"
    sources: tuple[str, ...] = ()
    tokens: int = 0


class Framed(_Body):
    """The mind's frame; `frame` is the frame as JSON, enough to go on from."""

    kind: Literal["framed"] = "framed"
    goal: str
    route: str
    frame: dict[str, JsonValue]
    order: tuple[str, ...] = ()
    revision: int = 0


class StepStarted(_Body):
    kind: Literal["step_started"] = "step_started"
    step: str
    hand: str
    task: str


class AttemptStarted(_Body):
    kind: Literal["attempt_started"] = "attempt_started"
    step: str
    number: int
    role: str
    tier: str
    model: str
    why: str = ""


class ModelLoading(_Body):
    kind: Literal["model_loading"] = "model_loading"
    model: str
    elapsed_s: float
    expected_s: float | None = None


class ModelLoaded(_Body):
    kind: Literal["model_loaded"] = "model_loaded"
    model: str
    seconds: float


class Generating(_Body):
    kind: Literal["generating"] = "generating"
    step: str
    role: str
    model: str
    tokens: int
    seconds: float
    thinking: bool = False


class CheckDone(_Body):
    """`opinion`: it is what a model said of the work, which proves nothing."""

    kind: Literal["check_done"] = "check_done"
    step: str
    attempt: int
    name: str
    passed: bool | None
    evidence: str
    seconds: float = 0.0
    opinion: bool = False


class AttemptDone(_Body):
    """`attempt` is a `hands.contracts.Attempt` as JSON."""

    kind: Literal["attempt_done"] = "attempt_done"
    step: str
    attempt: dict[str, JsonValue]


class StepDone(_Body):
    """`result` is a `hands.contracts.HandResult` as JSON: a resumed run reads it back.

    `again`: it was told before with the same outcome, and has an opinion beside its evidence now.
    """

    kind: Literal["step_done"] = "step_done"
    step: str
    hand: str
    status: str
    summary: str
    result: dict[str, JsonValue]
    again: bool = False


class Condensed(_Body):
    kind: Literal["condensed"] = "condensed"
    step: str
    full_tokens: int
    kept_tokens: int
    artifact: str


class PassageRead(_Body):
    """The mind read on in a result that was cut; `how` says by search, offset or question."""

    kind: Literal["passage_read"] = "passage_read"
    step: str
    artifact: str
    how: str
    tokens: int


class Said(_Body):
    """One model call, whole: what a replay of the run answers from.

    Attributes:
        digest: SHA-256 of messages and format, by which a replay finds the answer.
    """

    kind: Literal["said"] = "said"
    role: str
    tier: str
    model: str
    step: str
    digest: str
    text: str
    thinking: str = ""
    done_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


class CouncilDraft(_Body):
    """One member's answer, written without seeing the others'; `round` 2 is after the evidence."""

    kind: Literal["council_draft"] = "council_draft"
    role: str
    round: int
    answer: str
    evidence: str = ""
    tokens: int = 0


class CouncilDone(_Body):
    kind: Literal["council_done"] = "council_done"
    decided_by: str
    answer: str
    dissent: tuple[str, ...] = ()
    tokens: int = 0


class NoteReason(StrEnum):
    BUDGET = "budget"
    RETRY = "retry"
    FAILOVER = "failover"
    TIER_UP = "tier_up"
    SKIPPED = "skipped"
    UNGROUNDED = "ungrounded"
    MEMORY = "memory"
    ISOLATION = "isolation"
    ENVIRONMENT = "environment"
    CONTEXT = "context"
    STALL = "stall"
    REPLAN = "replan"
    CONTRADICTION = "contradiction"
    REMOTE = "remote"
    REVIEW = "review"


class Note(_Body):
    """Something a person should know: a retry, a step up a tier, a limit that was reached."""

    kind: Literal["note"] = "note"
    reason: NoteReason
    text: str
    step: str = ""


class AnswerDelta(_Body):
    kind: Literal["answer_delta"] = "answer_delta"
    text: str


class EffectDecided(_Body):
    """An effect was proposed; `why` says what the decision rests on, `asked` whether a person."""

    kind: Literal["effect_decided"] = "effect_decided"
    tool: str
    arguments: dict[str, JsonValue]
    digest: str
    summary: str
    allowed: bool
    why: str
    asked: bool = False


class EffectIntended(_Body):
    """Written before an effect happens: one without an `EffectFinished` is uncertain."""

    kind: Literal["effect_intended"] = "effect_intended"
    tool: str
    digest: str
    summary: str


class EffectFinished(_Body):
    kind: Literal["effect_finished"] = "effect_finished"
    tool: str
    digest: str
    state: str
    detail: str
    result: JsonValue = None


class Asked(_Body):
    kind: Literal["asked"] = "asked"
    question: str


class Answered(_Body):
    """The run's text; `open_points` say what stayed unproved in it."""

    kind: Literal["answered"] = "answered"
    text: str
    status: str
    open_points: tuple[str, ...] = ()


class RunOutcome(StrEnum):
    """How a run ended. A run without an end whose process is gone reads as `cut`."""

    ANSWERED = "answered"
    ASKED = "asked"
    FAILED = "failed"
    STOPPED = "stopped"


class RunFinished(_Body):
    kind: Literal["run_finished"] = "run_finished"
    outcome: RunOutcome
    seconds: float
    spend: dict[str, JsonValue] = Field(default_factory=dict)
    error: str = ""


class Rated(_Body):
    """What a person thinks of the answer, given after the run; the newest counts."""

    kind: Literal["rated"] = "rated"
    good: bool
    reason: str = ""
    door: str = ""


Body = Annotated[
    RunStarted
    | Recalled
    | Framed
    | StepStarted
    | AttemptStarted
    | ModelLoading
    | ModelLoaded
    | Generating
    | CheckDone
    | AttemptDone
    | StepDone
    | Condensed
    | PassageRead
    | Said
    | CouncilDraft
    | CouncilDone
    | Note
    | AnswerDelta
    | EffectDecided
    | EffectIntended
    | EffectFinished
    | Asked
    | Answered
    | RunFinished
    | Rated,
    Field(discriminator="kind"),
]

BODY: TypeAdapter[Body] = TypeAdapter(Body)


class Event(BaseModel):
    """One event of a run.

    Attributes:
        seq: position in the run, from 1; progress events carry the number of the last written one.
        at: Unix time in seconds.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    seq: int
    at: float
    body: Body

    @property
    def durable(self) -> bool:
        return not isinstance(self.body, Generating | AnswerDelta)
