"""A run as OpenTelemetry spans, with the attributes of the GenAI semantic conventions.

Names of attributes: https://opentelemetry.io/docs/specs/semconv/gen-ai/ . Prompts and answers are
not put into spans; the journal has them.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from manyhands import __version__
from manyhands.errors import MissingExtra
from manyhands.journal.events import (
    AttemptDone,
    AttemptStarted,
    CheckDone,
    EffectFinished,
    Event,
    ModelLoaded,
    RunFinished,
    RunOutcome,
    RunStarted,
    Said,
    StepDone,
    StepStarted,
)

__all__ = ["SpanWriter", "writer_from_environment"]

Attributes = dict[str, str | int | float | bool]

_SCOPE = "manyhands"


class SpanWriter:
    """Turns the events of runs into spans; call it with each event.

    A span is made when its last event comes, with the times that the events carry, so that a
    journal can be exported afterwards as well as live.
    """

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer or trace.get_tracer(_SCOPE, __version__)
        self._open: dict[tuple[str, str], Span] = {}

    def __call__(self, event: Event) -> None:
        run, at = event.run_id, int(event.at * 1e9)
        attributes: Attributes
        match event.body:
            case RunStarted() as body:
                attributes = {
                    "gen_ai.operation.name": "invoke_agent",
                    "gen_ai.agent.name": "manyhands",
                    "gen_ai.conversation.id": body.conversation_id,
                    "manyhands.run.id": run,
                    "manyhands.door": body.door,
                    "manyhands.simulated": body.simulated,
                }
                self._start((run, ""), "invoke_agent manyhands", at, attributes)
            case StepStarted() as body:
                attributes = {
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": body.hand,
                    "manyhands.step": body.step,
                }
                self._start((run, body.step), f"execute_tool {body.hand}", at, attributes)
            case AttemptStarted() as body:
                attributes = {
                    "manyhands.attempt": body.number,
                    "manyhands.role": body.role,
                    "manyhands.tier": body.tier,
                }
                key = (run, f"{body.step}\0attempt")
                self._start(key, f"attempt {body.number}", at, attributes, parent=body.step)
            case AttemptDone() as body:
                self._end((run, f"{body.step}\0attempt"), at)
            case StepDone() as body:
                self._end((run, f"{body.step}\0attempt"), at)  # a fault may have cut the attempt
                self._end((run, body.step), at, {"manyhands.status": body.status})
            case RunFinished() as body:
                self._end(
                    (run, ""),
                    at,
                    {"manyhands.outcome": str(body.outcome)},
                    error=body.error if body.outcome is RunOutcome.FAILED else "",
                )
            case _:
                self._short(event, at)

    def _short(self, event: Event, at: int) -> None:
        """Spans whose one event says both when they ended and how long they took."""
        run = event.run_id
        attributes: Attributes
        match event.body:
            case Said() as body:
                attributes = {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "ollama",
                    "gen_ai.request.model": body.model,
                    "gen_ai.usage.input_tokens": body.prompt_tokens,
                    "gen_ai.usage.output_tokens": body.completion_tokens,
                    "manyhands.role": body.role,
                    "manyhands.tier": body.tier,
                }
                self._whole(run, body.step, f"chat {body.model}", at, body.seconds, attributes)
            case CheckDone(opinion=True):
                pass  # its model call has a span
            case CheckDone() as body:
                attributes = {"manyhands.check": body.name, "manyhands.passed": str(body.passed)}
                self._whole(run, body.step, f"check {body.name}", at, body.seconds, attributes)
            case ModelLoaded() as body:
                attributes = {"gen_ai.request.model": body.model}
                self._whole(run, "", f"load {body.model}", at, body.seconds, attributes)
            case EffectFinished() as body:
                attributes = {"manyhands.effect": body.tool, "manyhands.state": body.state}
                self._whole(run, "", f"effect {body.tool}", at, 0.0, attributes)
            case _:
                pass

    def _parent(self, run: str, step: str) -> Context | None:
        for key in ((run, f"{step}\0attempt"), (run, step), (run, "")):
            if key in self._open:
                return trace.set_span_in_context(self._open[key])
        return None

    def _start(
        self,
        key: tuple[str, str],
        name: str,
        at: int,
        attributes: Attributes,
        parent: str = "",
    ) -> None:
        context = self._parent(key[0], parent)
        self._open[key] = self._tracer.start_span(
            name, context=context, start_time=at, attributes=attributes
        )

    def _end(
        self,
        key: tuple[str, str],
        at: int,
        attributes: Attributes | None = None,
        error: str = "",
    ) -> None:
        span = self._open.pop(key, None)
        if span is None:
            return
        span.set_attributes(attributes or {})
        if error:
            span.set_status(Status(StatusCode.ERROR, error[:200]))
        span.end(end_time=at)

    def _whole(
        self,
        run: str,
        step: str,
        name: str,
        at: int,
        seconds: float,
        attributes: Attributes,
    ) -> None:
        span = self._tracer.start_span(
            name,
            context=self._parent(run, step),
            start_time=at - int(seconds * 1e9),
            attributes=attributes,
        )
        span.end(end_time=at)


def writer_from_environment() -> Callable[[Event], None] | None:
    """A span writer if the standard `OTEL_*` variables ask for traces, else None.

    Raises:
        MissingExtra: they ask for traces and the SDK is not installed.
    """
    wanted = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    )
    if wanted == "none" or not (wanted or endpoint):
        return None
    try:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import (
            BatchSpanProcessor,
            ConsoleSpanExporter,
            SpanExporter,
        )
    except ImportError as error:
        raise MissingExtra(
            "OTEL_* variables ask for traces, but the OpenTelemetry SDK is not installed.",
            hint="pip install '.[otel]' in the clone, or unset them.",
        ) from error
    exporter: SpanExporter
    if wanted == "console":
        exporter = ConsoleSpanExporter()
    else:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError as error:
            raise MissingExtra(
                "OTEL_* variables ask for OTLP traces, but its exporter is not installed.",
                hint="pip install '.[otel]' in the clone, or set OTEL_TRACES_EXPORTER=console.",
            ) from error
        exporter = OTLPSpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return SpanWriter(provider.get_tracer(_SCOPE, __version__))
