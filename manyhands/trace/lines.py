"""Each event in words: the one wording that every view of a run shares."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from manyhands.clean import clean
from manyhands.journal.events import (
    Answered,
    Asked,
    AttemptDone,
    AttemptStarted,
    Body,
    CheckDone,
    Condensed,
    CouncilDone,
    CouncilDraft,
    EffectDecided,
    EffectFinished,
    Framed,
    Generating,
    ModelLoaded,
    ModelLoading,
    Note,
    NoteReason,
    PassageRead,
    Rated,
    Recalled,
    RunFinished,
    RunStarted,
    StepDone,
    StepStarted,
)

__all__ = [
    "OPINION_MARK",
    "Line",
    "Tone",
    "begins_anew",
    "check_mark",
    "counted",
    "line_of",
    "short",
    "title_of",
]


class Tone(StrEnum):
    """How a line should stand out."""

    PLAIN = "plain"
    HEAD = "head"
    GOOD = "good"
    BAD = "bad"
    OPEN = "open"
    QUIET = "quiet"
    LIVE = "live"  # replaces the line before it while something goes on


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a trace: how deep it is set in, its mark, its text, its tone."""

    depth: int
    mark: str
    text: str
    tone: Tone


#: Before what a model said of the work; no mark of a check.
OPINION_MARK = "○"


def check_mark(passed: bool | None, *, opinion: bool = False) -> str:
    """The mark before a piece of evidence: passed, failed, undecided, or an opinion."""
    return OPINION_MARK if opinion else {True: "✓", False: "✗", None: "?"}[passed]


_STATUS_TONE = {
    "verified": Tone.GOOD,
    "refuted": Tone.BAD,
    "failed": Tone.BAD,
}


def _tone(status: str) -> Tone:
    return _STATUS_TONE.get(status, Tone.OPEN)


def line_of(body: Body) -> Line | None:
    """The line for an event; None for events that a trace leaves out.

    Nothing that a model or a tool said reaches a terminal as a command of the terminal.
    """
    line = _line(body)
    return replace(line, text=clean(line.text)) if line is not None else None


def _line(body: Body) -> Line | None:
    match body:
        case RunStarted():
            data = f" (data: {', '.join(body.data)})" if body.data else ""
            plays = " (the models are scripted)" if body.simulated else ""
            return Line(0, "?", f"{short(title_of(body.question), 2000)}{data}{plays}", Tone.HEAD)
        case Recalled():
            if not body.sources:
                return None
            notes = counted(len(body.sources), "relevant note")
            return Line(1, "·", f"memory: {notes}", Tone.QUIET)
        case Framed():
            steps = f": {' → '.join(body.order)}" if body.order else ""
            return Line(1, "·", f"{body.goal} [{body.route}{steps}]", Tone.PLAIN)
        case StepStarted():
            return Line(1, "▸", f"{body.step} · {body.hand}: {short(body.task, 160)}", Tone.HEAD)
        case AttemptStarted():
            why = f" ({body.why})" if body.why else ""
            return Line(
                2, "·", f"attempt {body.number}: {body.role} on {body.model}{why}", Tone.PLAIN
            )
        case _:
            return _later_line(body)


def _later_line(body: Body) -> Line | None:
    match body:
        case ModelLoading():
            about = f" of about {body.expected_s:.0f} s" if body.expected_s else ""
            return Line(2, "…", f"loading {body.model}, {body.elapsed_s:.0f} s{about}", Tone.LIVE)
        case ModelLoaded():
            return Line(2, "·", f"loaded {body.model} in {body.seconds:.1f} s", Tone.QUIET)
        case Generating():
            doing = "thinking" if body.thinking else "writing"
            speed = f", {body.tokens / body.seconds:.0f} tokens/s" if body.seconds > 0 else ""
            return Line(2, "…", f"{body.role} is {doing}: {body.tokens} tokens{speed}", Tone.LIVE)
        case CheckDone():
            if body.opinion:  # it comes after the step, which it therefore names
                text = f"{body.step} · {body.name}: {short(body.evidence)}"
                return Line(2, OPINION_MARK, text, Tone.QUIET)
            tone = {True: Tone.GOOD, False: Tone.BAD, None: Tone.OPEN}[body.passed]
            mark = check_mark(body.passed)
            return Line(3, mark, f"{body.name}: {short(body.evidence)}", tone)
        case AttemptDone():
            return _attempt_line(body)
        case StepDone(again=True):
            return None
        case StepDone():
            return Line(2, "=", f"{body.status}: {short(body.summary)}", _tone(body.status))
        case Condensed():
            return Line(
                3, "·", f"condensed {body.full_tokens} → {body.kept_tokens} tokens", Tone.QUIET
            )
        case PassageRead():
            return Line(2, "·", f"reads on in {body.step}: {body.how}", Tone.QUIET)
        case CouncilDraft():
            proof = f" ({body.evidence})" if body.evidence else ""
            text = f"{body.role}, round {body.round}: {short(body.answer)}{proof}"
            return Line(2, "·", f"{text} · {body.tokens} tokens", Tone.PLAIN)
        case CouncilDone():
            text = f"council: {short(body.answer)}, by {body.decided_by}"
            return Line(1, "=", f"{text} · {body.tokens} tokens", Tone.PLAIN)
        case Note():
            return Line(2, "!", f"{body.reason}: {short(body.text)}", Tone.OPEN)
        case EffectDecided():
            mark, tone = ("·", Tone.QUIET) if body.allowed else ("✗", Tone.OPEN)
            verdict = "allowed" if body.allowed else "not allowed"
            why = f"asked because {body.why}" if body.asked else body.why
            text = f"{body.tool}: {short(body.summary)}, {verdict} ({why})"
            return Line(1, mark, text, tone)
        case EffectFinished():
            tone = Tone.GOOD if body.state == "done" else Tone.BAD
            return Line(1, "⚑", f"{body.tool} {body.state}: {short(body.detail)}", tone)
        case Asked():
            return Line(0, "?", body.question, Tone.HEAD)
        case RunFinished():
            return _end_line(body)
        case Rated():
            said = "good" if body.good else "bad"
            text = f"rated {said}: {short(body.reason)}" if body.reason else f"rated {said}"
            return Line(0, "·", text, Tone.QUIET)
        case Answered():
            return None
        case _:
            return None


#: After these a call is made again from its start.
_ANEW = (NoteReason.RETRY, NoteReason.FAILOVER)


def begins_anew(body: Body) -> bool:
    """Whether what an answer's first try said is gone, because it is written again."""
    return isinstance(body, Note) and body.reason in _ANEW and not body.step


def _attempt_line(body: AttemptDone) -> Line:
    """What came of an attempt, how long it took with its checks, and its tokens."""
    attempt = body.attempt
    spend = attempt.get("spend")
    counts = spend if isinstance(spend, dict) else {}
    tokens = sum(int(str(counts.get(name, 0))) for name in ("prompt_tokens", "completion_tokens"))
    cost = f"{float(str(attempt.get('seconds', 0))):.1f} s, {tokens} tokens"
    fault = str(attempt.get("fault") or attempt.get("abstained") or "")
    if fault:
        return Line(3, "✗", f"{short(fault)} · {cost}", Tone.BAD)
    return Line(3, "·", cost, Tone.QUIET)


def _end_line(body: RunFinished) -> Line:
    spend = body.spend
    tokens = int(str(spend.get("prompt_tokens", 0))) + int(str(spend.get("completion_tokens", 0)))
    calls, loads = int(str(spend.get("calls", 0))), int(str(spend.get("loads", 0)))
    cost = f"{counted(calls, 'call')}, {counted(tokens, 'token')}, {counted(loads, 'load')}"
    text = f"{body.outcome} in {body.seconds:.1f} s · {cost}"
    return Line(0, "·", f"{text}. {body.error}" if body.error else text, Tone.QUIET)


def counted(number: int, what: str) -> str:
    """`1 file`, `2 files`, `0 memories`."""
    more = re.sub(r"(?<=[^aeiou])y$", "ie", what) + "s"
    return f"{number} {what if number == 1 else more}"


#: More digits than a person reads; the journal keeps every one.
_MANY_DIGITS = re.compile(r"-?\b\d+\.\d{7,}(?:e[+-]?\d+)?\b")


def title_of(question: str) -> str:
    """A question in one line: its first paragraph, with a mark when there is more."""
    first, _, more = question.strip().partition("\n\n")
    return " ".join(first.split()) + (" …" if more.strip() else "")


def short(text: str, limit: int = 240) -> str:
    """One line of at most `limit` characters, its numbers with six digits that count."""
    line = _MANY_DIGITS.sub(lambda number: f"{float(number[0]):.6g}", " ".join(text.split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
