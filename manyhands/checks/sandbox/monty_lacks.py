"""Telling what Monty has not from what a program got wrong, by the error that ended it; pure."""

from __future__ import annotations

import ast
import builtins
import collections
import datetime
import inspect
import io
import re
import sys
import types
from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["Ended", "lack"]


class Ended(Protocol):
    """An error of `pydantic_monty`, as far as it is read here."""

    def exception(self) -> BaseException: ...

    def traceback(self) -> list[Any]: ...


_UNSUPPORTED = re.compile(r"The monty syntax parser does not yet support (?:the )?(.+)")
_OF_MODULE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_OF_TYPE = re.compile(r"(?:type object )?'([\w.]+)'(?: object)? has no attribute '(\w+)'")
_NO_DICT = "no __dict__ for setting new attributes"
_NAME = re.compile(r"name '(\w+)' is not defined")
_KEYWORD = re.compile(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'")
_NOT_MADE = re.compile(r"cannot create '(\w+)' instances")
_HOST = re.compile(r"'([\w.]+)' is not supported in this environment")
_IMPORT = re.compile(r"No module named '([\w.]+)'|cannot import name '(\w+)' from '([\w.]+)'")
#: Words of errors that real Python has no cause for, or a cause that Monty's errors do not tell.
_SAID = {
    "'list' object is not an iterator": "lazy iterators (what a generator expression, `map`, "
    "`filter`, `zip` or `enumerate` gives is a list)",
    "argument is not yet supported": "an argument of this call",
    "cannot convert 'list' object to bytes": "bytes of a list",
    "can only concatenate list (not": "`+=` of a list and another iterable",
}
#: Bound by `site`, so not there in every interpreter that asks.
_MORE_NAMES = ("exit", "quit", "help", "copyright", "credits", "license")
_TYPES: dict[str, type] = {
    "Counter": collections.Counter, "defaultdict": collections.defaultdict,
    "deque": collections.deque, "function": types.FunctionType, "method": types.MethodType,
    "date": datetime.date, "datetime": datetime.datetime, "timedelta": datetime.timedelta,
    "timezone": datetime.timezone, "TextIOWrapper": io.TextIOWrapper,
}  # fmt: skip


def lack(error: Ended, source: str, denied: Sequence[str] = ()) -> str:
    """What a program used that Python has and Monty has not; empty when the fault is its own.

    Args:
        denied: what it asked of its system and was refused, in order.
    """
    from pydantic_monty import MontySyntaxError

    found = error.exception()
    frames = error.traceback() if hasattr(error, "traceback") else []
    if isinstance(error, MontySyntaxError) and "(<string>" not in str(found):  # not of an `eval`
        return f"this syntax: {found}" if _parses(source) else ""
    last = frames[-1] if frames else None
    line = (last.source_line or "").lstrip() if last is not None else ""
    if line.startswith("raise") and type(found).__name__ in line:
        return ""
    what = _lacking(found, str(found), denied)
    return f"{what} (line {last.line})" if what and last is not None else what


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _lacking(found: BaseException, text: str, denied: Sequence[str]) -> str:
    match found:
        case NotImplementedError():
            said = _UNSUPPORTED.search(text)
            return said[1] if said else text
        case RuntimeError():
            said = _HOST.search(text)
            if said:
                return said[1]
            return f"this ({text})" if text.startswith("Internal error in monty") else ""
        case ImportError():
            said = _IMPORT.search(text)
            if said is None:
                return text
            return f"the module {said[1]!r}" if said[1] else f"{said[2]!r} of {said[3]!r}"
        case OSError():
            return f"files and the system: {denied[-1]}" if denied else ""
        case AttributeError():
            said = _OF_MODULE.search(text)
            if said:
                standard = said[1].partition(".")[0] in sys.stdlib_module_names
                return f"'{said[1]}.{said[2]}'" if standard else ""
            said = _OF_TYPE.search(text)
            if said and said[1] in ("module", "function") and text.endswith(_NO_DICT):
                return f"setting attributes of a {said[1]}"
            return f"'{said[1]}.{said[2]}'" if said and _has(said[1], said[2]) else ""
        case NameError():
            said = _NAME.search(text)
            known = said and (hasattr(builtins, said[1]) or said[1] in _MORE_NAMES)
            return f"{said[1]!r}" if said and known else ""
        case TypeError():
            said = _NOT_MADE.search(text)
            if said:
                return f"making an {said[1]!r}"
            for words, what in _SAID.items():
                if words in text:
                    return what
            said = _KEYWORD.search(text)
            return f"'{said[2]}=' of {said[1]}()" if said and _takes(said[1], said[2]) else ""
        case _:
            return ""


def _has(kind: str, name: str) -> bool:
    kind = kind.rpartition(".")[2]
    known = getattr(builtins, kind, None) or _TYPES.get(kind)
    return isinstance(known, type) and hasattr(known, name)


def _takes(function: str, keyword: str) -> bool:
    """Whether a builtin function of that name, or a method of a builtin type, has the argument."""
    for owner in (builtins, str, bytes, list, dict, set, int):
        try:
            if keyword in inspect.signature(getattr(owner, function)).parameters:
                return True
        except (AttributeError, TypeError, ValueError):
            continue
    return False
