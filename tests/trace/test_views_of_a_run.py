"""A run as spans and as a page: complete, in order, and safe whatever the models wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from manyhands.cli.demo_models import DATA, QUESTION, say
from manyhands.data_files import data_path
from manyhands.errors import InputError, MissingExtra
from manyhands.journal.events import Event, Said
from manyhands.journal.records import RunRecord, RunState
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.rehearsal.script import ScriptedRequest
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import Settings
from manyhands.trace.html import page_of
from manyhands.trace.spans import SpanWriter, writer_from_environment

ROLES = load_roles()
PROMPTS = {name: role.prompt for name, role in ROLES.items()}
CO2 = data_path("examples") / f"{DATA}.csv"


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    return settings_in(tmp_path)


@pytest.mark.anyio
async def test_a_run_becomes_a_tree_of_spans_with_the_servers_token_counts(
    settings: Settings,
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    writer = SpanWriter(provider.get_tracer("test"))
    with scripted_tiers(settings, lambda r: say(r, PROMPTS)) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, simulated=True, observe=writer)
        answer = await mind.ask(QUESTION, data={DATA: CO2})
    spans = exporter.get_finished_spans()
    by_id = {span.context.span_id: span for span in spans if span.context is not None}
    (root,) = [span for span in spans if span.parent is None]
    assert root.name == "invoke_agent manyhands"
    assert len({span.context.trace_id for span in spans if span.context is not None}) == 1
    chats = [span for span in spans if span.name.startswith("chat ")]
    assert len(chats) == answer.usage.calls
    counted = sum(
        int(span.attributes["gen_ai.usage.input_tokens"])  # type: ignore[index, arg-type]
        for span in chats
    )
    assert counted == answer.usage.prompt_tokens
    attempts = [span for span in spans if span.name.startswith("attempt")]
    assert {by_id[span.parent.span_id].name for span in attempts if span.parent} == {
        "execute_tool code",
        "execute_tool math",
        "execute_tool visualize",
        "execute_tool verify",
    }
    for span in spans:
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time
        text = str(span.attributes)
        assert QUESTION not in text


def test_no_variables_no_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_TRACES_EXPORTER", raising=False)
    assert writer_from_environment() is None


def test_a_missing_exporter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setitem(
        __import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None
    )
    with pytest.raises(MissingExtra, match="OTLP"):
        writer_from_environment()


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'</pre></details>"


def test_what_a_model_wrote_is_text_on_the_page() -> None:
    record = RunRecord("run", "conv", EVIL, RunState.ANSWERED, EVIL, EVIL, 0.0, 1.0, EVIL)
    said = Said(role=EVIL, tier="t", model=EVIL, step="", digest="", text=EVIL, thinking=EVIL)
    page = page_of(
        record,
        [Event(run_id="run", seq=1, at=0.0, body=said)],
        [(EVIL, b"\x89PNG\r\n\x1a\nrest"), ("evil.svg", b"<svg onload=alert(1)>")],
    )
    assert "<script" not in page
    assert "onerror=alert(1)>" not in page
    assert "<svg" not in page
    assert page.count("<img") == 1
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.anyio
async def test_a_run_is_replayed_from_its_own_record(settings: Settings) -> None:
    from manyhands.cli.replaying import Cassette, on_cassette

    with scripted_tiers(settings, lambda r: say(r, PROMPTS)) as rehearsed:
        first = await Mind(rehearsed, roles=ROLES, simulated=True).ask(QUESTION, data={DATA: CO2})
    with Mind(settings, roles=ROLES).journal() as journal:
        cassette = Cassette.of(journal.events(first.run_id))
    with on_cassette(settings, cassette) as played:
        again = await Mind(played, roles=ROLES, simulated=True).ask(QUESTION, data={DATA: CO2})
    assert isinstance(again, Answer)
    assert cassette.missed == 0
    assert (again.text, again.status) == (first.text, first.status)
    assert again.usage.calls == first.usage.calls


@pytest.mark.anyio
async def test_a_question_that_the_run_never_asked_is_missed(settings: Settings) -> None:
    from manyhands.cli.replaying import Cassette, on_cassette
    from manyhands.errors import EngineError

    frame = '{"goal": "g", "route": "direct", "answer": "hi"}'
    with scripted_tiers(settings, lambda r: frame) as rehearsed:
        first = await Mind(rehearsed, roles=ROLES).ask("hello")
    with Mind(settings, roles=ROLES).journal() as journal:
        cassette = Cassette.of(journal.events(first.run_id))
        with pytest.raises(InputError):
            Cassette.of(journal.events(first.run_id)[:1])
    with on_cassette(settings, cassette) as played:
        again = await Mind(played, roles=ROLES).ask("hello, worded differently")
        assert (again.text, cassette.varied, cassette.missed) == ("hi", 1, 0)
        with pytest.raises(EngineError):
            await Mind(played, roles=ROLES).ask("a call more than the run made")
    assert cassette.missed


@pytest.mark.anyio
async def test_a_follow_up_and_a_council_are_replayed_without_what_was_said_before(
    settings: Settings,
) -> None:
    from manyhands.cli.replaying import Cassette, on_cassette

    def said(request: ScriptedRequest) -> str:
        if "Your seat: breaker" in request.last:
            return "ANSWER: no"
        direct = '{"goal": "g", "route": "direct", "answer": "hi"}'
        return "ANSWER: yes" if "Your seat" in request.last else direct

    with scripted_tiers(settings, said) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, simulated=True)
        first = await mind.ask("hello")
        second = await mind.ask("Good?", council=True, conversation_id=first.conversation_id)
    with mind.journal() as journal:
        cassette = Cassette.of(journal.events(second.run_id))
    with on_cassette(settings, cassette) as played:
        again = await Mind(played, roles=ROLES, simulated=True).ask("Good?", council=True)
    assert (cassette.varied, cassette.missed) == (4, 0)
    assert again.text.splitlines()[0] == second.text.splitlines()[0] == "**yes**"
    assert "breaker: no" in again.text
