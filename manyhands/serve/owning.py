"""Owning the models: in the foreground for `manyhands serve`, or in a thread of a door."""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio

from manyhands import __version__
from manyhands.configuration.sections import ServeSettings
from manyhands.serve.place import Owner, OwnerLock, forget_owner, write_owner
from manyhands.serve.service import MOST_BODY, ServeRoom, Service
from manyhands.web.listener import Listener

__all__ = ["DoorOwner", "enter_door_owner", "leave_door_owner", "serving"]

#: A door that was told to give the part up does not take it again for so long.
_YIELD_S = 3.0
_LOOK_S = 0.1
#: How long a door may take to send a request, and doors and leases at the same time.
_READ_S = 60.0
_MOST_CONNECTIONS = 1_000


@asynccontextmanager
async def serving(
    settings: ServeSettings, door: str, rooms: Sequence[ServeRoom] = (), *, publish: bool = True
) -> AsyncIterator[tuple[Service, Owner]]:
    """Own the models while the body runs; who `publish`es must hold the lock."""
    token = secrets.token_hex(32)
    async with Service(token, door, __version__, settings.times, rooms) as service:
        listener = Listener(
            service.handle,
            watch=False,
            admit=service.refusal,
            most_body=MOST_BODY,
            read_s=_READ_S,
            most=_MOST_CONNECTIONS,
        )
        host, port = await listener.open("127.0.0.1", 0)
        owner = Owner(f"http://{host}:{port}", token, os.getpid(), door, __version__)
        try:
            if publish:
                write_owner(settings.folder, owner)
            yield service, owner
        finally:
            if publish:
                forget_owner(settings.folder, token)
            await listener.aclose()


class DoorOwner:
    """A door that owns the models while it lives, in a thread with an event loop of its own.

    The thread is what keeps other doors served while this one's own loop is busy, as a notebook's
    is whenever a cell runs.
    """

    def __init__(self, settings: ServeSettings, door: str, lock: OwnerLock | None) -> None:
        self._settings = settings
        self._door = door
        self._lock = lock
        self._ready = threading.Event()
        self._handles: tuple[asyncio.AbstractEventLoop, anyio.Event] | None = None
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="manyhands-owner", daemon=True)
        self._ended = False
        self.users = 0
        self.owner: Owner | None = None

    def start(self) -> None:
        """Begin, and wait until the service listens; raises what hinders it."""
        if self._ended:
            return  # its door was stopped before it came to this
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def _work(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # told by `start`, or seen by doors as an owner that is gone
            self._failure = error
        finally:
            if self._lock is not None:
                self._lock.release()
            self._ready.set()

    async def _serve(self) -> None:
        publish = self._lock is not None
        async with serving(self._settings, self._door, publish=publish) as (service, owner):
            self.owner = owner
            self._handles = asyncio.get_running_loop(), service.stop
            self._ready.set()
            await service.stop.wait()
            if self.users:  # another process asked for the part
                _yielded[self._settings.folder] = time.monotonic()
            # Doors of other processes would have to load anew what was half loaded here.
            under_way = service.loads_for_others()
            while under_way & service.loads_for_others():  # noqa: ASYNC110  no event tells its end
                await anyio.sleep(_LOOK_S)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and self._failure is None

    def stop(self) -> None:
        """End it; a load that another process waits for is let end first."""
        self._ended = True
        if self._thread.ident is None:
            return  # it never began: who wanted it was stopped
        self._ready.wait()
        if self._handles is not None and self._thread.is_alive():
            loop, stop = self._handles
            with suppress(RuntimeError):  # its loop has just ended
                loop.call_soon_threadsafe(stop.set)
        self._thread.join()


_door_owners: dict[Path, DoorOwner] = {}
_yielded: dict[Path, float] = {}
_guard = threading.Lock()


def enter_door_owner(settings: ServeSettings, door: str) -> DoorOwner | None:
    """This process's own owner, made if nobody owns the models; None while another process does.

    Each successful call needs one `leave_door_owner`.
    """
    with _guard:
        found = _door_owners.get(settings.folder)
        if found is not None and found.alive:
            found.users += 1
            return found
        if time.monotonic() - _yielded.get(settings.folder, -_YIELD_S) < _YIELD_S:
            return None
        lock = OwnerLock(settings.folder)
        if not lock.acquire():
            return None
        made = DoorOwner(settings, door, lock)
        made.start()
        made.users = 1
        _door_owners[settings.folder] = made
        return made


def leave_door_owner(settings: ServeSettings, owner: DoorOwner) -> None:
    """Give it up; the last one in this process ends it."""
    with _guard:
        owner.users -= 1
        if owner.users:
            return
        if _door_owners.get(settings.folder) is owner:
            del _door_owners[settings.folder]
    owner.stop()
