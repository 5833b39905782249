"""Many checks in a row: their programs start from processes that have the libraries loaded.

    async with battery():
        for case in cases:
            await HANDLERS[kind](case)

Each program still gets a process, namespaces and fences of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass

from manyhands.checks.sandbox.contracts import Isolation, SandboxPolicy, SandboxResult, SandboxRun
from manyhands.checks.sandbox.forks import ForkServer
from manyhands.checks.sandbox.runner import best, best_python, run

__all__ = ["battery", "start"]


@dataclass(frozen=True, slots=True)
class _Open:
    server: ForkServer
    policy: SandboxPolicy


_open: ContextVar[_Open | None] = ContextVar("open battery", default=None)


@contextlib.asynccontextmanager
async def battery(policy: SandboxPolicy | None = None) -> AsyncIterator[None]:
    """Serve the checks that tasks inside start, those with this policy or none.

    Where the isolation has no fork server, each program is started by itself. Raises NoIsolation.
    """
    policy = policy or SandboxPolicy()
    if await best(policy) not in (Isolation.BWRAP, Isolation.LANDLOCK):
        yield
        return
    async with ForkServer(policy=policy) as server:
        token = _open.set(_Open(server, policy))
        try:
            yield
        finally:
            _open.reset(token)


async def start(job: SandboxRun, policy: SandboxPolicy | None = None) -> SandboxResult:
    """Run `job` of our own from the open battery, else by itself. Raises NoIsolation."""
    opened = _open.get()
    if opened is not None and policy in (None, opened.policy):
        return await opened.server.run(job)
    await best_python(policy or SandboxPolicy(), "This check")
    return await run(job, policy)
