"""Text of a program, a model or a tool made safe to show, to log and to put before a model."""

from __future__ import annotations

import re

__all__ = ["clean", "clean_bytes", "has_html", "storable"]

# CSI, OSC (ended by BEL or ST), DCS/SOS/PM/APC strings, then two-byte escapes; 7 and 8 bit forms.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)?"
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c|$)?"
    r"|\x1b[ -/]*[0-~]?"
)
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = "\u200b-\u200d\u2060-\u2064\u206a-\u206f\ufeff\u00ad\u180e\ufff9-\ufffb"
_TAGS = "\U000e0000-\U000e007f\U000e0100-\U000e01ef"
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_FORBIDDEN = re.compile(f"[{_BIDI}{_INVISIBLE}{_TAGS}{_CONTROL}]")
_TAG = re.compile(r"<[a-zA-Z/!?]")  # as the HTML standard: nothing between < and the name


def clean(text: str) -> str:
    """Strip terminal escapes, bidi overrides, invisible and tag characters, control characters.

    Newline and tab stay; of a line rewritten with carriage returns the last state stays.
    A zero-width joiner goes too: emoji lose their glue, hidden text loses its carrier.
    """
    text = _ESCAPES.sub("", text)
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _FORBIDDEN.sub("", "\n".join(lines))


def storable(text: str) -> str:
    """Text that a file can hold as UTF-8: half a surrogate pair becomes U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean_bytes(data: bytes) -> str:
    """`clean` of bytes in UTF-8; what is no UTF-8 becomes U+FFFD."""
    return clean(data.decode("utf-8", "replace"))


def has_html(text: str) -> bool:
    """Whether a browser could see a tag in `text`."""
    return bool(_TAG.search(text))
