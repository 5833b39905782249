"""How far a note's estimated tokens are from the server's count, as more of its counts are known.

    python benchmarks/token_estimates.py [--seed 3] [--notes 6]

No model's tokenizer is at hand, so three stand-ins count (simulated): the rehearsal server's, a
token for 2.5 bytes, and words in pieces of six letters with digits one by one. The calls come as in
a run: a frame, then a prompt to read the note, then one to answer from it; each one's count is
learned. Beside it: the estimate times the largest ratio of counted to estimated of late.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
from collections.abc import Callable

from condense import output

from manyhands.hands.tokens import PER_MESSAGE, Meter, expect_tokens
from manyhands.rehearsal.answering import count_tokens
from manyhands.roles.loader import load_roles

KINDS = ("log", "table", "json", "prose", "paragraphs")
TEMPLATE = 7
ROLES = load_roles()


def word_pieces(text: str) -> int:
    return len(re.findall(r"[A-Za-z]{1,6}|\d|[^\sA-Za-z\d]{1,2}|\n+", text))


TOKENIZERS: dict[str, Callable[[str], int]] = {
    "rehearsal": count_tokens,
    "2.5 bytes": lambda text: int(len(text.encode()) / 2.5) + 1,
    "word pieces": word_pieces,
}


def errors_of(
    count: Callable[[str], int], kind: str, notes: int, rng: random.Random
) -> tuple[list[float], list[float]]:
    """Errors of the learned estimate and of the ratio's, for each note in turn."""
    meter, ratios = Meter(), [1.0]
    learned, by_ratio = [], []

    def called(role: str, prompt: str) -> None:
        texts = [ROLES[role].prompt, prompt]
        counted = sum(count(text) + TEMPLATE for text in texts)
        meter.learn("m", texts, counted)
        ratios.append(counted / sum(expect_tokens(text) + PER_MESSAGE for text in texts))

    for n in range(notes):
        called("framer", f"Choose a route. Put steps in `steps`.\n\nQuestion {n}: what is it?")
        note, _ = output(kind if kind != "mixed" else rng.choice(KINDS), 400, rng)
        true = count(note)
        learned.append(meter.tokens(note, "m") / true - 1)
        by_ratio.append(expect_tokens(note) * max(ratios[1:][-8:]) / true - 1)
        called("editor", f"Results:\n{note}\nList in `reads` the places that you must see.")
        called("editor", f"Results:\n{note}\nGoal: g. Answer from these results alone.")
    return learned, by_ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--notes", type=int, default=6)
    options = parser.parse_args()
    later: list[float] = []
    later_by_ratio: list[float] = []
    print("simulated tokenizers; error of each note's estimate in turn | by ratio")
    for name, count in TOKENIZERS.items():
        for kind in (*KINDS, "mixed"):
            rng = random.Random(options.seed)
            learned, by_ratio = errors_of(count, kind, options.notes, rng)
            told = [" ".join(f"{one:+7.1%}" for one in errors) for errors in (learned, by_ratio)]
            print(f"{name:12} {kind:10} {told[0]} | {told[1]}")
            if kind != "mixed":
                later += map(abs, learned[1:])
                later_by_ratio += map(abs, by_ratio[1:])
    for way, errors in (("learned", later), ("by ratio", later_by_ratio)):
        middle, worst = statistics.median(errors), max(errors)
        told = f"median {middle:.1%}, worst {worst:.1%}"
        print(f"{way}: from the second note on, one kind of text: {told}")


if __name__ == "__main__":
    main()
