"""Secrets out of texts before they reach a prompt, a log or the journal.

Two ways of knowing one: the published shapes of keys (`shapes`), and the place where a value
stands, beside a name such as `password` or `api_key` (`places`). No guessing by entropy: a hash or
an id that vanishes from a prompt makes answers wrong in a way that nobody can see.
"""

from __future__ import annotations

from typing import Any

from manyhands.clean import storable
from manyhands.redaction.places import names_a_secret, remove_placed
from manyhands.redaction.shapes import MARK, remove_shaped

__all__ = ["MARK", "redact", "redact_value"]


def redact(text: str) -> str:
    """The text with every recognised secret replaced by `MARK`."""
    return remove_placed(remove_shaped(text))


def redact_value(value: Any) -> Any:
    """The same for every text inside a JSON value; a text under a secret's name goes whole.

    What comes back can be stored: half a surrogate pair, which JSON may spell, becomes U+FFFD.
    """
    if isinstance(value, str):
        return redact(storable(value))
    if isinstance(value, list | tuple):
        return [redact_value(item) for item in value]
    if isinstance(value, dict):
        return {
            key: MARK
            if isinstance(item, str) and item and names_a_secret(str(key))
            else redact_value(item)
            for key, item in value.items()
        }
    return value
