"""Finding the owner of the models, starting one, or becoming it, as the settings say."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import anyio
from anyio import to_thread

from manyhands.configuration.sections import ServeSettings
from manyhands.errors import ManyhandsError, StorageError
from manyhands.serve.channel import Channel
from manyhands.serve.owning import DoorOwner, enter_door_owner, leave_door_owner
from manyhands.serve.place import Owner, make_folder, read_owner

__all__ = ["Finder", "start_in_background"]

_LOOK_S = 0.02
#: How long an owner that is starting, or ending, is waited for.
_PATIENCE_S = 10.0
_STATUS_S = 5.0


def start_in_background(settings: ServeSettings) -> None:
    """Start `manyhands serve` as a process of its own; what it says goes to a file beside its lock.

    Of several that are started at once the first one stays.
    """
    make_folder(settings.folder)
    command = [sys.executable, "-m", "manyhands", "serve", "--idle", str(settings.idle_s)]
    env = {
        **os.environ,
        "MANYHANDS_SERVE__FOLDER": str(settings.folder),
        "MANYHANDS_SERVE__TIMES": str(settings.times),
    }
    with (settings.folder / "serve.log").open("ab") as log:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=env,
            start_new_session=True,
        )


class Finder:
    """The owner, found when it is first needed and again when it is lost."""

    def __init__(self, settings: ServeSettings, door: str) -> None:
        self._settings = settings
        self._door = door
        self._channel: Channel | None = None
        self._own: DoorOwner | None = None
        self._private: DoorOwner | None = None
        self._lock = anyio.Lock()

    async def channel(self) -> Channel:
        """A connection to the owner."""
        async with self._lock:
            if self._channel is None:
                self._channel = Channel(await self._find())
            return self._channel

    async def lost(self) -> None:
        """The owner did not answer: look for the next one."""
        async with self._lock:
            if self._channel is not None:
                await self._channel.__aexit__(None, None, None)
                self._channel = None
            await self._leave_own()
        await anyio.sleep(_LOOK_S)

    async def aclose(self) -> None:
        """Leave the owner; one of this process that nobody else here uses ends."""
        with anyio.CancelScope(shield=True):
            if self._channel is not None:
                await self._channel.__aexit__(None, None, None)
                self._channel = None
            await self._leave_own()
            if self._private is not None:
                private, self._private = self._private, None
                await to_thread.run_sync(private.stop)

    async def _leave_own(self) -> None:
        if self._own is not None:
            own, self._own = self._own, None
            await to_thread.run_sync(leave_door_owner, self._settings, own)

    async def _find(self) -> Owner:
        """The owner that runs, a new one, or this process."""
        if self._settings.mode != "off":
            try:
                found = await self._shared()
            except StorageError:
                found = None  # no folder to meet in
            if found is not None:
                return found
        return await self._alone()  # where sharing fails, working must not

    async def _shared(self) -> Owner | None:
        until = time.monotonic() + _PATIENCE_S
        started = False
        while time.monotonic() < until:
            own = await to_thread.run_sync(self._become) if self._settings.mode == "share" else None
            if own is not None and own.owner is not None:
                return own.owner
            found = read_owner(self._settings.folder)
            if found is not None and await _answers(found):
                return found
            if self._settings.mode == "start" and not started:
                started = True
                await to_thread.run_sync(start_in_background, self._settings)
            await anyio.sleep(_LOOK_S)
        return None

    def _become(self) -> DoorOwner | None:
        # Kept here, in the thread: who waits for it may be stopped meanwhile.
        self._own = enter_door_owner(self._settings, self._door)
        return self._own

    async def _alone(self) -> Owner:
        """An owner for this door alone, which no other finds."""
        if self._private is None or not self._private.alive:
            self._private = DoorOwner(self._settings, self._door, None)
            await to_thread.run_sync(self._private.start)
        assert self._private.owner is not None
        return self._private.owner


async def _answers(owner: Owner) -> bool:
    async with Channel(owner) as channel:
        try:
            await channel.call("GET", "/v1/status", limit_s=_STATUS_S)
        except ManyhandsError:
            return False
    return True
