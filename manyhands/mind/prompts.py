"""The texts of the mind's own calls; stable parts first, so that the prompt cache holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from manyhands.hands.work import Source, fenced, prompt_of
from manyhands.mind.answer import Claim
from manyhands.mind.frame import Frame, PlanFault

__all__ = ["answer_prompt", "frame_prompt", "history_note", "replan_note"]

_ROUTES = """Choose a route.
direct: small talk, or a question that you can answer at once without data or working out.
  Put it in `answer`.
ask: something is missing that only the user can tell. Put one question in `question`.
plan: everything else. Put steps in `steps`; each is one hand request:
  code: a function `entry_point`, with `data` names if it reads data. Say in `task` what it returns.
  math: one expression. `kind` and `given` say how it is checked: derivative needs f and var.
  visualize: one chart of one data name; `chart`, `x`, `y`, `agg`.
  verify: `task` is one claim about one data name that can be true or false."""

_NO_HANDS = """Choose a route.
direct: put your answer in `answer`. ask: put one question in `question`."""


def frame_prompt(
    question: str,
    sources: Iterable[Source],
    *,
    hands: bool,
    recalled: str = "",
    history: str = "",
) -> str:
    """The framing call's user message: the rules, then data, memory, history, the question."""
    described = "\n".join(source.description for source in sources)
    return prompt_of(
        _ROUTES if hands else _NO_HANDS,
        fenced("data", described) if described else "No data were given.",
        fenced("memory", recalled) if recalled else "",
        fenced("earlier turns", history) if history else "",
        f"Question: {question}",
    )


def replan_note(faults: Sequence[PlanFault]) -> str:
    """What goes back to the mind about a plan that cannot be followed; the plan is not echoed."""
    listed = "\n".join(f"- {fault}" for fault in faults)
    return f"Your last plan cannot be followed:\n{listed}\nWrite the frame again."


def answer_prompt(
    question: str, frame: Frame, notes: Iterable[str], claims: Iterable[Claim]
) -> str:
    """The final call: the question again, the results with their evidence, and the rules."""
    judged = "\n".join(f"- {claim.status}: {claim.text}" for claim in claims)
    return prompt_of(
        fenced("results", "\n\n".join(notes)),
        f"Claims that were judged:\n{judged}" if judged else "",
        f"Goal: {frame.goal}",
        f"Question: {question}",
        "Answer the question from these results alone. Use only numbers that stand in them. "
        "Say what was not verified.",
    )


def history_note(turns: Sequence[tuple[str, str]], budget_chars: int) -> str:
    """Earlier turns, newest whole first, older ones cut from the front, within the budget."""
    kept: list[str] = []
    left = budget_chars
    for question, answer in reversed(turns):
        turn = f"user: {question}\nmind: {answer}"
        if len(turn) > left:
            turn = f"user: {question[:200]}\nmind: {answer[:200]} […]"
        if len(turn) > left:
            kept.append(f"[{len(turns) - len(kept)} earlier turns left out]")
            break
        kept.append(turn)
        left -= len(turn)
    return "\n".join(reversed(kept))
