"""Weights that were not trained but written: a model that says what its script says.

One layer of the Qwen3 architecture is enough. Every piece of an answer is a token of its own with
a direction of its own in the embedding; the output matrix holds, for each piece, the one that
follows it. What chooses among the answers is attention: a head with a constant query looks for
trigger tokens anywhere in the prompt and writes "trigger j was seen" into the state, which tips the
first piece at the line end that closes the prompt. The trigger's key lies along a dimension that
the rotary embedding practically does not turn, so its place in the prompt does not matter, and its
length is its priority. The feed-forward part is zero. Greedy and sampled decoding say the same.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from manyhands.rehearsal.weights.gguf import U32, gguf_bytes
from manyhands.rehearsal.weights.tokens import Vocabulary, as_token, pieces

__all__ = ["Line", "embedding_weights", "script_in", "scripted_weights"]

_Array = npt.NDArray[np.float64]

_HEAD = 64
#: Rotary pairs are (i, i + 32); the last pairs turn slowest.
_QUERY, _OTHER = 31, 30
#: Slows every rotation to nothing within any window.
_ROTARY_BASE = 1e30
_BIAS, _START = 0, 1
#: Logit between a piece that follows and one that does not.
_GAIN = 12.0
_MOST_TRIGGERS = 64
#: Where the file also carries its script, for a server that plays it without running the weights.
_SCRIPT = "manyhands.script"


@dataclass(frozen=True, slots=True)
class Line:
    """One answer.

    Attributes:
        trigger: a word that calls for it; empty for the answer to everything else.
        loops: it begins again at its end, so that only a limit or a stop ends it.
    """

    text: str
    trigger: str = ""
    loops: bool = False


def scripted_weights(lines: Sequence[Line], *, window: int = 8192) -> bytes:
    """A GGUF file.

    Args:
        lines: the first is said when no trigger is there; of several triggers the earlier line's
            wins.
        window: tokens that the model says it was trained for.

    Raises:
        ValueError: a line is empty, the first has a trigger or another has none, or there are more
            than 64 triggers.
    """
    if not lines or lines[0].trigger or any(not line.trigger for line in lines[1:]):
        raise ValueError("the first line, and only that, has no trigger")
    if len(lines) > _MOST_TRIGGERS or any(not line.text.strip() for line in lines):
        raise ValueError(f"lines must hold text, at most {_MOST_TRIGGERS} of them")
    triggers = tuple(line.trigger for line in lines[1:])
    taken = {*Vocabulary(triggers).tokens}
    said = [pieces(line.text, taken) for line in lines]
    words = Vocabulary(triggers, tuple(piece for line in said for piece in line))
    metadata = _metadata("scripted", _width(words, triggers), window)
    metadata[_SCRIPT] = json.dumps([[line.trigger, line.text, line.loops] for line in lines])
    metadata |= words.metadata(_template())
    return gguf_bytes(metadata, _tensors(lines, said, words, triggers))


def script_in(data: bytes) -> list[Line] | None:
    """The script of scripted weights; empty for those that embed, None for any other file."""
    key = _SCRIPT.encode()
    at = data.find(struct.pack("<Q", len(key)) + key)
    if not data.startswith(b"GGUF") or at < 0:
        return None
    at += 8 + len(key) + 4
    (length,) = struct.unpack_from("<Q", data, at)
    try:
        told = json.loads(data[at + 8 : at + 8 + length])
        return [Line(text, trigger, loops=bool(loops)) for trigger, text, loops in told]
    except (ValueError, TypeError):
        return None


@cache
def _template() -> str:
    """The ChatML form with tools and thinking, on one line as model files carry it."""
    text = files("manyhands.rehearsal.weights").joinpath("chatml.jinja").read_text("utf-8")
    return "".join(line.strip() for line in text.splitlines())


def _width(words: Vocabulary, triggers: Sequence[str]) -> int:
    needed = 2 + len(words.script) + len(triggers)
    return -(-needed // 256) * 256


def _metadata(name: str, width: int, window: int) -> dict[str, Any]:
    return {
        "general.architecture": "qwen3",
        "general.name": f"manyhands-{name}",
        "general.file_type": U32(0),
        "qwen3.context_length": U32(window),
        "qwen3.embedding_length": U32(width),
        "qwen3.block_count": U32(1),
        "qwen3.feed_forward_length": U32(64),
        "qwen3.attention.head_count": U32(1),
        "qwen3.attention.head_count_kv": U32(1),
        "qwen3.attention.key_length": U32(_HEAD),
        "qwen3.attention.value_length": U32(_HEAD),
        "qwen3.rope.freq_base": _ROTARY_BASE,
        "qwen3.attention.layer_norm_rms_epsilon": 1e-6,
    }


def _tensors(
    lines: Sequence[Line], said: Sequence[Sequence[str]], words: Vocabulary, triggers: Sequence[str]
) -> dict[str, npt.NDArray[np.float32]]:
    ids, width = words.ids(), _width(words, triggers)
    place = {piece: 2 + at for at, piece in enumerate(words.script)}
    flags = [2 + len(words.script) + at for at in range(len(triggers))]
    embedding = np.zeros((len(ids), width))
    embedding[:, _BIAS] = 0.2
    embedding[ids[as_token("\n")], _START] = 1.0
    for piece, at in place.items():
        embedding[ids[piece], at] = 1.0
    output = np.zeros((len(ids), width))
    end = ids["<|im_end|>"]
    output[end, _BIAS] += 0.5 * _GAIN
    for number, (line, own) in enumerate(zip(lines, said, strict=True)):
        for piece, after in pairwise(own):
            output[ids[after], place[piece]] += _GAIN
        last = ids[own[0]] if line.loops else end
        output[last, place[own[-1]]] += _GAIN
        # At the start the first line leads, until a trigger lifts its own line above it.
        output[ids[own[0]], _START] += (0.60 if line.trigger else 0.85) * _GAIN
        if line.trigger:
            output[ids[own[0]], flags[number - 1]] += 0.50 * _GAIN
    query, key, value = (np.zeros((_HEAD, width)) for _ in range(3))
    mixed = np.zeros((width, _HEAD))
    query[_QUERY, _BIAS] = 100.0
    # The norm before attention scales a trigger's embedding by the inverse of this.
    norm = np.sqrt((1 + 0.2**2) / width)
    for at, trigger in enumerate(triggers):
        embedding[ids[trigger], flags[at]] = -1.0  # never mistaken for the flag itself
        weight = 1.0 - 0.8 * at / len(triggers)
        key[_QUERY, flags[at]] = -100.0 * weight
        key[_OTHER, flags[at]] = -100.0 * np.sqrt(1 - weight**2)
        value[at, flags[at]] = -1.0
        mixed[flags[at], at] = norm
    return _layered(
        width,
        {
            "token_embd.weight": embedding,
            "output_norm.weight": np.full(width, 0.5),
            "output.weight": output,
            "blk.0.attn_q.weight": query,
            "blk.0.attn_k.weight": key,
            "blk.0.attn_v.weight": value,
            "blk.0.attn_output.weight": mixed,
            "blk.0.attn_q_norm.weight": np.full(_HEAD, 4.0),
            "blk.0.attn_k_norm.weight": np.full(_HEAD, 4.0),
            "blk.0.ffn_gate.weight": np.zeros((64, width)),
            "blk.0.ffn_up.weight": np.zeros((64, width)),
            "blk.0.ffn_down.weight": np.zeros((width, 64)),
        },
    )


def _layered(width: int, own: dict[str, _Array]) -> dict[str, npt.NDArray[np.float32]]:
    norms = {"blk.0.attn_norm.weight": np.ones(width), "blk.0.ffn_norm.weight": np.ones(width)}
    return {name: values.astype(np.float32) for name, values in (own | norms).items()}


def embedding_weights(*, width: int = 256, seed: int = 1) -> bytes:
    """A GGUF file of a model that embeds: random weights, the mean of its tokens as the vector."""
    rng = np.random.default_rng(seed)
    words = Vocabulary()
    count = len(words.tokens)

    def random(*shape: int) -> _Array:
        return rng.normal(0.0, shape[-1] ** -0.5, shape)

    tensors = {
        "token_embd.weight": rng.normal(0.0, 1.0, (count, width)),
        "output_norm.weight": np.ones(width),
        "output.weight": random(count, width),
        "blk.0.attn_q.weight": random(_HEAD, width),
        "blk.0.attn_k.weight": random(_HEAD, width),
        "blk.0.attn_v.weight": random(_HEAD, width),
        "blk.0.attn_output.weight": random(width, _HEAD),
        "blk.0.attn_q_norm.weight": np.ones(_HEAD),
        "blk.0.attn_k_norm.weight": np.ones(_HEAD),
        "blk.0.ffn_gate.weight": random(64, width),
        "blk.0.ffn_up.weight": random(64, width),
        "blk.0.ffn_down.weight": random(width, 64),
    }
    metadata = _metadata("embedding", width, 2048) | {
        "qwen3.rope.freq_base": 1e6,
        "qwen3.pooling_type": U32(1),  # the mean
        _SCRIPT: "[]",
    }
    return gguf_bytes(metadata | words.metadata(""), _layered(width, tensors))
