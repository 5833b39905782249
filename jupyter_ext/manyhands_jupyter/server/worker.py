"""A thread with an event loop of its own: what works in it never holds up the Jupyter server."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["Stopped", "Work", "Worker"]

T = TypeVar("T")

#: How long the end of the process waits for work to write its own end.
_CLOSE_S = 5.0


class Stopped(Exception):
    """The work was stopped before its end."""


class Work(Generic[T]):
    """Something that goes on in the worker's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._done: concurrent.futures.Future[T] = concurrent.futures.Future()

    async def play(self, coroutine: Coroutine[Any, Any, T]) -> None:
        """Called in the worker's loop."""
        self._task = asyncio.current_task()
        if self._stopped:
            coroutine.close()
            self._done.set_exception(Stopped())
            return
        try:
            result = await coroutine
        except asyncio.CancelledError:
            self._done.set_exception(Stopped())
        except BaseException as error:
            self._done.set_exception(error)
        else:
            self._done.set_result(result)

    def stop(self) -> None:
        """Cancel the work; from any thread. It ends as `Stopped`."""

        def cancel() -> None:
            self._stopped = True
            if self._task is not None:
                self._task.cancel()

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(cancel)

    async def wait(self) -> T:
        """Its result, on the loop of whoever asks.

        When the waiting task is cancelled the work is stopped.

        Raises:
            Stopped: it was stopped.
        """
        try:
            return await asyncio.shield(asyncio.wrap_future(self._done))
        except asyncio.CancelledError:
            self.stop()
            raise


class Worker:
    """The thread, begun with the first piece of work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Work[T]:
        """Start a coroutine in the thread."""
        loop = self._running()
        work: Work[T] = Work(loop)
        asyncio.run_coroutine_threadsafe(work.play(coroutine), loop)
        return work

    async def call(self, function: Callable[[], T]) -> T:
        """Run a short blocking function in the thread, and wait for it."""

        async def called() -> T:
            return function()

        return await self.begin(called()).wait()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="manyhands-minds", daemon=True
                )
                self._thread.start()
                atexit.register(self.close)
            return self._loop

    def close(self) -> None:
        """Stop all work, wait until it has written its end, and end the thread."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        atexit.unregister(self.close)

        async def end() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=_CLOSE_S)
            await loop.shutdown_asyncgens()

        with contextlib.suppress(concurrent.futures.TimeoutError):
            asyncio.run_coroutine_threadsafe(end(), loop).result(_CLOSE_S + 1)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(1)
        if not thread.is_alive():
            loop.close()
