"""Plain data on the wire: values become tagged JSON and come back with exactly the same type.

Standard library only (numpy and pandas when the process has loaded them): the file is used by
the host and by the programs inside the sandbox. Nothing that is decoded can carry code.

A value is: null, true/false, a string, an integer below 2^53, a finite float, or a list whose
first item is its tag: l list, t tuple, s set, f frozenset, d dict (pairs), i big integer,
F float that JSON lacks, c complex, b bytes (hex), g iterator (drained), e Ellipsis,
D Decimal, Q Fraction, dt / da datetime and date (ISO), td timedelta (days, seconds,
microseconds), r range, q deque, nd numpy array, ns numpy scalar, ix pandas Index, ps pandas Series,
pd pandas DataFrame.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import itertools
import math
import sys
from typing import Any

__all__ = ["MAX_DEPTH", "MAX_ITEMS", "NotPlain", "check_wire", "decode", "encode"]

MAX_DEPTH = 60  # nesting of containers
MAX_ITEMS = 200_000  # items of all containers of one value
_ITERATOR_ITEMS = 10_000
_BIG = 2**53
# An integer longer than this is refused before it is turned into text (quadratic time).
_MAX_BITS = 400_000


class NotPlain(TypeError):
    """The value is not plain data; the message names its type."""


class _Budget:
    def __init__(self) -> None:
        self.items = 0

    def spend(self, count: int, depth: int) -> None:
        self.items += count
        if self.items > MAX_ITEMS:
            raise NotPlain(f"more than {MAX_ITEMS} items")
        if depth > MAX_DEPTH:
            raise NotPlain(f"nested deeper than {MAX_DEPTH}")


def encode(value: Any) -> Any:
    """Turn plain data into tagged JSON.

    Raises NotPlain for everything else. Subclasses of int, float, str and the containers are
    flattened to their base by the base's own methods, so no overridden `__eq__` can travel.
    """
    return _encode(value, _Budget(), 0)


def _encode(value: Any, budget: _Budget, depth: int) -> Any:
    budget.spend(1, depth)
    kind = type(value)
    if value is None or kind is bool:
        return value
    if value is Ellipsis:
        return ["e"]
    module = kind.__module__.partition(".")[0]
    if module == "numpy" and "numpy" in sys.modules:
        return _encode_numpy(value, budget, depth)
    if module == "pandas" and "pandas" in sys.modules:
        return _encode_pandas(value, budget, depth)
    for base, handler in _SCALARS:
        if issubclass(kind, base):
            return handler(value)
    return _encode_container(value, kind, budget, depth)


def _encode_container(value: Any, kind: type, budget: _Budget, depth: int) -> Any:
    ordered: tuple[tuple[Any, str], ...] = ((list, "l"), (tuple, "t"))
    for base, tag in ordered:
        if issubclass(kind, base):
            return [tag, *(_encode(item, budget, depth + 1) for item in base.__iter__(value))]
    if issubclass(kind, collections.deque):
        items = collections.deque.__iter__(value)
        return ["q", *(_encode(item, budget, depth + 1) for item in items)]
    loose: tuple[tuple[Any, str], ...] = ((set, "s"), (frozenset, "f"))
    for base, tag in loose:
        if issubclass(kind, base):
            rows = [_encode(item, budget, depth + 1) for item in base.__iter__(value)]
            return [tag, *sorted(rows, key=repr)]
    if issubclass(kind, dict):
        pairs = dict.items(value)
        return [
            "d",
            *(
                [_encode(k, budget, depth + 1), _encode(v, budget, depth + 1)]
                for k, v in list(pairs)
            ),
        ]
    if kind in (type({}.keys()), type({}.values()), type({}.items())):
        return ["l", *(_encode(item, budget, depth + 1) for item in value)]
    if hasattr(kind, "__next__"):
        drained = list(itertools.islice(value, _ITERATOR_ITEMS + 1))
        if len(drained) > _ITERATOR_ITEMS:
            raise NotPlain(f"an iterator of more than {_ITERATOR_ITEMS} items")
        return ["g", *(_encode(item, budget, depth + 1) for item in drained)]
    raise NotPlain(f"a value of type {kind.__module__}.{kind.__qualname__}")


def _int(value: int) -> Any:
    plain = int.__index__(value)
    if int.bit_length(plain) > _MAX_BITS:
        raise NotPlain(f"an integer of more than {_MAX_BITS} bits")
    return plain if -_BIG < plain < _BIG else ["i", hex(plain)]


def _float(value: float) -> Any:
    plain = float.__float__(value)
    return plain if math.isfinite(plain) else ["F", repr(plain)]


_SCALARS: tuple[tuple[type, Any], ...] = (
    (int, _int),
    (float, _float),
    (str, lambda v: str.__str__(v).encode("utf-8", "replace").decode()),
    (complex, lambda v: ["c", repr(v.real), repr(v.imag)]),
    (bytes, lambda v: ["b", bytes.hex(v)]),
    (bytearray, lambda v: ["b", bytearray.hex(v)]),
    (decimal.Decimal, lambda v: ["D", str(v)]),
    (fractions.Fraction, lambda v: ["Q", str(v.numerator), str(v.denominator)]),
    (datetime.datetime, lambda v: ["dt", datetime.datetime.isoformat(v)]),
    (datetime.date, lambda v: ["da", datetime.date.isoformat(v)]),
    (datetime.timedelta, lambda v: ["td", v.days, v.seconds, v.microseconds]),
    (range, lambda v: ["r", str(v.start), str(v.stop), str(v.step)]),
)


def _encode_numpy(value: Any, budget: _Budget, depth: int) -> Any:
    import numpy as np

    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufcUS":
            return [
                "nd",
                "object",
                list(value.shape),
                _encode(value.ravel().tolist(), budget, depth + 1),
            ]
        budget.spend(int(value.size), depth)
        return [
            "nd",
            value.dtype.str,
            list(value.shape),
            _encode(value.ravel().tolist(), _Budget(), depth + 1),
        ]
    if isinstance(value, np.generic) and value.dtype.kind in "biufcUS":
        return ["ns", value.dtype.str, _encode(value.item(), budget, depth + 1)]
    raise NotPlain(f"a numpy value of type {type(value).__name__}")


def _encode_pandas(value: Any, budget: _Budget, depth: int) -> Any:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    if value is pd.NaT or value is pd.NA:
        return ["F", "nan"]
    if isinstance(value, pd.Timestamp):
        return ["dt", value.isoformat()]
    if isinstance(value, pd.Index):
        names = list(value.names)
        return [
            "ix",
            "multi" if isinstance(value, pd.MultiIndex) else str(value.dtype),
            _encode(names, budget, depth + 1),
            _encode(value.tolist(), budget, depth + 1),
        ]
    if isinstance(value, pd.Series):
        return ["ps", *_column(value, budget, depth), _encode(value.index, budget, depth + 1)]
    if isinstance(value, pd.DataFrame):
        columns = [_column(value.iloc[:, at], budget, depth) for at in range(value.shape[1])]
        heads = (_encode(one, budget, depth + 1) for one in (value.index, value.columns))
        return ["pd", *heads, columns]
    raise NotPlain(f"a pandas value of type {type(value).__name__}")


def _column(series: Any, budget: _Budget, depth: int) -> list[Any]:
    name = _encode(series.name, budget, depth + 1)
    return [name, str(series.dtype), _encode(series.tolist(), budget, depth + 1)]


def check_wire(wire: Any) -> None:
    """Whether `wire` is what `encode` writes, without building arrays and tables.

    Raises NotPlain when it is not.
    """
    if isinstance(wire, list) and wire and wire[0] in _SHAPES:
        length = _SHAPES[wire[0]]
        if len(wire) != length or not all(isinstance(part, str | list) for part in wire[1:2]):
            raise NotPlain("not a value on the wire")
        return
    if isinstance(wire, list) and wire and wire[0] in tuple("ltsfgqd"):
        for item in wire[1:]:
            for part in item if wire[0] == "d" else (item,):
                check_wire(part)
        return
    decode(wire)


#: Tag of an array or a table -> how many parts it has.
_SHAPES = {"nd": 4, "ns": 3, "ix": 4, "ps": 5, "pd": 4}


def decode(wire: Any) -> Any:
    """Build the value again from tagged JSON, out of builtin types only.

    Raises NotPlain when the text is not what `encode` writes.
    """
    try:
        return _decode(wire, 0)
    except NotPlain:
        raise
    except Exception as error:
        raise NotPlain(f"not a value on the wire: {type(error).__name__}") from None


def _decode(wire: Any, depth: int) -> Any:
    if depth > 2 * MAX_DEPTH:
        raise NotPlain(f"nested deeper than {MAX_DEPTH}")
    if wire is None or type(wire) in (bool, int, float, str):
        return wire
    if type(wire) is not list or not wire or type(wire[0]) is not str:
        raise NotPlain("not a value on the wire")
    tag, rest = wire[0], wire[1:]
    if tag in "ltsfgq" and len(tag) == 1:
        items = [_decode(item, depth + 1) for item in rest]
        makers: dict[str, Any] = {"l": list, "t": tuple, "s": set, "f": frozenset, "g": iter,
                                  "q": collections.deque}  # fmt: skip
        return makers[tag](items)
    if tag == "d":
        return {_decode(k, depth + 1): _decode(v, depth + 1) for k, v in rest}
    simple = _DECODERS.get(tag)
    if simple is not None:
        return simple(*rest)
    if tag in ("nd", "ns"):
        import numpy as np

        if tag == "ns":
            return np.dtype(rest[0]).type(_decode(rest[1], depth + 1))
        flat = _decode(rest[2], depth + 1)
        return np.array(flat, dtype=np.dtype(rest[0])).reshape(rest[1])
    if tag in ("ix", "ps", "pd"):
        return _decode_pandas(tag, rest, depth)
    raise NotPlain(f"unknown tag {tag[:20]!r}")


def _decode_pandas(tag: str, rest: list[Any], depth: int) -> Any:
    import pandas as pd

    def series(name: Any, dtype: str, values: Any, index: Any) -> Any:
        made = pd.Series(
            _decode(values, depth + 1), index=index, dtype=object, name=_decode(name, depth + 1)
        )
        return made.astype(dtype)

    if tag == "ix":
        names, values = _decode(rest[1], depth + 1), _decode(rest[2], depth + 1)
        if rest[0] == "multi":
            return pd.MultiIndex.from_tuples(values, names=names)
        if values == list(range(len(values))) and rest[0] == "int64":
            return pd.RangeIndex(len(values), name=names[0])
        return pd.Index(values, dtype=rest[0], name=names[0])
    if tag == "ps":
        name, dtype, values, index = rest
        return series(name, dtype, values, _decode(index, depth + 1))
    index, columns = _decode(rest[0], depth + 1), _decode(rest[1], depth + 1)
    parts = [series(name, dtype, values, index) for name, dtype, values in rest[2]]
    table = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=index)
    table.columns = columns
    return table


_DECODERS: dict[str, Any] = {
    "e": lambda: Ellipsis,
    "i": lambda text: int(text, 16),
    "F": lambda text: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[text],
    "c": lambda re, im: complex(float(re), float(im)),
    "b": bytes.fromhex,
    "D": decimal.Decimal,
    "Q": lambda top, bottom: fractions.Fraction(int(top), int(bottom)),
    "dt": datetime.datetime.fromisoformat,
    "da": datetime.date.fromisoformat,
    "td": lambda days, seconds, micro: datetime.timedelta(days, seconds, micro),
    "r": lambda start, stop, step: range(int(start), int(stop), int(step)),
}
