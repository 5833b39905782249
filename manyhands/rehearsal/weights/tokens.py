"""The vocabulary of scripted weights: every byte, the marks of the chat form, and the script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from manyhands.rehearsal.weights.gguf import U32

__all__ = ["Vocabulary", "as_token", "pieces"]

_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4
_CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_MARKS = (
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
)
#: The tokenizer must have merges; a few keep it a byte-pair tokenizer without changing the script.
_MERGES = (("h", "e"), ("i", "n"), ("e", "r"), ("o", "n"))


def _alphabet() -> dict[int, str]:
    """The printable stand-in of each byte, as byte-level tokenizers since GPT-2 write them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    shown = {byte: chr(byte) for byte in plain}
    return shown | {byte: chr(256 + at) for at, byte in enumerate(others)}


_ALPHABET = _alphabet()


def as_token(text: str) -> str:
    """A text as the vocabulary writes it."""
    return "".join(_ALPHABET[byte] for byte in text.encode("utf-8"))


def pieces(text: str, taken: set[str]) -> list[str]:
    """A text in tokens that occur nowhere else; `taken` is added to.

    Words are glued to the next one until the token is new, since a token must say by itself which
    one follows it.
    """
    found: list[str] = []
    pending = ""
    for word in re.findall(r"\s*\S+|\s+$", text):
        pending += word
        if as_token(pending) not in taken:
            found.append(as_token(pending))
            taken.add(found[-1])
            pending = ""
    if pending:
        last = (found.pop() if found else "") + as_token(pending)
        while last in taken:
            last += as_token("\u200b")
        taken.add(last)
        found.append(last)
    return found


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens in order.

    Attributes:
        triggers: words that a prompt may hold; each is one token wherever it stands.
        script: tokens that only answers have.
    """

    triggers: tuple[str, ...] = ()
    script: tuple[str, ...] = ()

    @property
    def base(self) -> list[str]:
        """What every vocabulary has."""
        merged = [first + second for first, second in _MERGES]
        return [*_ALPHABET.values(), *merged, *_CONTROLS, *_MARKS]

    @property
    def marks(self) -> list[str]:
        return [one for one in self.triggers if one not in _MARKS]

    @property
    def tokens(self) -> list[str]:
        return [*self.base, *self.marks, *self.script]

    def ids(self) -> dict[str, int]:
        return {token: at for at, token in enumerate(self.tokens)}

    def metadata(self, chat_template: str) -> dict[str, Any]:
        """The tokenizer's part of the file; an empty template is left out."""
        ids = self.ids()
        bare = len(_ALPHABET) + len(_MERGES)
        kinds = [_NORMAL] * bare + [_CONTROL] * len(_CONTROLS) + [_USER_DEFINED] * len(_MARKS)
        kinds += [_USER_DEFINED] * len(self.marks) + [_NORMAL] * len(self.script)
        found: dict[str, Any] = {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "qwen2",
            "tokenizer.ggml.tokens": self.tokens,
            "tokenizer.ggml.token_type": kinds,
            "tokenizer.ggml.merges": [" ".join(pair) for pair in _MERGES],
            "tokenizer.ggml.eos_token_id": U32(ids["<|im_end|>"]),
            "tokenizer.ggml.padding_token_id": U32(ids["<|endoftext|>"]),
            "tokenizer.ggml.bos_token_id": U32(ids["<|endoftext|>"]),
            "tokenizer.ggml.add_bos_token": False,
        }
        if chat_template:
            found["tokenizer.chat_template"] = chat_template
        return found
