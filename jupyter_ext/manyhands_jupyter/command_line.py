"""Commands of the command line, from a kernel: a process of its own holds up nobody."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manyhands_jupyter.session import Session

__all__ = ["run_manyhands"]


async def run_manyhands(session: Session, *words: str) -> tuple[int, str, str]:
    """Exit code, output and messages of `manyhands WORDS`, which nobody answers when it asks."""
    env = os.environ | {"COLUMNS": "200"}
    if session.rehearsal is not None:
        for name, host in session.settings.hosts.items():
            env[f"MANYHANDS_HOSTS__{name.upper()}__URL"] = host.url
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "manyhands", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
    )
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
