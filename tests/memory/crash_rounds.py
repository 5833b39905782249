"""Rounds of `kill -9`: one process writes and is killed, another writes and reads all the while.

    python tests/memory/crash_rounds.py ROUNDS [SEED]

Each write is acknowledged through a pipe after `Memory.add` or `Memory.forget` has returned. At
the end every acknowledged write must be there, the file sound, and the other process's count of
errors zero. Prints one line; the exit code is 0 when all holds.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent))

from helpers_memory import HashEmbedder

from manyhands.memory.memory import Memory
from manyhands.memory.store import open_store


async def _write(path: Path, name: str, pipe: int, seed: int) -> None:
    """Add three memories a time and forget every fifth, for ever."""
    rng = random.Random(seed)
    async with await Memory.open(path, embedder=HashEmbedder()) as memory:
        number = 0
        while True:
            ids = [f"{name}-{number + at}" for at in range(3)]
            await memory.add(
                [{"id": i, "kind": "document", "text": f"walrus {i} {rng.random()}"} for i in ids]
            )
            os.write(pipe, "".join(f"+{i}\n" for i in ids).encode())
            number += 3
            if number % 5 == 0:
                os.write(pipe, f"?{ids[0]}\n".encode())  # from here on it may be gone
                await memory.forget(ids[0])
                os.write(pipe, f"-{ids[0]}\n".encode())


async def _both(path: Path, pipe: int, stop: int) -> None:
    """Write and read until told to stop; errors are told through the pipe."""
    os.set_blocking(stop, False)
    async with await Memory.open(path, embedder=HashEmbedder()) as memory:
        number = 0
        while True:
            try:
                item = {"id": f"b-{number}", "kind": "document", "text": f"seal {number}"}
                await memory.add(item)
                os.write(pipe, f"+b-{number}\n".encode())
                hits = await memory.recall(f"seal {number}", k=3)
                if not hits:
                    os.write(pipe, b"!nothing found\n")
            except Exception as error:
                os.write(pipe, f"!{error!r}\n".replace("\n", " ").encode() + b"\n")
            number += 1
            try:
                if os.read(stop, 1):
                    return
            except BlockingIOError:
                pass
            await anyio.sleep(0.002)


def _child(work: object, *arguments: object) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        anyio.run(work, *arguments)  # type: ignore[arg-type]
    except BaseException as error:
        print(f"child: {error!r}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def _drain(pipe: int, held: bytearray) -> None:
    os.set_blocking(pipe, False)
    try:
        while part := os.read(pipe, 1 << 16):
            held += part
    except BlockingIOError:
        pass


def rounds(count: int, path: Path, seed: int) -> str:
    """Play the rounds; what went wrong, or "" when nothing did."""
    rng = random.Random(seed)
    open_store(path).close()
    told_by_b, b_writes = os.pipe()
    b_stop, stop_b = os.pipe()
    both = _child(_both, path, b_writes, b_stop)
    acknowledged = bytearray()
    from_b = bytearray()
    for number in range(count):
        read, write = os.pipe()
        victim = _child(_write, path, f"a{number}", write, rng.randrange(1 << 30))
        os.close(write)
        first = os.read(read, 1 << 16)  # it has begun
        acknowledged += first
        time.sleep(rng.random() * 0.05)
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        while part := os.read(read, 1 << 16):
            acknowledged += part
        os.close(read)
        _drain(told_by_b, from_b)
    os.write(stop_b, b"x")
    os.waitpid(both, 0)
    _drain(told_by_b, from_b)
    return _judge(path, bytes(acknowledged).decode(), bytes(from_b).decode())


def _judge(path: Path, by_victims: str, by_other: str) -> str:
    errors = [line for line in by_other.splitlines() if line.startswith("!")]
    if errors:
        return f"{len(errors)} errors in the other process: {errors[0]}"
    there: set[str] = set()
    gone: set[str] = set()
    for line in (by_victims + by_other).splitlines():
        sign, name = line[0], line[1:]
        if sign == "+":
            there.add(name)
        else:
            there.discard(name)
        if sign == "-":
            gone.add(name)
    store = open_store(path)
    try:
        held = {str(name) for (name,) in store.reader.execute("SELECT id FROM item")}
        if there - held:
            return f"{len(there - held)} acknowledged writes are lost"
        if gone & held:
            return f"{len(gone & held)} forgotten memories are back"
        if store.reader.integrity() != "ok":
            return f"integrity: {store.reader.integrity()}"
        store.writer.execute(
            "INSERT INTO words_fts (words_fts, rank) VALUES ('integrity-check', 1)"
        )
        for table, column in (("words", "item"), ("view", "item")):
            (apart,) = store.reader.execute(
                f"SELECT count(*) FROM item WHERE pk NOT IN (SELECT {column} FROM {table})"
            )[0]
            if apart:
                return f"{apart} memories have no {table}"
    finally:
        store.close()
    if len(there) < 10:
        return f"only {len(there)} writes were acknowledged"
    return ""


def main() -> None:
    count = int(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        wrong = rounds(count, Path(folder) / "memory.db", seed)
    seconds = time.perf_counter() - started
    print(f"{count} rounds of kill -9 in {seconds:.0f} s: {wrong or 'nothing lost, nothing torn'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
