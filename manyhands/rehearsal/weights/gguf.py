"""Writing GGUF, the file format of llama.cpp and Ollama: metadata, then 32-bit tensors.

The layout is version 3 of the format (ggml's docs/gguf.md): all numbers are little-endian, every
tensor begins at a multiple of 32 bytes, and a tensor's lengths are written innermost first.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["U32", "Metadata", "Tensors", "gguf_bytes"]

_ALIGNMENT = 32
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_TENSOR_F32 = 0

Metadata = Mapping[str, Any]
Tensors = Mapping[str, npt.NDArray[np.float32]]


class U32(int):
    """A number that the format wants unsigned; plain `int` in a list is signed."""


def gguf_bytes(metadata: Metadata, tensors: Tensors) -> bytes:
    """A whole file.

    Args:
        metadata: values are `U32`, `float`, `bool`, `str`, or lists of `str` or `int`.
        tensors: name -> values, as rows of the matrix that the model multiplies with.

    Raises:
        TypeError: a value of another kind.
    """
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
    for key, value in metadata.items():
        head += _text(key) + _value(value)
    offset = 0
    body = bytearray()
    for name, values in tensors.items():
        data = np.ascontiguousarray(values, dtype="<f4")
        lengths = data.shape[::-1]
        head += _text(name) + struct.pack(f"<I{len(lengths)}Q", len(lengths), *lengths)
        head += struct.pack("<IQ", _TENSOR_F32, offset)
        raw = data.tobytes()
        body += raw + bytes(-len(raw) % _ALIGNMENT)
        offset = len(body)
    return bytes(head + bytes(-len(head) % _ALIGNMENT) + body)


def _text(text: str) -> bytes:
    raw = text.encode("utf-8")
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", _BOOL, value)
    if isinstance(value, U32):
        return struct.pack("<II", _UINT32, value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT32, value)
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    if isinstance(value, list):
        return struct.pack("<I", _ARRAY) + _items(value)
    raise TypeError(f"GGUF metadata cannot hold a {type(value).__name__}: {value!r}")


def _items(values: Sequence[Any]) -> bytes:
    if all(isinstance(item, str) for item in values):
        return struct.pack("<IQ", _STRING, len(values)) + b"".join(map(_text, values))
    return struct.pack(f"<IQ{len(values)}i", _INT32, len(values), *values)
