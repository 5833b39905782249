"""Reading what a caller of `Memory` gave, or saying what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral

from manyhands.errors import InputError
from manyhands.memory.filters import Filter
from manyhands.memory.records import id_of, kind_of, seconds_of
from manyhands.memory.searching import MOST_HITS

__all__ = ["checked_k", "filter_from", "listed", "pair_of"]


def listed(value: object) -> list[str]:
    """Ids, kinds or scopes as text: one or several; a whole number is its digits."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [id_of(one) for one in value]
    return [id_of(value)]


def checked_k(query: object, k: object) -> int:
    """`k` as it is used, when both can be."""
    if not isinstance(query, str):
        raise InputError(f"The query is {query!r}, no text.")
    most = int(k) if isinstance(k, Integral) and not isinstance(k, bool) else 0
    if not 1 <= most <= MOST_HITS:
        raise InputError(f"k is {k!r}; it must be a number between 1 and {MOST_HITS:,}.")
    return most


def filter_from(
    scope: str | Sequence[str] | None,
    kinds: str | Sequence[str] | None,
    since: object,
    until: object,
) -> Filter:
    """What may be found, from scopes, kinds and times as a caller gives them."""
    where = None if scope is None else tuple(listed(scope))
    what = None if kinds is None else tuple(kind_of(kind) for kind in listed(kinds))
    try:
        return Filter(where, what, seconds_of(since), seconds_of(until))
    except ValueError as error:
        raise InputError(f"A time cannot be read: {error}.") from error


def pair_of(pair: object) -> tuple[str, list[str]]:
    """A question and the ids that answer it, as `fit` learns from them."""
    if not isinstance(pair, Sequence) or len(pair) != 2 or not isinstance(pair[0], str):
        raise InputError(
            f"A pair is {repr(pair)[:80]}.", hint="Give (question, [ids that answer it])."
        )
    return pair[0], listed(pair[1])
