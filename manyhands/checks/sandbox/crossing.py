"""Values out of the files that a program left: JSON, arrays, Arrow tables, never pickle."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from manyhands.errors import MissingExtra, SandboxError

if TYPE_CHECKING:
    import numpy as np

    from manyhands.checks.sandbox.contracts import SandboxResult

__all__ = ["read_array", "read_json", "read_table"]

_MOST_BYTES = 256 << 20


def read_json(result: SandboxResult, name: str) -> Any:
    """The JSON value of a collected file. Raises SandboxError when there is none."""
    try:
        return json.loads(_content(result, name))
    except (ValueError, RecursionError) as error:
        raise _unusable(name, f"is no JSON: {error}") from error


def read_array(result: SandboxResult, name: str) -> np.ndarray[Any, Any]:
    """The array of a collected `.npy` file. Raises SandboxError: no array, or one of objects."""
    import numpy as np

    try:
        return np.load(io.BytesIO(_content(result, name)), allow_pickle=False)  # type: ignore[no-any-return]
    except (ValueError, OSError, EOFError, MemoryError, OverflowError) as error:
        raise _unusable(name, f"is no plain array: {error}") from error


def read_table(result: SandboxResult, name: str) -> Any:
    """The `pyarrow.Table` of a collected Arrow (Feather 2) file or stream.

    Raises:
        SandboxError: no such table.
        MissingExtra: pyarrow is not installed; the extra `documents` has it.
    """
    content = _content(result, name)
    try:
        import pyarrow as pa  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra(
            "Arrow tables need pyarrow, which is not installed.",
            hint="Run `pip install '.[documents]'` in the clone.",
        ) from None
    try:
        opener = pa.ipc.open_file if content[:6] == b"ARROW1" else pa.ipc.open_stream
        table = opener(pa.py_buffer(content)).read_all()
        table.validate(full=True)  # offsets and lengths are a stranger's
    except (pa.ArrowInvalid, pa.ArrowException, OSError, ValueError) as error:
        raise _unusable(name, f"is no sound Arrow table: {error}") from error
    return table


def _content(result: SandboxResult, name: str) -> bytes:
    content = result.files.get(name)
    if content is None:
        raise _unusable(name, result.refused_files.get(name, "was not brought out"))
    if len(content) > _MOST_BYTES:
        raise _unusable(name, f"has {len(content)} bytes, more than {_MOST_BYTES}")
    return content


def _unusable(name: str, why: str) -> SandboxError:
    return SandboxError(
        f"The program's file {name!r} {why}"[:500], hint="Look at the program that wrote it."
    )
