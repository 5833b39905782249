"""What the scheduler knows: models by what makes them one, their cost, the room, the work. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["AGE_S", "LoadCost", "ModelKey", "Outlook", "Priority", "Room", "Work", "weight"]

#: A request counts twice after it has waited this long, three times after twice as long, …: every
#: request comes to outweigh any number of fresh ones, so that none starves.
AGE_S = 60.0


class Priority(IntEnum):
    """Who waits; a larger one weighs more."""

    BACKGROUND = 0
    STEP = 1
    PERSON = 2


#: How much a second of waiting counts. Against `optimum.LOAD_WEIGHT`: a person's second is worth a
#: second of loading, that of a plan's step a twentieth.
_WEIGHTS = {Priority.BACKGROUND: 1.0, Priority.STEP: 4.0, Priority.PERSON: 70.0}


def weight(priority: Priority, waited_s: float = 0.0) -> float:
    """How much a second counts that somebody of this priority, who waited so long, waits on."""
    return _WEIGHTS[priority] * (1.0 + max(0.0, waited_s) / AGE_S)


@dataclass(frozen=True, slots=True)
class ModelKey:
    """What must be equal for two requests to share a loaded model.

    Attributes:
        weights: the file of the weights, as the server names it.
        adapters: the adapters' files.
        options: runner options such as `num_ctx`, by name.
    """

    weights: str
    adapters: tuple[str, ...] = ()
    options: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class LoadCost:
    """Bytes of GPU memory that a model takes (0 on the CPU), and seconds that its load takes."""

    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Room:
    """What fits together on a host, by the rules of its server.

    Attributes:
        vram: bytes; 0 means that it is not known, and everything is taken to fit.
        share: a model beside others may take this share of what is free; alone it always fits,
            spilling to the CPU (Ollama, server/sched.go).
        most: models at once.
    """

    vram: int = 0
    share: float = 0.8
    most: int = 3

    def fits(self, size: int, beside: Iterable[int]) -> bool:
        """Whether a model of `size` bytes loads beside models of these sizes."""
        others = list(beside)
        if not others:
            return True
        if len(others) >= self.most:
            return False
        return not self.vram or size <= self.share * (self.vram - sum(others))


@dataclass(frozen=True, slots=True)
class Work:
    """Something to be done by one model.

    Attributes:
        seconds: expected, the load not counted.
        weight: how much a second counts that it is not done.
        needs: ids of work that must be done before.
    """

    id: str
    key: ModelKey
    seconds: float = 30.0
    weight: float = 4.0
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a planner must know of a host.

    Attributes:
        keys: tier -> the model that serves it.
        resident: the models among them that are loaded now.
    """

    keys: Mapping[str, ModelKey]
    costs: Mapping[ModelKey, LoadCost]
    room: Room
    resident: frozenset[ModelKey]
