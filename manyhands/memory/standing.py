"""What may become a fact or a lesson: evidence or the user's word, never a model's word alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from manyhands.memory.records import Family, Item, Trust

__all__ = ["PROPOSAL", "has_evidence", "settle"]

#: The kind of what a model said, until a check or the user confirms it.
PROPOSAL = "proposal"
#: Kinds that are acted upon as true.
_HELD_TRUE = ("fact", "lesson")


def has_evidence(meta: Mapping[str, Any]) -> bool:
    """Whether `meta.evidence` names at least one check that ran and passed.

    Evidence is a list of objects with `check` (which) and `passed` (true); a model's opinion,
    `reviewed`, is none.
    """
    told = meta.get("evidence")
    if not isinstance(told, list):
        return False
    return any(
        isinstance(one, dict)
        and one.get("passed") is True
        and isinstance(one.get("check"), str)
        and one["check"] not in ("", "reviewed")
        for one in told
    )


def settle(item: Item) -> Item:
    """The item as it may be kept.

    A model's fact or lesson without evidence is kept as a proposal that names what it wants to
    be; one that claims to be checked without saying how is a model's word as well; so is a
    lesson from a file, since lessons come from outcomes. What a document says is a document's
    word whatever it says: a fact from a file stays marked as such and never closes the user's.
    """
    checked = has_evidence(item.meta)
    trust = item.trust
    if trust is Trust.CHECKED and not checked:
        trust = Trust.MODEL
    elif trust is Trust.MODEL and checked:
        trust = Trust.CHECKED
    weak = trust is Trust.MODEL or (trust is Trust.FILE and item.kind == "lesson")
    if item.kind in _HELD_TRUE and weak:
        return replace(
            item,
            kind=PROPOSAL,
            trust=trust,
            family=Family.TEXT,
            meta={**item.meta, "proposed": item.kind},
        )
    return replace(item, trust=trust)
