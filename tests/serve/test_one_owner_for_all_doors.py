"""Several processes share the models: no more loads than one, and no owner that cannot be lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from helpers_serve import CARD, MODELS, Door

from manyhands.rehearsal.server import RehearsalServer, running_server
from manyhands.serve.place import read_owner

ROUND = ("mind", "expert", "expert", "mind")


def done(server: RehearsalServer) -> int:
    return sum(load.done for load in server.loads)


def test_three_processes_at_once_load_no_more_than_one_with_the_same_work(tmp_path: Path) -> None:
    with running_server(MODELS, CARD) as server:
        alone = Door(tmp_path / "alone", server.url, *ROUND * 3)
        alone.go()
        alone.end()
        one_process = len(server.loads)
    assert one_process == 7  # mind, then expert and mind for each round
    with running_server(MODELS, CARD) as server:
        doors = [Door(tmp_path / "three", server.url, *ROUND) for _ in range(3)]
        for door in doors:
            door.go()
        for door in doors:
            door.end()
        assert len(server.loads) <= one_process
        assert done(server) == len(server.loads)  # none was begun and given up


@pytest.mark.parametrize("mode", ["share", "start"])
def test_killing_the_owner_loses_nothing(tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "shared"
    with running_server(MODELS, CARD) as server:
        owner = Door(folder, server.url, *ROUND * 20)
        owner.go()
        owner.call()
        others = [Door(folder, server.url, *ROUND * 2, mode=mode) for _ in range(2)]
        for door in others:
            door.go()
        for door in others:
            door.call()
        known = read_owner(folder)
        assert known is not None
        assert known.pid == owner.process.pid
        owner.kill()
        for door in others:
            door.end()
        next_owner = read_owner(folder)
        if mode == "share":
            assert next_owner is None  # the last door has left: nobody needs an owner
        else:
            assert next_owner is not None
            assert next_owner.door == "serve"
            assert next_owner.pid not in (owner.process.pid, *(d.process.pid for d in others))
            _stop(folder)


@pytest.mark.slow  # a door gives an owner ten seconds to answer
def test_an_owner_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    with running_server(MODELS, CARD) as server:
        first = Door(folder, server.url, *ROUND, mode="start")
        first.go()
        first.end()
        owner = read_owner(folder)
        assert owner is not None
        assert owner.door == "serve"
        os.kill(owner.pid, signal.SIGSTOP)
        try:
            second = Door(folder, server.url, *ROUND)
            second.go()
            second.end()  # every answer is right, and no call had to load its model
        finally:
            os.kill(owner.pid, signal.SIGCONT)
        third = Door(folder, server.url, *ROUND)
        third.go()
        third.end()
        assert read_owner(folder) == owner  # awake again, it serves on
        _stop(folder)


def _stop(folder: Path) -> None:
    import anyio

    from manyhands.serve.channel import Channel

    async def stop() -> None:
        owner = read_owner(folder)
        assert owner is not None
        async with Channel(owner) as channel:
            await channel.call("POST", "/v1/stop", {})

    anyio.run(stop)
