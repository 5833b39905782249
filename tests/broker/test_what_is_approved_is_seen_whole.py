"""A person is shown all that they approve, or is not asked: nothing is cut without a word."""

from __future__ import annotations

import io
import os
import sys

import pytest
from manyhands_mcp.asking import request_for
from rich.console import Console

from manyhands.broker.contracts import MOST_SHOWN, Choice, Decision, Effect, Rule, Verdict
from manyhands.cli.reviewing import approve_at_terminal
from manyhands.jobs.records import JobQuestion, QuestionKind
from manyhands.remote.tools import OutsideTool, OutsideTools
from manyhands.settings import McpServerSettings, ToolRule

END = "and delete all backups"


async def asked(
    effect: Effect, monkeypatch: pytest.MonkeyPatch, typed: str = "once\n", *, session: bool = True
) -> tuple[Choice, str]:
    ours, theirs = os.openpty()
    shown = io.StringIO()
    with os.fdopen(ours, "w") as keyboard, os.fdopen(theirs) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        keyboard.write(typed)
        keyboard.flush()
        approve = approve_at_terminal(Console(file=shown, width=100_000))
        choice = await approve(effect, Decision(Verdict.ASK, "it is asked", session=session))
    return choice, shown.getvalue()


@pytest.mark.anyio
async def test_the_terminal_shows_the_last_word_of_a_long_argument(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    effect = Effect("remember", {"text": "x" * 5_000 + END}, "remember a note", "the preview")
    choice, shown = await asked(effect, monkeypatch)
    assert choice is Choice.ONCE
    assert END in shown
    assert "the preview" in shown


@pytest.mark.anyio
async def test_the_terminal_offers_the_session_only_where_it_would_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    effect = Effect("remember", {"text": "x"}, "remember a note")
    assert (await asked(effect, monkeypatch, "session\n"))[0] is Choice.SESSION
    choice, _ = await asked(effect, monkeypatch, "session\nno\n", session=False)
    assert choice is Choice.NO


@pytest.mark.anyio
async def test_what_is_too_long_to_be_seen_is_not_approved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    effect = Effect("remember", {"text": "x" * MOST_SHOWN + END}, "remember a note")
    choice, shown = await asked(effect, monkeypatch)
    assert choice is Choice.NO
    assert f"{MOST_SHOWN:,}" in shown


def test_a_client_is_sent_the_whole_question() -> None:
    effect = Effect("mcp:x/send", {"to": ["a", "b"], "text": "x" * 10_000 + END})
    question = JobQuestion("q", QuestionKind.APPROVAL, "Send it?", effect.whole)
    message = request_for(question).params.message
    assert message.endswith(END)
    assert '["a", "b"]' in message


@pytest.mark.parametrize(
    ("other", "rules"),
    [
        (Rule.NEVER, (Rule.NEVER, Rule.NEVER)),
        (Rule.ASK, (Rule.TRUSTED, Rule.ASK)),
        (Rule.TRUSTED, (Rule.TRUSTED, Rule.TRUSTED)),
    ],
)
def test_the_rule_for_other_tools_holds_for_tools_of_other_servers(
    other: Rule, rules: tuple[Rule, Rule]
) -> None:
    server = McpServerSettings(command="x", approve={"own": ToolRule.ALWAYS})
    outside = OutsideTools({"s": server}, None, other)
    outside.tools = {name: OutsideTool(name, "", {}, ()) for name in ("s/own", "s/new")}
    assert tuple(outside.rules().values()) == rules
    assert outside.free("s/own") is (other is not Rule.NEVER)
    assert not outside.free("s/new")
