"""Memory at 10k, 100k and, with --full, 500k items: insert rate, size, and recall's time.

    python benchmarks/memory.py [--full | --sizes 10000] [--no-hnsw]

Beside it, on the same vectors in the same run: numpy's float32 matrix-vector product (the line
that memory bandwidth draws), sqlite-vec's float `vec0`, and, where it is installed, one HNSW
library (`uv run --with usearch …`) with 16-bit floats, so that its graph of 500,000 is built in
minutes; its parameters stand beside its figures. All times are this process's CPU time with one
thread, in milliseconds; the embedder's own time is not part of them. Vectors are simulated: 2,000
clusters in 96 dimensions with a decaying spectrum, projected to 768. Words are drawn by Zipf's law
from 30,000 made-up ones, so that a text has about 40.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import anyio
import numpy as np

from manyhands.memory import Memory

DIMS = 768
K = 10
QUERIES = 100
HNSW = {"connectivity": 16, "expansion_add": 64, "expansion_search": 64}
RNG = np.random.default_rng(0)
CENTRES = RNG.standard_normal((2_000, 96)).astype(np.float32)
PROJECTION = (RNG.standard_normal((96, DIMS)) * (np.arange(1, 97) ** -0.5)[:, None]).astype(
    np.float32
)
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))
VOCABULARY = ["".join(RNG.choice(LETTERS, 7)) for _ in range(30_000)]
FREQUENCY = np.arange(1, 30_001) ** -0.9
FREQUENCY /= FREQUENCY.sum()


def vectors(count: int) -> np.ndarray:
    latent = CENTRES[RNG.integers(0, 2_000, count)]
    latent = latent + 0.6 * RNG.standard_normal((count, 96), dtype=np.float32)
    found = latent @ PROJECTION
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def texts(count: int, words: int) -> list[str]:
    drawn = RNG.choice(30_000, (count, words), p=FREQUENCY)
    return [" ".join(VOCABULARY[at] for at in row) for row in drawn]


class Given:
    """An embedder that hands out vectors that were made before."""

    model = "simulated"

    def __init__(self) -> None:
        self.queue: list[np.ndarray] = []

    async def embed(self, asked: list[str]) -> np.ndarray:
        block = np.concatenate(self.queue)
        self.queue = [block[len(asked) :]]
        return block[: len(asked)]


def timed(work: Callable[[int], Any], rounds: int = QUERIES) -> tuple[float, float, list[Any]]:
    """p50 and p95 in milliseconds of CPU time, and the results."""
    spent, results = [], []
    for number in range(rounds):
        started = time.process_time()
        results.append(work(number))
        spent.append((time.process_time() - started) * 1e3)
    return float(np.percentile(spent, 50)), float(np.percentile(spent, 95)), results


def told(name: str, p50: float, p95: float, more: str = "") -> None:
    print(f"  {name:38} p50 {p50:9.3f} ms   p95 {p95:9.3f} ms   {more}", flush=True)


def recall_of(found: Sequence[Sequence[int]], exact: np.ndarray) -> float:
    return float(
        np.mean(
            [len(set(ours) & set(theirs)) / K for ours, theirs in zip(found, exact, strict=True)]
        )
    )


async def measure(size: int, folder: Path, *, hnsw: bool) -> None:
    print(f"\n{size:,} items of {DIMS} numbers, load {os.getloadavg()[0]:.1f}", flush=True)
    path = folder / "memory.db"
    block = vectors(size)
    asked = vectors(QUERIES)
    embedder = Given()
    async with await Memory.open(path, embedder=embedder) as memory:
        started, wall = time.process_time(), time.perf_counter()
        for start in range(0, size, 2_000):
            part = texts(2_000, 40)
            embedder.queue = [block[start : start + 2_000]]
            await memory.add(
                [
                    {
                        "id": f"i{start + at}",
                        "kind": "document",
                        "scope": f"s{(start + at) % 10}",
                        "text": text,
                    }
                    for at, text in enumerate(part)
                ]
            )
        spent, lasted = time.process_time() - started, time.perf_counter() - wall
    size_mb = path.stat().st_size / 1e6
    print(f"  insert {size / spent:,.0f}/s of CPU, {size / lasted:,.0f}/s by the clock; "
          f"file {size_mb:,.0f} MB")  # fmt: skip
    await _recalls(path, embedder, asked, size)
    exact = np.argsort(-(block @ asked.T), axis=0)[:K].T
    await _vector_parts(path, block, asked, exact, hnsw=hnsw)


async def _recalls(path: Path, embedder: Given, asked: np.ndarray, size: int) -> None:
    questions = texts(QUERIES, 6)
    async with await Memory.open(path, embedder=embedder, in_memory=False) as memory:
        spent = []
        for number in range(20):
            embedder.queue = [asked[number : number + 1]]
            started = time.process_time()
            await memory.recall(questions[number], k=K)
            spent.append((time.process_time() - started) * 1e3)
        told("recall in the file (FTS5 + vec0 bits)", *np.percentile(spent, [50, 95]))
    async with await Memory.open(path, embedder=embedder) as memory:
        started = time.process_time()
        memory._searcher.refresh()
        print(f"  index in memory made in {time.process_time() - started:.2f} s of CPU")
        for name, where in (
            ("recall, hybrid", {}),
            ("recall, hybrid, 10 % scope", {"scope": "s3"}),
        ):
            spent = []
            for number in range(QUERIES + 3):
                at = max(number - 3, 0)
                embedder.queue = [asked[at : at + 1]]
                started = time.process_time()
                hits = await memory.recall(questions[at], k=K, **where)
                spent.append((time.process_time() - started) * 1e3)
                assert len(hits) == K
            told(name, *np.percentile(spent[3:], [50, 95]))


async def _vector_parts(
    path: Path, block: np.ndarray, asked: np.ndarray, exact: np.ndarray, *, hnsw: bool
) -> None:
    """The vector part alone, beside the other engines."""
    from manyhands.memory.filters import Filter

    async with await Memory.open(path, embedder=Given()) as memory:
        memory._searcher.refresh()
        hot = memory._searcher.hot
        assert hot.vectors is not None

        everything = Filter()

        def ours(number: int, where: Filter = everything) -> list[int]:
            rows, bits = hot.vector_rows(where)
            near = hot.vectors.nearest(asked[number], rows, 400, bits)
            close = hot.vectors.similar(asked[number], near)
            best = near[np.argsort(-close)[:24]]
            order = np.argsort(-hot.vectors.refine(asked[number], best, hot.floats))[:K]
            return [int(slot) for slot in hot.vectors.slot[best[order]]]

        p50, p95, found = timed(ours)
        vector_part = p50
        told(
            "vector part (bits, bytes, floats)",
            p50,
            p95,
            f"recall@10 {recall_of(found, exact):.3f}",
        )
        where = Filter(scopes=("s3",))
        hot.vector_rows(where)
        p50, p95, _ = timed(lambda number: ours(number, where))
        told("vector part, 10 % scope", p50, p95)

    p50, p95, _ = timed(lambda n: np.argpartition(block @ asked[n], -K)[-K:], 30)
    told("numpy float32, exact", p50, p95, f"vector part is {vector_part / p50:.3f} of it")
    _vec0(block, asked, exact, vector_part)
    if hnsw:
        _hnsw(block, asked, exact)


def _vec0(block: np.ndarray, asked: np.ndarray, exact: np.ndarray, ours: float) -> None:
    import apsw
    import sqlite_vec

    with tempfile.TemporaryDirectory() as folder:
        db = apsw.Connection(f"{folder}/vec0.db")
        db.enable_load_extension(True)
        db.load_extension(sqlite_vec.loadable_path())
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"CREATE VIRTUAL TABLE v USING vec0(e float[{DIMS}])")
        with db:
            db.executemany(
                "INSERT INTO v (rowid, e) VALUES (?, ?)",
                ((at, row.tobytes()) for at, row in enumerate(block)),
            )

        def search(number: int) -> list[int]:
            rows = db.execute(
                "SELECT rowid FROM v WHERE e MATCH ? AND k = ?", (asked[number].tobytes(), K)
            )
            return [row[0] for row in rows]

        p50, p95, found = timed(search, 10)
        told(
            "sqlite-vec 0.1.9, vec0 float", p50, p95,
            f"recall@10 {recall_of(found, exact[:10]):.3f}, {p50 / ours:.0f} x the vector part",
        )  # fmt: skip
        db.close()


def _hnsw(block: np.ndarray, asked: np.ndarray, exact: np.ndarray) -> None:
    try:
        from usearch.index import Index
    except ImportError:
        print("  usearch (HNSW) is not installed: uv run --with usearch …")
        return
    index = Index(ndim=DIMS, metric="ip", dtype="bf16", **HNSW)
    started, wall = time.process_time(), time.perf_counter()
    index.add(np.arange(len(block)), block, threads=1)
    built, lasted = time.process_time() - started, time.perf_counter() - wall
    p50, p95, found = timed(
        lambda n: [int(key) for key in index.search(asked[n], K, threads=1).keys]
    )
    told("usearch HNSW bf16", p50, p95, f"recall@10 {recall_of(found, exact):.3f}")
    print(
        f"    {', '.join(f'{name} {value}' for name, value in HNSW.items())}; built in "
        f"{built:,.0f} s of CPU ({lasted:,.0f} s by the clock), {len(block) / built:,.0f} inserts/s"
    )


async def notebooks(count: int, folder: Path) -> None:
    """Index notebooks, then one edited cell of one of them."""
    import json

    from manyhands.memory.ingest.indexing import index_paths

    class Counting:
        model = "counting"
        calls = sent = 0

        async def embed(self, asked: list[str]) -> np.ndarray:
            self.calls, self.sent = self.calls + 1, self.sent + len(asked)
            return vectors(len(asked))

    def write(number: int, edited: str = "") -> None:
        told = texts(12, 25)
        cells = [
            {"id": f"c{at}", "cell_type": "code", "source": text, "outputs": []}
            for at, text in enumerate(told)
        ]
        if edited:
            kept = json.loads((work / f"n{number}.ipynb").read_text())
            cells = kept["cells"]
            cells[5]["source"] = edited
        (work / f"n{number}.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))
        old = 1_600_000_000 + (60 if edited else 0)
        os.utime(work / f"n{number}.ipynb", (old, old))

    work = folder / "work"
    work.mkdir()
    for number in range(count):
        write(number)
    embedder = Counting()
    async with await Memory.open(folder / "notebooks.db", embedder=embedder) as memory:
        started = time.perf_counter()
        report = await index_paths(memory, [work])
        first = time.perf_counter() - started
        print(
            f"\n{count:,} notebooks, {report.added:,} cells: indexed in {first:.1f} s by the clock"
        )
        for edit in ("one thing", "another thing"):
            write(count // 2, edited=edit)
            embedder.calls = embedder.sent = 0
            started, spent = time.perf_counter(), time.process_time()
            report = await index_paths(memory, [work])
            lasted, used = time.perf_counter() - started, time.process_time() - spent
            print(
                f"  one edited cell: {report.changed} changed, {embedder.calls} embedding call, "
                f"{embedder.sent} text; {lasted * 1e3:.0f} ms by the clock, {used * 1e3:.0f} of CPU"
            )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="500,000 items as well")
    parser.add_argument("--no-hnsw", action="store_true", help="it takes minutes at 500,000")
    parser.add_argument("--sizes", default="10000,100000")
    parser.add_argument("--notebooks", type=int, default=1_000)
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",") if size] + (
        [500_000] if given.full else []
    )
    print(f"numpy {np.__version__}, {os.cpu_count()} processors")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            await measure(size, Path(folder), hnsw=not given.no_hnsw)
    if given.notebooks:
        with tempfile.TemporaryDirectory() as folder:
            await notebooks(given.notebooks, Path(folder))


if __name__ == "__main__":
    anyio.run(main)
