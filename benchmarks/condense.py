"""How many facts of a long result reach the mind, and how many stay within its reach.

    python benchmarks/condense.py [--seed 1] [--budget 400]

50 made outputs of 1,000 to 60,000 tokens (estimated): log lines, rows of a table, JSON records,
prose, and paragraphs full of numbers, with ten marked facts each at random places: a line of its
own, but inside a long line in the paragraphs, where no line stands out. Beside ours, in the same
run and at the same budget: head and tail, and plain truncation. Reachable: found among the
passages that a search of the whole for the fact's name gives back; the others keep no whole.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable

from manyhands.hands.contracts import HandName, HandResult, Status
from manyhands.hands.tokens import expect_tokens
from manyhands.mind.condense import condense
from manyhands.mind.reading import search

_TEXT = "rise fall model value error series season trend mean slope noise sample period level"
WORDS = _TEXT.split(" ")
UNITS = ("ppm", "kg", "m/s", "K", "%", "s", "km", "Pa")
NAMES = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
)  # fmt: skip


def noise(kind: str, rng: random.Random, number: int) -> str:
    if kind == "log":
        when = f"2026-03-{number % 28 + 1:02d} 12:{number % 60:02d}"
        return f"{when} INFO step {number} loss {rng.random():.4f}"
    if kind == "paragraphs":
        return " ".join(f"{rng.choice(WORDS)} {rng.randint(1, 999)}" for _ in range(40))
    if kind == "table":
        return ",".join(f"{rng.gauss(300, 20):.2f}" for _ in range(6))
    if kind == "json":
        return json.dumps({"id": number, "x": round(rng.random(), 4), "tag": rng.choice(WORDS)})
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(6, 18))).capitalize() + "."


def output(kind: str, tokens: int, rng: random.Random) -> tuple[str, list[tuple[str, str]]]:
    """A long output and its facts as (name, line)."""
    lines: list[str] = []
    size = 0
    while size < tokens:
        lines.append(noise(kind, rng, len(lines)))
        size += expect_tokens(lines[-1])
    facts = [
        (name, f"the {name} {rng.choice(WORDS)} is {rng.uniform(1, 999):.3f} {rng.choice(UNITS)}")
        for name in NAMES
    ]
    for _, fact in facts:
        at = rng.randrange(len(lines))
        if kind == "paragraphs":
            words = lines[at].split(" ")
            words.insert(rng.randrange(len(words)), f"{fact},")
            lines[at] = " ".join(words)
        else:
            lines.insert(at, fact)
    return "\n".join(lines), facts


def longest(cut: Callable[[int], str], budget: int) -> str:
    """The longest cut within the budget, by the same measure as ours."""
    low, high = 2, 8 * budget
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if expect_tokens(cut(middle)) <= budget else (low, middle - 1)
    return cut(low)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--budget", type=int, default=400)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    kept = {"ours": 0, "head and tail": 0, "truncation": 0}
    spent = dict.fromkeys(kept, 0)
    reachable = total = 0
    by_kind: dict[str, list[int]] = {}
    for number in range(50):
        kind = ("log", "table", "json", "prose", "paragraphs")[number % 5]
        text, facts = output(kind, int(1000 * 60 ** (number / 49)), rng)
        result = HandResult(hand=HandName.CODE, status=Status.VERIFIED, summary="done", value=text)
        notes = {
            "ours": condense("s", result, options.budget, "sha256:0").note,
            "head and tail": longest(
                lambda room, text=text: f"{text[: room // 2]}\n[…]\n{text[-(room // 2) :]}",
                options.budget,
            ),
            "truncation": longest(lambda room, text=text: text[:room], options.budget),
        }
        for way, note in notes.items():
            kept[way] += sum(line in note for _, line in facts)
            spent[way] += expect_tokens(note)
        found = sum(
            any(line in passage.text for passage in search(text, f"{name} is"))
            for name, line in facts
        )
        reachable += found
        total += len(facts)
        seen = by_kind.setdefault(kind, [0, 0])
        seen[0] += sum(line in notes["ours"] for _, line in facts)
        seen[1] += len(facts)
    print(f"made outputs, seed {options.seed}, budget {options.budget} tokens, {total} facts")
    for way in kept:
        rate = 1000 * kept[way] / spent[way]
        reach = f"{reachable / total:.1%}" if way == "ours" else "0.0%"
        print(
            f"{way:14} {kept[way] / total:6.1%} kept, {rate:6.2f} facts per 1,000 tokens, "
            f"{reach} reachable by handle"
        )
    print("ours by kind: " + ", ".join(f"{kind} {a / b:.0%}" for kind, (a, b) in by_kind.items()))


if __name__ == "__main__":
    main()
