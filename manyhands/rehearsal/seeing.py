"""The pictures of a chat request: told apart from its text, and what a model is shown of each."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["NotAPicture", "SentImage", "image_tokens", "images_in", "plain_message"]

#: Pixels that Qwen2.5-VL makes one token of: 2 × 2 patches of 14 × 14.
_PIXELS_PER_TOKEN = 28
#: Gemma 3 makes as many of every picture; for the kinds whose size is not read here.
_FIXED_TOKENS = 256
#: What stb_image reads for llama.cpp, by its first bytes; WebP is not among it.
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM")


class NotAPicture(ValueError):
    """Base64 that holds no picture which a real server could read."""


@dataclass(frozen=True, slots=True)
class SentImage:
    """One picture as a script sees it.

    Attributes:
        size: bytes of the file.
        sha256: of the file, in hex.
        width, height: pixels of a PNG; 0 for other kinds.
    """

    size: int
    sha256: str
    width: int = 0
    height: int = 0

    @property
    def tokens(self) -> int:
        if not self.width:
            return _FIXED_TOKENS
        columns, rows = (-(-side // _PIXELS_PER_TOKEN) for side in (self.width, self.height))
        return columns * rows


def images_in(messages: Iterable[Mapping[str, Any]]) -> tuple[SentImage, ...]:
    """The pictures of messages in Ollama's form.

    Raises:
        binascii.Error: one is no base64.
        NotAPicture: one is no file that a server could read.
    """
    return tuple(_seen(text) for message in messages for text in message.get("images") or ())


def _seen(text: object) -> SentImage:
    if not isinstance(text, str):
        raise binascii.Error("not a text")
    content = base64.b64decode(text, validate=True)
    if not content.startswith(_MAGIC):
        raise NotAPicture
    width = height = 0
    if content.startswith(_MAGIC[0]) and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
    return SentImage(len(content), hashlib.sha256(content).hexdigest(), width, height)


def image_tokens(messages: Iterable[Mapping[str, Any]]) -> int:
    """What the pictures add to a prompt, by the rule of Qwen2.5-VL."""
    return sum(image.tokens for image in images_in(messages))


def plain_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message in OpenAI's form as Ollama's: the text of its parts, and its pictures beside it."""
    content = message.get("content")
    if not isinstance(content, list):
        return dict(message)
    parts = [part for part in content if isinstance(part, dict)]
    text = "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
    urls = [
        str((part.get("image_url") or {}).get("url", ""))
        for part in parts
        if part.get("type") == "image_url"
    ]
    plain = {**message, "content": text}
    if urls:
        plain["images"] = [url.partition("base64,")[2] for url in urls]
    return plain
