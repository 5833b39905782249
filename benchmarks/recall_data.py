"""Makes `benchmarks/data/recall_*.jsonl.gz`: small public sets of texts, questions and answers.

    python benchmarks/recall_data.py --functions SITE_PACKAGES --notebooks REPO --meetings REPO

functions: Python functions of BSD, MIT and Apache-2.0 packages; the question is the first
sentence of the docstring, which is taken out of the code.
notebooks: code cells of github.com/ageron/handson-ml3 (Apache-2.0); the question is the markdown
text right before the cell, which is not part of what is indexed.
meetings: turns of github.com/Yale-LILY/QMSum (MIT); the question is one that people asked about a
short passage, and the passage's turns are what answers it.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data"
PACKAGES = [
    "anyio",
    "click",
    "httpx",
    "rich",
    "jinja2",
    "pydantic",
    "starlette",
    "tornado",
    "pygments",
    "numpy",
    "IPython",
    "traitlets",
    "nbformat",
    "jupyter_client",
    "jsonschema",
    "nbclient",
    "ipykernel",
    "uvicorn",
    "attr",
    "mcp",
]
NOTEBOOKS = [
    "02_end_to_end_machine_learning_project",
    "03_classification",
    "04_training_linear_models",
    "07_ensemble_learning_and_random_forests",
    "09_unsupervised_learning",
    "12_custom_models_and_training_with_tensorflow",
    "tools_pandas",
    "tools_numpy",
    "tools_matplotlib",
]


def _first_sentence(doc: str) -> str:
    text = " ".join(doc.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", text)[0]


def functions(site: Path, most: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    found: dict[str, tuple[dict[str, Any], str]] = {}
    for package in PACKAGES:
        for path in sorted((site / package).rglob("*.py")):
            if "test" in str(path.relative_to(site)).lower():
                continue
            source = path.read_text(encoding="utf-8", errors="replace")
            lines = source.splitlines(keepends=True)
            for node in ast.walk(ast.parse(source)):
                if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                question = _first_sentence(ast.get_docstring(node) or "")
                if not 25 <= len(question) <= 160 or len(node.body) < 2:
                    continue
                doc = node.body[0]
                kept = lines[node.lineno - 1 : doc.lineno - 1]
                kept += lines[doc.end_lineno or doc.lineno : node.end_lineno or node.lineno]
                text = "".join(kept)
                if not 150 <= len(text) <= 1800 or question in found:
                    continue
                name = f"{path.relative_to(site)}:{node.name}:{node.lineno}"
                found[question] = ({"id": name, "kind": "code", "text": text}, question)
    rng = random.Random(1)
    chosen = sorted(found.values(), key=lambda pair: pair[0]["id"])
    rng.shuffle(chosen)
    chosen = chosen[:most]
    asked = [{"query": q, "relevant": [item["id"]]} for item, q in chosen[: most // 3]]
    return [item for item, _ in sorted(chosen, key=lambda pair: pair[0]["id"])], asked


def _show(repo: Path, name: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repo), "show", f"HEAD:{name}"], capture_output=True, check=True
    )
    return done.stdout.decode("utf-8", "replace")


def notebooks(repo: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    items, asked = [], []
    for book in NOTEBOOKS:
        headings: dict[int, str] = {}
        said = ""
        for number, cell in enumerate(json.loads(_show(repo, f"{book}.ipynb"))["cells"]):
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                for marks, title in re.findall(r"^(#+)\s+(.+)$", source, re.MULTILINE):
                    headings = {at: told for at, told in headings.items() if at < len(marks)}
                    headings[len(marks)] = title.strip()
                said = " ".join(re.sub(r"^#+\s.*$", "", source, flags=re.MULTILINE).split())
                continue
            if cell["cell_type"] != "code" or len(source) < 20:
                continue
            name = f"{book}#{number}"
            items.append(
                {
                    "id": name,
                    "kind": "cell",
                    "text": source[:4000],
                    "source": book,
                    "context": " › ".join([book, *(headings[at] for at in sorted(headings))]),
                }
            )
            if 30 <= len(said) <= 400 and not said.startswith(("![", "<", "|")):
                asked.append({"query": said, "relevant": [name]})
            said = ""
    return items, asked


def meetings(repo: Path, most: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    items, asked = [], []
    taken = 0
    for part in ("val", "test"):
        for number, line in enumerate(_show(repo, f"data/ALL/jsonl/{part}.jsonl").splitlines()):
            meeting = json.loads(line)
            turns = meeting["meeting_transcripts"]
            short = []
            for one in meeting["specific_query_list"]:
                spans = [(int(a), int(b)) for a, b in one["relevant_text_span"]]
                if sum(b - a + 1 for a, b in spans) <= 8:
                    short.append((one["query"], spans))
            if len(short) < 2 or len(turns) > 420 or taken >= most:
                continue
            taken += 1
            scope = f"{part}-{number}"
            for at, turn in enumerate(turns):
                text = " ".join(re.sub(r"\{\w+\}", " ", turn["content"]).split())
                items.append(
                    {
                        "id": f"{scope}#{at}",
                        "kind": "turn",
                        "text": text or "…",
                        "speaker": turn["speaker"],
                        "scope": scope,
                        "source": scope,
                    }
                )
            for query, spans in short:
                ids = [f"{scope}#{at}" for a, b in spans for at in range(a, b + 1)]
                asked.append({"query": query, "relevant": ids, "scope": scope})
    return items, asked


def _write(name: str, made: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    items, asked = made
    path = FOLDER / f"recall_{name}.jsonl.gz"
    told = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [*items, *asked])
    path.write_bytes(gzip.compress(told.encode(), mtime=0))
    print(f"{path.name}: {len(items)} texts, {len(asked)} questions, {path.stat().st_size:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functions", type=Path, required=True)
    parser.add_argument("--notebooks", type=Path, required=True)
    parser.add_argument("--meetings", type=Path, required=True)
    given = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    _write("functions", functions(given.functions, 1500))
    _write("notebooks", notebooks(given.notebooks))
    _write("meetings", meetings(given.meetings, 40))


if __name__ == "__main__":
    main()
