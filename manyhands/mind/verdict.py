"""How a council decides: answers are compared as values, programs that ran count first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["UNKNOWN", "Decided", "Draft", "answer_line", "decide", "same_answer"]

UNKNOWN = "unknown"
_ANSWER = re.compile(
    r"^\W*ANSWER\W*?[:：]\s*(?P<answer>.+?)\s*\**\s*$", re.IGNORECASE | re.MULTILINE
)
_NUMBER = re.compile(r"^[-+]?\d[\d,_]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
#: Two numbers are one answer when they differ by less than this share.
_CLOSE = 0.005


@dataclass(frozen=True, slots=True)
class Draft:
    """What one seat answered.

    Attributes:
        answer: the line that it ended with; `unknown` without one.
        printed: the last line of its program, when it ran; empty otherwise.
        rests_on_data: the program printed something else, or failed, when its data were taken away.
    """

    seat: str
    answer: str
    printed: str = ""
    rests_on_data: bool = False

    @property
    def stands_for(self) -> str:
        """What the draft counts as: what its program printed, else what it said."""
        return self.printed or self.answer


@dataclass(frozen=True, slots=True)
class Decided:
    """The council's answer.

    Attributes:
        answer: `unknown` when nobody knew.
        how: the rule that decided, in words.
        by_evidence: programs decided it.
        proved: at least two programs that rest on the data agree and none that ran differs.
        dissent: one line for each seat that stands for another answer.
    """

    answer: str
    how: str
    by_evidence: bool
    proved: bool
    dissent: tuple[str, ...]


def answer_line(text: str) -> str:
    """The last `ANSWER:` line of a draft; `unknown` without one."""
    found = _ANSWER.findall(text)
    return str(found[-1]).strip("*` ") if found else UNKNOWN


def same_answer(first: str, second: str) -> bool:
    """Whether two short answers say the same: equal words, or numbers within half a per cent."""
    a, b = _plain(first), _plain(second)
    if a == b:
        return True
    x, y = _NUMBER.match(a), _NUMBER.match(b)
    if x is None or y is None:
        return False
    one, two = (float(match.group().replace(",", "").replace("_", "")) for match in (x, y))
    units = a[x.end() :].strip(), b[y.end() :].strip()
    if all(units) and units[0] != units[1]:
        return False
    return abs(one - two) <= _CLOSE * max(abs(one), abs(two))


def decide(drafts: Sequence[Draft]) -> Decided:
    """Decide between drafts: first by programs that ran, else by count, ties to the first seat.

    Programs decide when more of them print one answer than any other. A count of opinions from
    one model is no evidence; it is only the rule for choosing, and the answer says so.
    """
    ran = [draft for draft in drafts if draft.printed]
    groups = _groups(ran)
    if groups and (len(groups) == 1 or len(groups[0]) > len(groups[1])):
        best = groups[0]
        proved = len(groups) == 1 and sum(draft.rests_on_data for draft in best) >= 2
        count = f"{len(best)} of {len(ran)} programs that ran"
        return _decided(drafts, best[0].stands_for, f"evidence: {count} print it", True, proved)
    known = [draft for draft in drafts if _plain(draft.stands_for) != UNKNOWN]
    if not known:
        return _decided(drafts, UNKNOWN, "rule: nobody had an answer", False, False)
    best = _groups(known)[0]
    why = "the programs contradict each other" if groups else "no program could decide"
    rule = f"rule: {len(best)} of {len(drafts)} seats, as {why}"
    return _decided(drafts, best[0].stands_for, rule, False, False)


def _decided(
    drafts: Sequence[Draft], answer: str, how: str, by_evidence: bool, proved: bool
) -> Decided:
    dissent = tuple(
        f"{draft.seat}: {draft.stands_for}"
        for draft in drafts
        if not same_answer(draft.stands_for, answer)
    )
    return Decided(answer, how, by_evidence, proved, dissent)


def _groups(drafts: Sequence[Draft]) -> list[list[Draft]]:
    """Drafts with the same answer together, the largest group first, then by seat order."""
    groups: list[list[Draft]] = []
    for draft in drafts:
        for group in groups:
            if same_answer(group[0].stands_for, draft.stands_for):
                group.append(draft)
                break
        else:
            groups.append([draft])
    return sorted(groups, key=len, reverse=True)


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("\u2212", "-").strip(" .!`*\"'").split())
