"""Run as a process of its own: a door that works through calls of several models, then says so.

    python working_door.py FOLDER SERVER_URL MODE MODEL...

Prints `ready`, waits for a line on standard input, then works; one JSON line for each call.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import anyio

from manyhands.configuration.sections import ServeSettings
from manyhands.engines.contracts import ChatRequest, Message
from manyhands.engines.ollama import OllamaEngine
from manyhands.serve.client import Leases
from manyhands.serve.wire import Want


async def work(folder: Path, url: str, mode: str, models: list[str]) -> None:
    settings = ServeSettings(folder=folder, times=folder / "loads.db", mode=mode)  # type: ignore[arg-type]
    engine = OllamaEngine(url)
    async with Leases(settings, door=f"door {os.getpid()}") as leases:
        for model in models:
            want = Want(host=url, model=model, options={"num_ctx": 4096}, vram=48 * 10**9)
            async with leases.using(want):
                reply = await engine.chat(
                    ChatRequest(
                        model=model, messages=(Message("user", f"for {model}"),), num_ctx=4096
                    )
                )
            said = {"model": model, "said": reply.content, "load_s": reply.usage.load_s}
            print(json.dumps(said), flush=True)
    await engine.aclose()


def main() -> None:
    folder, url, mode, *models = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    anyio.run(work, Path(folder), url, mode, models)


if __name__ == "__main__":
    main()
