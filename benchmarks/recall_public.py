"""Two larger public sets, read from clones and never shipped: dialogues and code search.

LoCoMo (github.com/snap-research/locomo, CC BY-NC 4.0): ten conversations and the turns that answer
questions about them; adversarial questions, which nothing answers, are left out, and each
conversation is a fold of its own modulo five. CoSQA (github.com/Jun-jie-Huang/CoCLR): web queries
and Python functions; its two halves, dev and test, are the folds.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

__all__ = ["Questions", "code_search", "dialogues"]

Questions = tuple[list[dict[str, Any]], list[dict[str, Any]]]
_ADVERSARIAL = 5


def _show(repo: Path, name: str) -> bytes:
    return subprocess.run(
        ["git", "-C", str(repo), "show", f"HEAD:{name}"], capture_output=True, check=True
    ).stdout


def dialogues(repo: Path) -> Questions:
    """Turns with their speakers, dates and image captions; questions with their evidence."""
    items, asked = [], []
    with zipfile.ZipFile(io.BytesIO(_show(repo, "data/locomo10.zip"))) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".json"))
        told = [json.loads(archive.read(name)) for name in names]
    for number, sample in enumerate(told):
        scope = sample.get("sample_id", f"c{number}")
        talk = sample.get("conversation", sample)
        known: set[str] = set()
        session = 1
        while f"session_{session}_date_time" in talk:
            for turn in talk.get(f"session_{session}", []):
                name = f"{scope}:{turn['dia_id']}"
                if name in known or not turn.get("text"):
                    continue
                known.add(name)
                meta = {"session": str(session)}
                if turn.get("blip_caption"):
                    meta["blip_caption"] = turn["blip_caption"]
                items.append(
                    {
                        "id": name,
                        "kind": "turn",
                        "text": turn["text"],
                        "speaker": turn["speaker"],
                        "scope": scope,
                        "source": f"session_{session}",
                        "time": talk[f"session_{session}_date_time"],
                        "meta": meta,
                    }
                )
            session += 1
        for one in sample["qa"]:
            found = re.findall(r"D\d+:\d+", " ".join(one.get("evidence", [])))
            evidence = [f"{scope}:{at}" for at in dict.fromkeys(found) if f"{scope}:{at}" in known]
            if evidence and one["category"] != _ADVERSARIAL:
                asked.append(
                    {
                        "query": one["question"],
                        "relevant": evidence,
                        "scope": scope,
                        "fold": number % 5,
                    }
                )
    return items, asked


def code_search(repo: Path) -> Questions:
    """Functions, and for each query the one that answers it."""
    numbers = json.loads(_show(repo, "data/search/code_idx_map.txt"))
    items = [
        {"id": f"f{number}", "kind": "code", "text": text}
        for text, number in numbers.items()
        if text.strip()
    ]
    asked = [
        {"query": one["doc"], "relevant": [f"f{one['retrieval_idx']}"], "fold": fold}
        for fold, part in enumerate(("dev", "test"))
        for one in json.loads(_show(repo, f"data/search/cosqa-retrieval-{part}-500.json"))
    ]
    return items, asked
