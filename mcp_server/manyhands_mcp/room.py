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
from manyhands_mcp.caller import LOCAL, Caller, house_digest
from manyhands_mcp.door import Door, open_door
from manyhands_mcp.tables import Tables

__all__ = ["open_room"]

_CANCEL_S = 2.0


class _Start(BaseModel):
    """A call as a door got it; its arguments were checked there and are checked here again."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    arguments: dict[str, Any]
    data_folders: tuple[str, ...]
    folder: str
    person: bool


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    question: str = Field(max_length=100)
    text: str = Field(max_length=20_000)


@asynccontextmanager
async def open_room(settings: Settings) -> AsyncIterator[ServeRoom]:
    """The room; jobs that go on at its end are recorded as cut.

    Whoever has the service's token is the user of this machine, as on standard input.
    """
    mind = Mind(settings, door="mcp")
    house = house_digest(settings, mind.roles)
    async with open_door(mind, own_jobs=True) as door:
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
                "house": house,
                "open": len(door.jobs.live(LOCAL)),
            },
            busy=lambda: bool(door.jobs.live(LOCAL)),
        )


class _Room:
    def __init__(self, door: Door) -> None:
        self._door = door

    async def start(self, call: Call) -> None:
        given = call.body(_Start)
        caller = Caller(
            principal=LOCAL,
            tables=Tables(tuple(Path(folder) for folder in given.data_folders)),
            folder=Path(given.folder),
            person=given.person,
            memory=True,
        )
        works = self._door.works
        work = works.make(given.kind, given.arguments, caller)
        about = works.about(given.arguments, caller)
        jobs = self._door.jobs
        record = await jobs.start(LOCAL, given.kind, given.arguments, work, about=about)
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
