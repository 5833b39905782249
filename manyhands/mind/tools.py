"""What a run works with: the voice of its models, its workbench, its data, its journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from manyhands.broker.broker import Broker
from manyhands.hands.bench import Bench
from manyhands.hands.contracts import Artifact
from manyhands.hands.voice import Emit, Voice
from manyhands.hands.work import Source
from manyhands.mind.routes import Routes

__all__ = ["Keep", "Toolbox"]

#: Stores content under a name and media type.
Keep = Callable[[str, str, bytes], Awaitable[Artifact]]


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The same for every step of a run.

    Attributes:
        routes: chooses the tier that begins a step and keeps its outcome; without, the role's own.
        escalate: whether a failed repair goes one tier up.
        open: the content of an artifact by its id.
        remember: writes a statement to memory and gives its id; None where memory is off.
    """

    voice: Voice
    bench: Bench
    emit: Emit
    keep: Keep
    open: Callable[[str], Awaitable[bytes]]
    broker: Broker
    sources: Mapping[str, Source]
    note_tokens: int
    routes: Routes | None = None
    escalate: bool = True
    remember: Callable[[str], Awaitable[str]] | None = None
