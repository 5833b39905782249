"""Replaying a run: its recorded answers are played by the rehearsal server, all else runs anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from manyhands.errors import InputError
from manyhands.hands.voice import digest
from manyhands.journal.events import Event, RunStarted, Said
from manyhands.rehearsal.script import Fault, Reply, ScriptedRequest
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import Settings

__all__ = ["Cassette", "on_cassette"]


@dataclass
class Cassette:
    """The answers of a run by what was asked; equal questions get their answers in order.

    What memory gave and what was said before in the conversation is no part of the record, so a
    call may be worded differently in the replay: it gets its role's next answer.

    Attributes:
        missed: how many calls found no answer of their role any more.
        varied: how many calls were worded differently than in the run.
    """

    question: RunStarted
    missed: int = 0
    varied: int = 0
    _answers: dict[str, list[Said]] = field(default_factory=lambda: defaultdict(list))
    _played: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _left: list[Said] = field(default_factory=list)
    _roles: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Sequence[Event]) -> Cassette:
        """Make one from a run's events; raises `InputError` when they hold no answers."""
        first = events[0].body
        if not isinstance(first, RunStarted):
            raise InputError("The run was erased.", hint="Only a run that is kept can be replayed.")
        made = cls(first, _roles={role.prompt: name for name, role in load_roles().items()})
        for event in events:
            if isinstance(event.body, Said):
                made._answers[event.body.digest].append(event.body)
                made._left.append(event.body)
        if not made._answers:
            raise InputError("The run holds no model answers.", hint="It stopped before the first.")
        return made

    def reply(self, request: ScriptedRequest) -> Reply:
        """The recorded answer to this request, else a server fault."""
        told = [(str(message["role"]), str(message["content"])) for message in request.messages]
        key = digest(told, request.format, [image.sha256 for image in request.images])
        answers = self._answers.get(key, [])
        if answers:
            said = answers[min(self._played[key], len(answers) - 1)]
            self._played[key] += 1
        else:
            found = self._next_of(self._roles.get(told[0][1], ""), request.last)
            if found is None:
                self.missed += 1
                return Reply("", fault=Fault.HTTP_500)
            said = found
            self.varied += 1
        if said in self._left:
            self._left.remove(said)
        return Reply(said.text, thinking=said.thinking, done_reason=said.done_reason)

    def _next_of(self, role: str, prompt: str) -> Said | None:
        """The next answer of a role; of the council's seats, that of the seat that asks."""
        left = [said for said in self._left if said.role == role]
        seats = [
            said
            for said in left
            if said.step.startswith("council:")
            and f"Your seat: {said.step.partition(':')[2]}" in prompt
        ]
        return next(iter(seats or left), None)


@contextmanager
def on_cassette(settings: Settings, cassette: Cassette) -> Iterator[Settings]:
    """Settings whose models are a rehearsal server that plays the cassette."""
    with scripted_tiers(settings, cassette.reply) as rehearsed:
        yield rehearsed
