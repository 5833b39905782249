"""Where the files that ship beside the code lie, in a checkout and in an installation alike."""

from __future__ import annotations

from pathlib import Path

__all__ = ["data_path"]

_PACKAGE = Path(__file__).resolve().parent
#: Name -> place in a checkout. A wheel holds each under `manyhands/_data/<name>`.
_IN_CHECKOUT = {"roles": "roles", "Modelfile": "Modelfile", "examples": "examples/data"}


def data_path(name: str) -> Path:
    """The folder `roles`, `Modelfile` or `examples` (the demo's data sets).

    Raises:
        KeyError: no such data ship with this program.
    """
    in_checkout = _PACKAGE.parent / _IN_CHECKOUT[name]
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else in_checkout
