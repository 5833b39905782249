"""Which model of a host is loaded next, and who may use which: state in, decisions out. Pure.

One object for each host and one writer: whoever owns the host tells it what happened, in order, and
carries out what it decides. It never waits, reads no clock and knows no server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from manyhands.schedule.model import LoadCost, ModelKey, Priority, Room, Work, weight
from manyhands.schedule.optimum import best_schedule

__all__ = [
    "OVERDUE_S",
    "Ahead",
    "Decision",
    "Grant",
    "Load",
    "Phase",
    "Recall",
    "Refuse",
    "Scheduler",
    "Swap",
    "Unload",
    "Wish",
]

#: Who has waited so many seconds comes before everybody who has not, whatever that costs.
OVERDUE_S = 600.0
#: Work beyond this many pieces is not looked at when the next model is chosen.
_HORIZON = 24
_AHEAD = "ahead "


@dataclass(frozen=True, slots=True)
class Wish:
    """A door that wants to use a model now.

    Attributes:
        door: which one; the same as in what it announces.
        since: when it began to wait, in seconds of the owner's clock.
        seconds: how long it will use the model, as far as is known.
    """

    id: str
    key: ModelKey
    priority: Priority = Priority.STEP
    since: float = 0.0
    seconds: float = 30.0
    door: str = ""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A step that a plan will come to; `needs` names steps of the same plan."""

    id: str
    key: ModelKey
    seconds: float = 30.0
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """This wish may use its model from now on."""

    wish: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """The load for this wish failed."""

    wish: str


@dataclass(frozen=True, slots=True)
class Recall:
    """Ask the door for its lease back; it gives it up when it is not generating.

    Attributes:
        lost: the model is gone already, so the lease must not be used once more.
    """

    lease: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Unload:
    key: ModelKey


@dataclass(frozen=True, slots=True)
class Load:
    key: ModelKey


Decision = Grant | Refuse | Recall | Unload | Load


class Phase(StrEnum):
    """How far a swap is: waiting for leases, unloading what must go, loading."""

    DRAINING = "draining"
    UNLOADING = "unloading"
    LOADING = "loading"


@dataclass(slots=True)
class Swap:
    """The one swap that is under way; `going` still has to be unloaded."""

    target: ModelKey
    going: set[ModelKey]
    phase: Phase


class Scheduler:
    """The state of one host and what follows from it.

    A lease protects its model from being unloaded while a door uses it; several doors may hold
    leases of one model. A door keeps its lease between two calls and gives it back on recall, so
    that a call of a loaded model asks nobody.

    What is decided after every event:
        1. nothing goes on without reason: a drain whose target nobody wants any more ends;
        2. a wish for a loaded model that stays is granted at once, however many others wait;
        3. one swap at a time: leases of what goes are recalled, then it is unloaded, then the
           target is loaded, and nothing else begins until that has ended;
        4. the best schedule over all that waits and all that plans announced says what comes next;
           4a. with somebody who has waited longer than `OVERDUE_S` only the overdue count;
           4b. announced work of a loaded model holds a swap back only while its door holds a lease
               of that model; what a door announced that holds and wants nothing does not count at
               all: a plan whose door is away must not keep the others waiting;
           4c. otherwise the first model of the schedule that is not loaded is the next target;
        5. when nobody waits, the next announced model is loaded ahead of its time, provided that
           nothing in use has to go for it and nothing that is announced to come sooner;
        6. a model that was loaded and that nobody wants any more is unloaded again.

    Attributes:
        resident: what is loaded.
        leases: lease -> its model. A wish that was granted is a lease of the same id.
        waiting: wishes in the order in which they came.
    """

    def __init__(self, room: Room | None = None) -> None:
        self.room = room or Room()
        self.costs: dict[ModelKey, LoadCost] = {}
        self.resident: set[ModelKey] = set()
        self.leases: dict[str, ModelKey] = {}
        self.waiting: dict[str, Wish] = {}
        self.swap: Swap | None = None
        self._ahead: dict[str, tuple[Ahead, ...]] = {}
        self._plans_door: dict[str, str] = {}
        self._lease_door: dict[str, str] = {}
        self._recalled: set[str] = set()
        self._leaving: set[ModelKey] = set()

    # --- what happened -----------------------------------------------------------------------

    def wish(self, wish: Wish, now: float) -> list[Decision]:
        """A door wants a model."""
        self.waiting[wish.id] = wish
        return self._decide(now)

    def leave(self, wish: str, now: float) -> list[Decision]:
        """A lease was given back, or its door is gone, or it no longer waits."""
        self.waiting.pop(wish, None)
        self.leases.pop(wish, None)
        self._lease_door.pop(wish, None)
        self._recalled.discard(wish)
        return self._decide(now)

    def announce(
        self, plan: str, steps: Sequence[Ahead], now: float, door: str = ""
    ) -> list[Decision]:
        """What a plan will come to, in place of what it announced before; empty when it ends."""
        self._ahead.pop(plan, None)
        self._plans_door.pop(plan, None)
        if steps:
            self._ahead[plan], self._plans_door[plan] = tuple(steps), door
        return self._decide(now)

    def tick(self, now: float) -> list[Decision]:
        """Time has passed: who waits weighs more than before."""
        return self._decide(now)

    def unloaded(self, key: ModelKey, now: float) -> list[Decision]:
        self.resident.discard(key)
        self._leaving.discard(key)
        if self.swap is not None:
            self.swap.going.discard(key)
        return self._decide(now)

    def loaded(self, key: ModelKey, now: float) -> list[Decision]:
        self.resident.add(key)
        wanted = self._is_wanted(key)
        if self.swap is not None and self.swap.target == key:
            self.swap = None
        if wanted:
            return self._decide(now)
        self.resident.discard(key)
        self._leaving.add(key)
        return [Unload(key), *self._decide(now)]  # 6.

    def failed(self, key: ModelKey, now: float) -> list[Decision]:
        """The load of a model failed: those who wait for it are told, the others go on."""
        if self.swap is not None and self.swap.target == key:
            self.swap = None
        told = [wish.id for wish in self.waiting.values() if wish.key == key]
        for one in told:
            del self.waiting[one]
        for plan, steps in list(self._ahead.items()):
            self._ahead[plan] = tuple(step for step in steps if step.key != key)
        return [*(Refuse(one) for one in told), *self._decide(now)]

    def seen(self, resident: Mapping[ModelKey, LoadCost], now: float) -> list[Decision]:
        """What the server says is loaded; other programs load and unload there too."""
        for key, cost in resident.items():
            self.costs.setdefault(key, cost)
        self.resident = set(resident) - self._leaving
        if self.swap is not None:
            self.resident.discard(self.swap.target)
            self.swap.going &= self.resident
        # A lease of what is gone is worth nothing: its door asks again.
        lost = [
            one
            for one, key in self.leases.items()
            if key not in self.resident and one not in self._recalled
        ]
        self._recalled.update(lost)
        return [*(Recall(one, lost=True) for one in lost), *self._decide(now)]

    # --- what follows ------------------------------------------------------------------------

    def _is_wanted(self, key: ModelKey) -> bool:
        return any(wish.key == key for wish in self.waiting.values()) or any(
            step.key == key for _, steps in self._live_plans() for step in steps
        )

    def _live_plans(self) -> list[tuple[str, tuple[Ahead, ...]]]:
        """The plans whose doors hold or want something."""
        here = {wish.door for wish in self.waiting.values()} | set(self._lease_door.values())
        return [
            (plan, steps) for plan, steps in self._ahead.items() if self._plans_door[plan] in here
        ]

    def _decide(self, now: float) -> list[Decision]:
        decided: list[Decision] = []
        swap = self.swap
        if (  # 1.
            swap is not None and swap.phase is Phase.DRAINING and not self._is_wanted(swap.target)
        ):
            self.swap = swap = None
        going = swap.going if swap is not None else set()
        for wish in list(self.waiting.values()):  # 2.
            if wish.key in self.resident and wish.key not in going:
                del self.waiting[wish.id]
                self.leases[wish.id] = wish.key
                self._lease_door[wish.id] = wish.door
                decided.append(Grant(wish.id))
        if swap is None:  # 3.
            swap = self.swap = self._next_swap(now)
        if swap is not None:
            decided += self._advance(swap)
        return decided

    def _advance(self, swap: Swap) -> list[Decision]:
        """One swap's next steps."""
        decided: list[Decision] = []
        if swap.phase is Phase.DRAINING:
            held = [one for one, key in self.leases.items() if key in swap.going]
            decided += [Recall(one) for one in held if one not in self._recalled]
            self._recalled.update(held)
            if held:
                return decided
            swap.phase = Phase.UNLOADING
            decided += [Unload(key) for key in sorted(swap.going, key=repr)]
        if swap.phase is Phase.UNLOADING and not swap.going:
            swap.phase = Phase.LOADING
            decided.append(Load(swap.target))
        return decided

    def _next_swap(self, now: float) -> Swap | None:
        work = self._work(now)
        if not any(one.key not in self.resident for one in work):
            return None
        best = best_schedule(work, self.costs, self.room, self.resident)
        waits = bool(self.waiting)
        held = set(self.leases.values())
        held_by = {(self._lease_door[one], key) for one, key in self.leases.items()}
        for at, step in enumerate(best.steps):  # 4.
            key = step.work.key
            if not step.loads:
                if waits and (self._door_of(step.work), key) in held_by:
                    return None  # 4b.
                continue
            going = set(step.evicts) & self.resident
            if not waits:  # 5.
                sooner = {one.work.key for one in best.steps[:at]}
                if going & (held | sooner):
                    return None
            return Swap(key, going, Phase.DRAINING)  # 4c.
        return None

    def _door_of(self, work: Work) -> str:
        """The door that announced a piece of work."""
        plan = work.id.removeprefix(_AHEAD).split(" ", 1)[0]
        return self._plans_door.get(plan, "")

    def _work(self, now: float) -> list[Work]:
        """All that is known to come, the weightiest first."""
        overdue = [one for one in self.waiting.values() if now - one.since > OVERDUE_S]  # 4a.
        work = [
            Work(
                f"w {wish.id}",
                wish.key,
                wish.seconds,
                weight(wish.priority, now - wish.since),
            )
            for wish in overdue or self.waiting.values()
        ]
        work.sort(key=lambda one: -one.weight)
        work = work[:_HORIZON]
        if overdue:
            return work
        for plan, steps in self._live_plans():
            room = _HORIZON - len(work)
            chosen = {step.id for step in steps[:room]}
            work += [
                Work(
                    f"{_AHEAD}{plan} {step.id}",
                    step.key,
                    step.seconds,
                    weight(Priority.STEP),
                    tuple(f"{_AHEAD}{plan} {need}" for need in step.needs if need in chosen),
                )
                for step in steps[:room]
            ]
        return work
