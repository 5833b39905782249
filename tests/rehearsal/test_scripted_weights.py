"""Scripted weights are well-formed, small, and refuse a script that they cannot hold."""

from __future__ import annotations

import struct

import pytest

from manyhands.rehearsal.weights.gguf import U32, gguf_bytes
from manyhands.rehearsal.weights.scripted import Line, embedding_weights, scripted_weights
from manyhands.rehearsal.weights.tokens import Vocabulary, pieces


@pytest.mark.parametrize(
    "data",
    [
        scripted_weights([Line("one and one and one are three")]),
        scripted_weights([Line("a"), Line("b c d", "@b"), Line("e f", "@e", loops=True)]),
        embedding_weights(),
    ],
)
def test_they_are_gguf_of_version_3_and_small(data: bytes) -> None:
    magic, version, tensors, entries = struct.unpack("<4sIQQ", data[:24])
    assert (magic, version) == (b"GGUF", 3)
    assert tensors == 14
    assert entries > 20
    assert len(data) < 2_500_000


def test_a_text_is_cut_into_tokens_that_occur_once_and_join_to_it_again() -> None:
    taken = {*Vocabulary().tokens}
    text = "the cat and the dog and the cat\n\nand the end"
    found = pieces(text, taken) + pieces("the dog", taken)
    assert len(set(found)) == len(found)
    alphabet = dict(zip(Vocabulary().base[:256], _bytes(), strict=True))
    joined = bytes(alphabet[one] for piece in pieces(text, {*Vocabulary().tokens}) for one in piece)
    assert joined.decode() == text


def _bytes() -> list[int]:
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return plain + [byte for byte in range(256) if byte not in plain]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [Line("a", "@a")],
        [Line("a"), Line("b")],
        [Line(" ")],
        [Line("a"), *(Line("b", f"@{at}") for at in range(65))],
    ],
)
def test_a_script_that_cannot_be_held_is_refused(lines: list[Line]) -> None:
    with pytest.raises(ValueError):
        scripted_weights(lines)


def test_metadata_of_an_unknown_kind_is_refused() -> None:
    assert gguf_bytes({"n": U32(1), "b": True, "f": 0.5, "s": "t", "l": [1, 2]}, {})
    with pytest.raises(TypeError, match="bytes"):
        gguf_bytes({"n": b"raw"}, {})
