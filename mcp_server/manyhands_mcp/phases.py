"""What goes on, in words that help a person who waits, and about how long it will take."""

from __future__ import annotations

from manyhands.journal.events import (
    AnswerDelta,
    AttemptStarted,
    Body,
    CheckDone,
    EffectDecided,
    Framed,
    Generating,
    ModelLoaded,
    ModelLoading,
    Note,
    Recalled,
    StepDone,
    StepStarted,
)
from manyhands.trace.lines import counted

__all__ = ["phase_of"]


def phase_of(body: Body) -> str:
    """A short phrase for an event; empty when it is nothing to tell."""
    match body:
        case ModelLoading(model=model, elapsed_s=elapsed, expected_s=expected):
            about = f" of about {expected:.0f} s" if expected else ""
            return f"loading {model}, {elapsed:.0f} s{about}"
        case ModelLoaded(model=model, seconds=seconds):
            return f"loaded {model} in {seconds:.0f} s"
        case Generating(tokens=tokens, seconds=seconds, role=role, thinking=thinking):
            speed = f", {tokens / seconds:.0f} tokens/s" if seconds > 0 else ""
            doing = "thinks" if thinking else "writes"
            return f"{role} {doing}: {tokens:,} tokens{speed}"
        case StepStarted(hand=hand, step=step):
            return f"step {step} ({hand})"
        case AttemptStarted(number=number, role=role, model=model):
            again = f", attempt {number}" if number > 1 else ""
            return f"{role} on {model}{again}"
        case CheckDone(opinion=True):
            return "a model has looked at the picture"
        case CheckDone(name=name, passed=passed):
            said = {True: "passed", False: "failed", None: "undecided"}[passed]
            return f"check {name}: {said}"
        case StepDone(again=True):
            return ""
        case StepDone(step=step, status=status):
            return f"step {step}: {status}"
        case Framed(order=order):
            return f"planned {counted(len(order), 'step')}" if order else "framed the question"
        case Recalled(sources=sources):
            return f"recalled {counted(len(sources), 'note')}" if sources else ""
        case AnswerDelta():
            return "writes the answer"
        case EffectDecided(summary=summary, allowed=allowed):
            return f"{'allowed' if allowed else 'not allowed'}: {summary}"
        case Note(text=text):
            return text[:200]
        case _:
            return ""
