"""What doors and the owner of the models say to each other."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

import manyhands.errors as errors
from manyhands.errors import EngineError, ManyhandsError
from manyhands.schedule.model import Priority

__all__ = ["Announcement", "LeaseRequest", "PlannedStep", "Want", "fault_of", "told"]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Want(_Said):
    """A model as a call needs it.

    Attributes:
        host: URL of the server.
        options: the tier's runner options, `num_ctx` among them.
        vram: bytes of GPU memory of the host; 0 when the settings do not say.
        load_s: the clock of a load.
    """

    host: str
    model: str
    options: dict[str, int]
    vram: Annotated[int, Field(ge=0)] = 0
    load_s: Annotated[float, Field(gt=0)] = 600.0

    @property
    def num_ctx(self) -> int:
        return self.options["num_ctx"]

    def __hash__(self) -> int:
        return hash((self.host, self.model, tuple(sorted(self.options.items()))))


class LeaseRequest(_Said):
    """A door asks for a lease; it holds as long as the connection of this request.

    Attributes:
        seconds: how long the model will be used, as far as is known.
        door, pid: who asks, for the status.
        client: the same for all that one run asks and announces.
        every_s: seconds between two lines while it waits.
    """

    want: Want
    priority: Priority = Priority.STEP
    seconds: Annotated[float, Field(ge=0)] = 30.0
    door: str = ""
    pid: int = 0
    client: str = ""
    every_s: Annotated[float, Field(ge=0.01)] = 1.0


class PlannedStep(_Said):
    """A step that a plan will come to."""

    id: str
    want: Want
    seconds: Annotated[float, Field(ge=0)] = 30.0
    needs: tuple[str, ...] = ()


class Announcement(_Said):
    """What a plan will come to; it holds as long as the connection of this request."""

    plan: Annotated[str, Field(pattern=r"^\S+$")]
    client: str
    steps: tuple[PlannedStep, ...]


def told(error: ManyhandsError) -> dict[str, Any]:
    """A fault as JSON."""
    return {
        "type": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "host": getattr(error, "host", ""),
        "model": getattr(error, "model", ""),
        "clock": getattr(error, "clock", ""),
    }


def fault_of(said: dict[str, Any]) -> ManyhandsError:
    """The fault that the owner told, as the same kind of error."""
    kind = getattr(errors, str(said.get("type", "")), None)
    message, hint = str(said.get("message", "")), str(said.get("hint", ""))
    where = {"host": str(said.get("host", "")), "model": str(said.get("model", ""))}
    if kind is errors.DeadlineExceeded:
        return errors.DeadlineExceeded(
            message, clock=str(said.get("clock", "")), hint=hint, **where
        )
    if (
        isinstance(kind, type)
        and issubclass(kind, EngineError)
        and kind.__init__ is EngineError.__init__
    ):
        return kind(message, hint=hint, **where)
    return EngineError(message, hint=hint, **where)
