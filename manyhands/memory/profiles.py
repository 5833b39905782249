"""The fusion profiles that a memory file holds, and the lessons they are fitted to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from manyhands.memory.arrays import F32
from manyhands.memory.filters import Filter
from manyhands.memory.fitting import Lesson
from manyhands.memory.hot import FAMILIES, HotIndex
from manyhands.memory.profile import BUILT_IN, Profile, read_profile
from manyhands.memory.records import Family
from manyhands.memory.signal_names import Signal
from manyhands.memory.signals import gather, read_question
from manyhands.memory.store import Store

__all__ = ["keep_profile", "lesson_from", "profiles_of"]


def profiles_of(store: Store) -> dict[Family, Profile]:
    """The newest fitted profile of each family, or the built-in one."""
    found = dict(BUILT_IN)
    for version, family, told in store.reader.execute(
        "SELECT version, family, weights FROM profile ORDER BY version"
    ):
        found[Family(family)] = read_profile(Family(family), f"fitted-{version}", told)
    return found


def keep_profile(
    store: Store,
    today: Profile,
    weights: dict[Signal, float],
    before: float,
    after: float,
    pairs: int,
    *,
    vectors: bool,
) -> Profile:
    """Write a fitted profile; it is used from now on, here and wherever the file is opened next."""
    made = replace(today, weights=weights) if vectors else replace(today, words_only=weights)
    db = store.writer
    with db.transaction():
        ((version,),) = db.execute(
            "INSERT INTO profile (family, weights, made, before, after, pairs) "
            "VALUES (?, ?, ?, ?, ?, ?) RETURNING version",
            (today.family, made.told(), time.time(), before, after, pairs),
        )
    return replace(made, version=f"fitted-{version}")


def lesson_from(
    hot: HotIndex, store: Store, query: str, ids: Sequence[str], vector: F32 | None
) -> tuple[Family, Lesson] | None:
    """The lesson of one pair, and its family; None when it names nothing that is remembered.

    Candidates are sought where the relevant lie: in their one scope, when they share it.
    """
    wanted = set()
    for item_id in ids:
        for (pk,) in store.reader.execute("SELECT pk FROM item WHERE id = ?", (item_id,)):
            if pk in hot.slot_of:
                wanted.add(hot.slot_of[pk])
    if not wanted or not query.strip():
        return None
    slots = np.array(sorted(wanted))
    families = hot.family.view[slots]
    family = FAMILIES[int(np.bincount(families).argmax())]
    scopes = {int(number) for number in hot.scope.view[slots]}
    names = [name for name, number in hot.scopes.number.items() if number in scopes]
    where = Filter(scopes=tuple(names)) if len(names) == 1 else Filter()
    found = gather(hot, read_question(query, vector), where)
    relevant = np.isin(found.slots, slots)
    return family, Lesson(found.signals, relevant, len(slots) - int(relevant.sum()))
