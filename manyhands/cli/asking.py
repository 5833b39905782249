"""Asking at the command line: one question with its live trace, Ctrl-C included."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import anyio
import click
from rich.console import Console

from manyhands.broker.contracts import EffectState
from manyhands.cli.observing import writer_from_environment
from manyhands.cli.reviewing import approve_at_terminal
from manyhands.errors import ApprovalDenied, BudgetExceeded, fault_in
from manyhands.hands.contracts import Status
from manyhands.journal.events import Event
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.trace.terminal import TerminalTrace, print_answer

__all__ = ["EXIT_STOPPED", "answer_json", "exit_code", "play", "tell", "terminal_mind"]

#: The shell's own code for a program that Ctrl-C ended.
EXIT_STOPPED = 130
_EXIT_CODES = {"verified": 0, "unverified": 0, "refuted": 0, "cannot": 10, "failed": 11}

Stream = AsyncIterator[Event | Answer]


def terminal_mind(console: Console) -> Mind:
    """The user's mind at the terminal, which asks there before an effect happens."""
    return Mind(door="cli", approve=approve_at_terminal(console), observe=writer_from_environment())


def play(stream: Callable[[], Stream], console: Console, *, quiet: bool) -> Answer:
    """Show a run as it goes; Ctrl-C stops it cleanly and says how to go on.

    Raises:
        ManyhandsError: what the run raised.
        SystemExit: with `EXIT_STOPPED` after Ctrl-C, or as the console says when nobody reads on
            (`| head`).
    """
    try:
        return anyio.run(_play, stream, console, quiet)
    except BaseExceptionGroup as group:
        leaving, _ = group.split(SystemExit)
        if leaving is not None:
            raise SystemExit(1) from None
        fault = fault_in(group)
        if fault is None:
            raise
        raise fault from group


async def _play(stream: Callable[[], Stream], console: Console, quiet: bool) -> Answer:
    answer: Answer | None = None
    run_id = ""
    stopped = False
    with TerminalTrace(console, quiet=quiet) as trace:
        async with anyio.create_task_group() as tasks:

            async def stop_on_signal() -> None:
                nonlocal stopped
                with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                    async for _ in signals:
                        stopped = True
                        tasks.cancel_scope.cancel()
                        return

            tasks.start_soon(stop_on_signal)
            async with aclosing(stream()) as items:  # type: ignore[type-var]
                async for item in items:
                    if isinstance(item, Answer):
                        answer = item
                    else:
                        run_id = item.run_id
                        trace.show(item)
            tasks.cancel_scope.cancel()
    if stopped or answer is None:
        console.print(
            f"Stopped. `manyhands runs resume {run_id}` goes on with it." if run_id else "Stopped."
        )
        raise SystemExit(EXIT_STOPPED)
    return answer


def answer_json(answer: Answer) -> dict[str, Any]:
    """The answer as one JSON object; `docs/cli.md` describes its keys."""
    return {
        "answer": {"text": answer.text, "status": str(answer.status)},
        "question_back": answer.question_back,
        "steps": [
            {
                "id": step.id,
                "hand": str(step.hand),
                "task": step.task,
                "status": str(step.result.status),
                "summary": step.result.summary,
                "value": step.result.value,
                "accepted": step.result.accepted,
                "attempts": [
                    {
                        "number": attempt.number,
                        "role": attempt.role,
                        "tier": attempt.tier,
                        "model": attempt.model,
                        "seconds": round(attempt.seconds, 3),
                        "fault": attempt.fault or attempt.abstained,
                        "checks": [
                            {
                                "name": check.name,
                                "passed": check.passed,
                                "kind": str(check.kind),
                                "independent": check.independent,
                                "evidence": check.evidence,
                                "isolation": check.isolation,
                                "rerun": check.detail.get("rerun", ""),
                            }
                            for check in attempt.checks
                        ],
                    }
                    for attempt in step.result.attempts
                ],
            }
            for step in answer.steps
        ],
        "claims": [
            {"text": claim.text, "status": str(claim.status), "evidence": claim.evidence}
            for claim in answer.claims
        ],
        "effects": [item.model_dump(mode="json") for item in answer.effects],
        "open_points": list(answer.open_points),
        "artifacts": [item.model_dump(mode="json") for item in answer.artifacts],
        "usage": {**answer.usage.model_dump(mode="json"), "seconds": round(answer.seconds, 3)},
        "exhausted": answer.exhausted,
        "simulated": answer.simulated,
        "run_id": answer.run_id,
        "conversation_id": answer.conversation_id,
    }


def exit_code(answer: Answer) -> int:
    """0 for an answer (its status says how good it is) or a question back, else 5, 6, 10 or 11."""
    if answer.exhausted and answer.status is Status.FAILED:
        return BudgetExceeded.exit_code
    code = 0 if answer.question_back else _EXIT_CODES[str(answer.status)]
    denied = any(effect.state == EffectState.DENIED for effect in answer.effects)
    return code or (ApprovalDenied.exit_code if denied else 0)


def tell(answer: Answer, console: Console, *, as_json: bool) -> None:
    """Print the answer for a person or for a program."""
    if as_json:
        click.echo(json.dumps(answer_json(answer), ensure_ascii=False, indent=2))
    else:
        print_answer(console, answer)
        if answer.question_back:
            console.print("  Answer it with: manyhands ask --continue '…'", markup=False)
