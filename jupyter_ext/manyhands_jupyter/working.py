"""The thread in which the mind works, beside the kernel's own.

A task on the kernel's loop would stand still for as long as a cell computes: the model's stream
would not be read, and run into its clocks. A loop of its own goes on; Stop reaches it at once.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

__all__ = ["Work", "Workshop"]

T = TypeVar("T")
#: How long a kernel that ends waits for runs to write down that they were stopped.
_GOODBYE_S = 2.0


class Work(Generic[T]):
    """One piece of work in the workshop.

    Attributes:
        result: its outcome, as a future for the kernel's thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._task: asyncio.Task[T] | None = None
        self._stopped = False
        self.result: Future[T] = Future()
        self._chores: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    @property
    def done(self) -> bool:
        return self.result.done()

    def stop(self) -> None:
        """Cancel it, from any thread; again does nothing."""
        self._stopped = True
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()

    def _begin(self, work: Coroutine[Any, Any, T], context: contextvars.Context) -> None:
        self._task = self._loop.create_task(work, context=context)
        self._task.add_done_callback(self._end)
        if self._stopped:
            self._task.cancel()

    def _end(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.result.cancel()
            self.result.set_running_or_notify_cancel()
        elif (fault := task.exception()) is not None:
            self.result.set_exception(fault)
        else:
            self.result.set_result(task.result())
        self._chores.put(None)

    # --- for a cell that waits -----------------------------------------------------------------

    def do_in_cell(self, chore: Callable[[], None]) -> None:
        """Have the waiting cell's thread do something, for instance print."""
        self._chores.put(chore)

    def wait(self) -> T:
        """Do chores until the work has ended; its result.

        Raises:
            KeyboardInterrupt: the kernel was interrupted; the work is stopped then.
            CancelledError: it was stopped.
        """
        while True:
            try:
                chore = self._chores.get(timeout=0.2)
            except queue.Empty:
                continue  # an interrupt is noticed between two waits
            if chore is None:
                return self.result.result()
            chore()

    def settle(self, seconds: float) -> None:
        """After a stop: wait for the end, doing what is still to be done."""
        try:
            while not self.result.done() or not self._chores.empty():
                chore = self._chores.get(timeout=seconds)
                if chore is not None:
                    chore()
        except queue.Empty:
            return


class Workshop:
    """A loop in a daemon thread, begun with its first work."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._works: set[Work[Any]] = set()

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, which runs from now on."""
        if self._loop is None or self._thread is None or not self._thread.is_alive():
            ready = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(ready,), name="manyhands-mind", daemon=True
            )
            self._thread.start()
            ready.wait()
            atexit.register(self.close)
        assert self._loop is not None
        return self._loop

    def _run(self, ready: threading.Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._loop.call_soon(ready.set)
            self._loop.run_forever()

    def begin(self, make: Callable[[Work[T]], Coroutine[Any, Any, T]]) -> Work[T]:
        """Begin work; what it shows belongs to the cell that runs now.

        Args:
            make: the coroutine; called here, before anything of it can run.
        """
        loop = self.loop()
        work: Work[T] = Work(loop)
        made = make(work)
        self._works.add(work)
        work.result.add_done_callback(lambda _: self._works.discard(work))
        context = contextvars.copy_context()
        loop.call_soon_threadsafe(work._begin, made, context)
        return work

    def working(self) -> list[Work[Any]]:
        """What goes on now."""
        # Copied in one step: works end in another thread meanwhile.
        return [work for work in list(self._works) if not work.done]

    def close(self) -> None:
        """Stop all work, so that each run writes down its end, and end the thread."""
        atexit.unregister(self.close)
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return
        for work in self.working():
            work.stop()
            work.settle(_GOODBYE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_GOODBYE_S)
        self._loop = self._thread = None
