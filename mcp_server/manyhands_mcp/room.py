"""The jobs' room in `manyhands serve`: it works on what MCP servers on this machine leave to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from manyhands.mind.mind import Mind
from manyhands.serve.service import Call, Route, ServeRoom
from manyhands.settings import Settings
from manyhands_mcp.door import LOCAL, Door, open_door
from manyhands_mcp.tables import Tables

__all__ = ["open_room"]

_CANCEL_S = 2.0


class _Start(BaseModel):
    """A call as a door got it; its arguments were checked there and are checked here again."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    arguments: dict[str, Any]
    folders: tuple[str, ...] = ()
    person: bool = False


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    question: str = Field(max_length=100)
    text: str = Field(max_length=20_000)


@asynccontextmanager
async def open_room(settings: Settings) -> AsyncIterator[ServeRoom]:
    """The room; jobs that go on at its end are recorded as cut.

    Whoever has the service's token is the user of this machine, as on standard input.
    """
    async with open_door(Mind(settings, door="mcp"), own_jobs=True) as door:
        room = _Room(door)
        yield ServeRoom(
            "jobs",
            [
                Route("POST", "/v1/jobs", room.start),
                Route("GET", "/v1/jobs/{id}", room.one),
                Route("POST", "/v1/jobs/{id}/cancel", room.cancel),
                Route("POST", "/v1/jobs/{id}/answer", room.answer),
            ],
            status=lambda: {
                "journal": str(settings.journal.path),
                "open": len(door.jobs.live(LOCAL)),
            },
            busy=lambda: bool(door.jobs.live(LOCAL)),
        )


class _Room:
    def __init__(self, door: Door) -> None:
        self._door = door

    async def start(self, call: Call) -> None:
        given = call.body(_Start)
        tables = Tables(tuple(Path(folder) for folder in given.folders))
        work = self._door.works.make(given.kind, given.arguments, tables, person=given.person)
        record = self._door.jobs.start(LOCAL, given.kind, given.arguments, work)
        await call.json({"id": record.id})

    async def one(self, call: Call) -> None:
        record = self._door.jobs.get(call.names["id"], LOCAL)
        await call.json(
            {
                "state": str(record.state),
                "phase": record.phase,
                "eta_s": record.eta_s,
                "run_id": record.run_id,
                "updated": record.updated,
                "questions": [asdict(one) for one in record.questions],
            }
        )

    async def cancel(self, call: Call) -> None:
        record = await self._door.jobs.stop(call.names["id"], LOCAL, _CANCEL_S)
        await call.json({"state": str(record.state)})

    async def answer(self, call: Call) -> None:
        given = call.body(_Answer)
        taken = self._door.jobs.answer(call.names["id"], LOCAL, given.question, given.text)
        await call.json({"taken": taken})
