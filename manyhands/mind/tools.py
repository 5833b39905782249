"""What a run works with: the voice of its models, its workbench, its data, its journal."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manyhands.broker.broker import Broker
from manyhands.hands.bench import Bench
from manyhands.hands.cases import Keep
from manyhands.hands.contracts import Spend
from manyhands.hands.places import Emit
from manyhands.hands.reviewing import REVIEWER, Reviewer
from manyhands.hands.voice import Voice
from manyhands.hands.work import Source
from manyhands.mind.budget import Purse
from manyhands.mind.packing import Packed
from manyhands.mind.prompts import Room, left_out_note
from manyhands.mind.routes import Routes
from manyhands.remote.hands import RemoteHands
from manyhands.remote.tools import OutsideTools
from manyhands.roles.model import Role

if TYPE_CHECKING:
    from manyhands.settings import Settings

__all__ = ["Toolbox", "remote_hands", "reviewer_of", "sees"]


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The same for every step of a run.

    Attributes:
        routes: chooses the tier that begins a step and keeps its outcome; without, the role's own.
        escalate: whether a failed repair goes one tier up.
        open: the content of an artifact by its id.
        remote: the hands server that works on the steps; without, they are worked on here.
        charge: told what a step cost that was not worked on here; raises `BudgetExceeded`.
        spare: whether the budget bears a call that only makes a result surer.
        reviewer: looks at charts that were checked; None where no vision model is set up.
        outside: tools of other MCP servers; None where none are set up.
        remember: writes a statement to memory and gives its id; None where memory
            is off or the models only play.
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
    remote: RemoteHands | None = None
    reviewer: Reviewer | None = None
    outside: OutsideTools | None = None
    charge: Callable[[Spend], None] = lambda _: None
    spare: Callable[[], bool] = lambda: False
    remember: Callable[[str], Awaitable[str]] | None = None

    def room(self, role: str) -> Room:
        """What fits into a prompt to a role beside its system prompt, by the server's counts."""
        return Room(self.voice.free(role), lambda text: self.voice.tokens(text, role))

    async def tell_left_out(self, packed: Packed) -> None:
        note = left_out_note(packed)
        if note is not None:
            await self.emit(note)


def sees(settings: Settings, roles: Mapping[str, Role]) -> bool:
    """Whether the reviewer's tier names a model."""
    role = roles.get(REVIEWER)
    return role is not None and role.tier in settings.tiers


def reviewer_of(
    settings: Settings, roles: Mapping[str, Role], voice: Voice, purse: Purse
) -> Reviewer | None:
    """Who looks at pictures; None where no model is set up for it."""
    if not sees(settings, roles):
        return None
    policy = settings.sandbox.policy()
    return Reviewer(voice, policy, purse.bears, settings.hands.review_s)


def remote_hands(settings: Settings) -> RemoteHands | None:
    """The hands server of these settings, with its token from the environment."""
    hands = settings.hands
    return RemoteHands(hands.server, os.environ.get(hands.token_env, "")) if hands.server else None
