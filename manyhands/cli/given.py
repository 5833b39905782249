"""What the command line is given: text that is text, ports and amounts that can be meant."""

from __future__ import annotations

import math
import sys
from typing import Any

import click

from manyhands.errors import InputError

__all__ = ["AMOUNT", "PORT", "check_text", "read_stdin"]

PORT = click.IntRange(0, 65535)


class _Amount(click.FloatRange):
    """A number of 0 or more; neither infinite nor `nan`, which no comparison would refuse."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no amount.", param, ctx)
        return number


AMOUNT = _Amount(min=0)


def check_text(text: str, what: str) -> str:
    """`text`, which Python read from bytes; raises `InputError` where they were no UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) & 0xFF
        raise InputError(
            f"{what} is not UTF-8: byte 0x{byte:02x} after {error.start} characters.",
            hint="Convert it, for example: iconv -f latin1 -t utf-8",
        ) from None
    return text


def read_stdin() -> str:
    """Standard input as text; raises `InputError` where it is no UTF-8."""
    raw = sys.stdin.buffer.read()
    return check_text(raw.decode("utf-8", errors="surrogateescape"), "Standard input")
