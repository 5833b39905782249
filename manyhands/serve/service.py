"""The service that owns the models of this machine: leases, plans, status; and other rooms' routes.

A door asks for a lease (`POST /v1/leases`) and gets lines of JSON: `waiting`, `loading`, `granted`,
`recalled`, `failed`. The lease lasts as long as the connection, so a door that dies gives it back.
The door then speaks to the model server itself: no token passes through here.

Adding routes
    Another room (jobs that outlive their door, for instance) brings a `ServeRoom`: routes, a status
    of its own, and whether it has work that keeps an owner alive. It is opened with the service and
    closed with it:

        @asynccontextmanager
        async def open_room(settings: Settings) -> AsyncIterator[ServeRoom]:
            async with Jobs(store) as jobs:
                async def one(call: Call) -> None:
                    await call.json(jobs.get(call.names["id"], ...))
                yield ServeRoom("jobs", [Route("GET", "/v1/jobs/{id}", one)], busy=jobs.any_open)

    and named in `manyhands/cli/commands/serve.py`, which alone may import every room. A handler
    runs in the service's event loop and is not cancelled when its client leaves (`call.gone()`
    waits for that). It may raise any `ManyhandsError`: the client gets it as JSON, and
    `wire.fault_of` reads it. `manyhands serve` has all rooms; a door that owns the models itself
    has none but the leases, and `status` says which are there. The client side is
    `channel.Channel`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup
from pydantic import BaseModel, ValidationError

from manyhands.configuration.hosts import is_here
from manyhands.engines.contracts import Deadlines
from manyhands.engines.fit.machine import Machine, this_machine
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import InputError, ManyhandsError, StorageError
from manyhands.serve.host import HostOwner, Ticket
from manyhands.serve.times import LoadTimes
from manyhands.serve.wire import Announcement, LeaseRequest, Want, told
from manyhands.web.guard import allows_host, allows_origin, has_token
from manyhands.web.listener import Connection, HttpRequest

__all__ = ["MOST_BODY", "Call", "Route", "ServeRoom", "Service"]

#: Bytes of one request.
MOST_BODY = 4 * 1024 * 1024
_Parsed = TypeVar("_Parsed", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the service.

    Attributes:
        names: what stood in the places of a route's `{name}`.
    """

    request: HttpRequest
    connection: Connection
    names: Mapping[str, str]

    def body(self, kind: type[_Parsed]) -> _Parsed:
        """The body as a model; raises `InputError`."""
        try:
            return kind.model_validate_json(self.request.body)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(f"{where or 'The body'}: {first['msg']}.") from None

    async def json(self, value: Any, status: int = 200) -> None:
        """A whole answer."""
        await self.connection.json(value, status)

    async def begin(self) -> None:
        """Begin an answer of several lines; `line` sends one, `end` ends it."""
        await self.connection.begin()

    async def line(self, value: Mapping[str, Any]) -> None:
        await self.connection.chunk(json.dumps(value, ensure_ascii=False).encode() + b"\n")

    async def end(self) -> None:
        await self.connection.end()

    async def gone(self) -> None:
        """Wait until the client has left."""
        self.connection.open = False  # nothing more can be read from it
        await self.connection.gone()


Handler = Callable[[Call], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """`path` may hold `{name}` in place of one part."""

    method: str
    path: str
    handler: Handler

    def match(self, path: str) -> dict[str, str] | None:
        wanted, given = self.path.split("/"), path.split("/")
        if len(wanted) != len(given):
            return None
        names = {}
        for want, part in zip(wanted, given, strict=True):
            if want.startswith("{") and want.endswith("}") and part:
                names[want[1:-1]] = part
            elif want != part:
                return None
        return names


@dataclass(frozen=True, slots=True)
class ServeRoom:
    """What another room adds to the service.

    Attributes:
        status: its part of `/v1/status`.
        busy: whether it has work for which an idle owner must stay.
    """

    name: str
    routes: Sequence[Route]
    status: Callable[[], dict[str, Any]] = dict
    busy: Callable[[], bool] = lambda: False


@dataclass(slots=True)
class Service:
    """Owns the models of every host that a door names; an async context manager.

    Args:
        token: the bearer token that every request must carry.
        door: who owns: `serve`, or the door that took the part.
        times: file of measured load times.
        rooms: further rooms, already open.
    """

    token: str
    door: str
    version: str
    times: Path
    rooms: Sequence[ServeRoom] = ()
    stop: anyio.Event = field(default_factory=anyio.Event)
    _hosts: dict[str, HostOwner] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _tasks: TaskGroup | None = None
    _kept: LoadTimes | None = None
    _open: int = 0
    _used: float = field(default_factory=time.monotonic)
    _started: float = field(default_factory=time.time)
    _routes: list[Route] = field(default_factory=list)

    async def __aenter__(self) -> Service:
        try:
            self._kept = LoadTimes.open(self.times)
            self._stack.callback(self._kept.close)
        except StorageError:
            self._kept = None  # measured anew in each life
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._routes = [
            Route("GET", "/v1/status", self._status),
            Route("POST", "/v1/leases", self._lease),
            Route("POST", "/v1/plans", self._plan),
            Route("POST", "/v1/outlook", self._outlook),
            Route("POST", "/v1/stop", self._stop),
            *(route for room in self.rooms for route in room.routes),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        await self._stack.__aexit__(None, None, None)

    @property
    def idle_s(self) -> float:
        """Seconds since somebody was here; 0 while somebody is."""
        if self._open or any(room.busy() for room in self.rooms):
            return 0.0
        return time.monotonic() - self._used

    def loads_for_others(self) -> set[tuple[str, float]]:
        """The loads that go on and that doors of other processes wait for."""
        return {
            (host.url, started)
            for host in self._hosts.values()
            if (started := host.load_for_others(os.getpid())) is not None
        }

    async def handle(self, request: HttpRequest, connection: Connection) -> None:
        """Answer one request: who it comes from is checked before anything else."""
        status, fault = self.refusal(request)
        if fault:
            await connection.json({"error": {"type": "InputError", "message": fault}}, status)
            return
        known = False
        for route in self._routes:
            names = route.match(request.path)
            known = known or names is not None
            if names is None or route.method != request.method:
                continue
            self._open += 1
            try:
                await route.handler(Call(request, connection, names))
            except ManyhandsError as error:
                await connection.json({"error": told(error)}, 409)
            finally:
                self._open -= 1
                self._used = time.monotonic()
            return
        message = f"{request.method} {request.path[:100]} is not served here."
        body = {"error": {"type": "InputError", "message": message}}
        await connection.json(body, 405 if known else 404)

    def refusal(self, request: HttpRequest) -> tuple[int, str]:
        """Status and why a request may not pass, by its head alone; "" when it may."""
        headers = request.headers
        kind = headers.get("content-type", "").partition(";")[0].strip().casefold()
        if not allows_host(headers.get("host", "")):
            return 421, "This server does not go by that host name."
        if "origin" in headers and not allows_origin(headers["origin"]):
            return 403, "This origin may not call."
        if not has_token(headers.get("authorization", ""), self.token):
            return 401, "A bearer token is needed."
        if request.method == "POST" and kind != "application/json":
            return 415, "Only application/json is taken."
        return 200, ""

    async def _host(self, want: Want) -> HostOwner:
        found = self._hosts.get(want.host)
        if found is None:
            engine = OllamaEngine(want.host, deadlines=Deadlines(load_s=want.load_s))
            self._stack.push_async_callback(engine.aclose)
            found = self._hosts[want.host] = HostOwner(want.host, engine, self._kept)
            assert self._tasks is not None
            self._tasks.start_soon(found.run)
            if not want.vram and is_here(want.host):
                self._tasks.start_soon(_tell_vram, found)
        return found

    # --- routes ------------------------------------------------------------------------------

    async def _status(self, call: Call) -> None:
        await call.json(
            {
                "door": self.door,
                "pid": os.getpid(),
                "version": self.version,
                "started": self._started,
                "hosts": [host.status() for host in self._hosts.values()],
                "rooms": {room.name: room.status() for room in self.rooms},
            }
        )

    async def _stop(self, call: Call) -> None:
        await call.json({"stopping": True})
        self.stop.set()

    async def _outlook(self, call: Call) -> None:
        wants = call.body(_Wants).wants
        found = {}
        for url in {want.host for want in wants}:
            host = await self._host(next(want for want in wants if want.host == url))
            found[url] = await host.outlook([want for want in wants if want.host == url])
        await call.json(found)

    async def _plan(self, call: Call) -> None:
        """What a plan will come to; it is forgotten when the connection ends."""
        plan = call.body(Announcement)
        await call.begin()
        hosts = []
        for url in dict.fromkeys(step.want.host for step in plan.steps):
            steps = [step for step in plan.steps if step.want.host == url]
            host = await self._host(steps[0].want)
            await host.announce(plan.plan, steps, plan.client)
            hosts.append(host)
        try:
            await call.line({"state": "announced"})
            await call.gone()
        finally:
            for host in hosts:
                host.withdraw(plan.plan)

    async def _lease(self, call: Call) -> None:
        request = call.body(LeaseRequest)
        host = await self._host(request.want)
        tickets: list[Ticket] = []  # none or one; filled at once, so that none is ever left behind
        await call.begin()
        try:
            async with anyio.create_task_group() as tasks:

                async def follow() -> None:
                    try:
                        await self._ask(call, host, request, tickets)
                        for ticket in tickets:
                            await self._follow(call, host, ticket)
                    except ConnectionError:
                        tasks.cancel_scope.cancel()  # the door is gone
                    if not tickets or tickets[0].fault is not None:
                        tasks.cancel_scope.cancel()

                tasks.start_soon(follow)
                await call.gone()
                tasks.cancel_scope.cancel()
        finally:
            for ticket in tickets:
                host.leave(ticket)

    async def _ask(
        self, call: Call, host: HostOwner, request: LeaseRequest, tickets: list[Ticket]
    ) -> None:
        """Put the wish in, while the door is told that somebody is there."""

        async def tell() -> None:
            with suppress(ConnectionError):
                while True:
                    await anyio.sleep(1.0)
                    await call.line({"state": "waiting", "loading": ""})

        failed: dict[str, Any] = {}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tell)
            try:
                tickets.append(await host.ask(request))
            except ManyhandsError as error:
                failed = told(error)
            tasks.cancel_scope.cancel()
        if failed:
            await call.line({"state": "failed", "error": failed})
            await call.end()

    async def _follow(self, call: Call, host: HostOwner, ticket: Ticket) -> None:
        """Tell a door how its wish stands, until the lease is recalled."""
        while not ticket.granted and ticket.fault is None:
            with anyio.move_on_after(ticket.request.every_s):
                await ticket.changed.wait()
            if not ticket.granted and ticket.fault is None:
                await call.line(host.progress(ticket))
        if ticket.fault is not None:
            await call.line({"state": "failed", "error": told(ticket.fault)})
            await call.end()
            return
        await call.line({"state": "granted", "load_s": ticket.load_s})
        while not ticket.recalled:
            await ticket.changed.wait()
        await call.line({"state": "recalled", "lost": ticket.lost})


async def _tell_vram(host: HostOwner) -> None:
    """Ask this machine for its GPU memory; without any, what is seen on the server decides."""
    machine = await to_thread.run_sync(_this_machine, abandon_on_cancel=True)
    if machine.vram:
        host.tell_vram(machine.vram)


@lru_cache(maxsize=1)
def _this_machine() -> Machine:
    return this_machine()


class _Wants(BaseModel):
    wants: tuple[Want, ...]
