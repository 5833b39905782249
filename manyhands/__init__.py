"""One mind, many hands: local models whose answers are run and checked.

from manyhands import Mind
answer = await Mind().ask("How fast does it rise?", data={"co2": "co2.csv"})
answer.text, answer.status, answer.evidence
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manyhands.mind.answer import Answer
    from manyhands.mind.mind import Mind

__all__ = ["Answer", "Mind", "__version__"]

__version__ = "0.1.0"

_LAZY = {"Answer": "manyhands.mind.answer", "Mind": "manyhands.mind.mind"}


def __getattr__(name: str) -> Any:
    """Import the heavy parts only when they are asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext manyhands`: the magics of the notebook door, which is loaded only here.

    Raises:
        UsageError: the notebook door is not installed; IPython shows it without a traceback.
    """
    try:
        from manyhands_jupyter.magics import register
    except ModuleNotFoundError as error:
        from IPython.core.error import UsageError

        raise UsageError(
            f"The notebook door cannot be loaded: {error.name!r} is not installed. "
            "Install it with: pip install '.[jupyter]' in the clone"
        ) from error
    register(shell)
