"""The rehearsal server: Ollama's API, played by scripted models on a declared machine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from manyhands.rehearsal.api import Api
from manyhands.rehearsal.profile import ZERO, Profile
from manyhands.rehearsal.runners import LoadRecord
from manyhands.rehearsal.script import ReplyFn, ScriptedModel
from manyhands.rehearsal.store import StoredModel, full_name
from manyhands.web.listener import Connection, HttpRequest, Listener

__all__ = ["Exchange", "RehearsalServer", "running_server"]


@dataclass(slots=True)
class Exchange:
    """A request as it arrived, and how it ended.

    Attributes:
        tokens: pieces of an answer that were sent.
        cancelled: the client left before the end.
        connection: number of the connection that it came by.
    """

    method: str
    path: str
    body: dict[str, Any]
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    tokens: int = 0
    cancelled: bool = False
    connection: int = 0


class RehearsalServer:
    """A server on a free loopback port; an async context manager.

    Attributes:
        url: where it listens, once entered.
        requests: every exchange in the order of arrival.
    """

    def __init__(
        self,
        models: Sequence[ScriptedModel],
        profile: Profile = ZERO,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        announced: bool = False,
    ) -> None:
        self._models = tuple(models)
        self._announced = announced
        self._profile = profile
        self._address = (host, port)
        self._listener: Listener | None = None
        self._api: Api | None = None
        self.url = ""
        self.requests: list[Exchange] = []

    @property
    def loads(self) -> list[LoadRecord]:
        """Every load that was begun."""
        assert self._api is not None
        return self._api.runners.loads

    def add(self, model: ScriptedModel) -> None:
        """Give the server another base model while it runs."""
        assert self._api is not None
        self._api.store.add(StoredModel(name=full_name(model.name), base=model))

    def script_for_uploads(self, reply: ReplyFn) -> None:
        """What models say that are created from an uploaded file, which carries no script."""
        assert self._api is not None
        self._api.script_for_uploads(reply)

    def change_uploads(self, change: Callable[[ReplyFn], ReplyFn]) -> None:
        """Make what uploaded scripted weights say into something else, for instance a fault."""
        assert self._api is not None
        self._api.change_uploads(change)

    async def __aenter__(self) -> Self:
        self._api = Api(self._models, self._profile, announced=self._announced)
        self._listener = Listener(self._handle)
        host, port = await self._listener.open(*self._address)
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._listener is not None
        await self._listener.aclose()

    async def _handle(self, request: HttpRequest, connection: Connection) -> None:
        assert self._api is not None
        exchange = Exchange(request.method, request.path, {}, connection=connection.number)
        self.requests.append(exchange)
        try:
            await self._api.answer(request, connection, exchange)
        except (asyncio.CancelledError, ConnectionError):
            exchange.cancelled = True
            raise
        finally:
            exchange.ended = time.monotonic()


@contextmanager
def running_server(
    models: Sequence[ScriptedModel],
    profile: Profile = ZERO,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    announced: bool = False,
) -> Iterator[RehearsalServer]:
    """The same server in a thread of its own, for code without an event loop."""
    server = RehearsalServer(models, profile, host=host, port=port, announced=announced)
    ready = threading.Event()
    handles: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    failure: list[OSError] = []

    async def main() -> None:
        stop = asyncio.Event()
        async with server:
            handles.append((asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()

    def work() -> None:
        try:
            asyncio.run(main())
        except OSError as error:  # the port is taken
            failure.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="manyhands-rehearsal", daemon=True)
    thread.start()
    ready.wait()
    if failure:
        thread.join()
        raise failure[0]
    try:
        yield server
    finally:
        loop, stop = handles[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join()
