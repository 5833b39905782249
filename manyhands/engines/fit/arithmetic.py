"""How much memory a model needs at a window, what spills, and how long it loads. Pure.

    weights   the file's bytes
    KV cache  sum over layers of kv_heads * (key_length + value_length) * window * bytes a number
    overhead  the runner's context, and the buffer of logits: batch * vocabulary * 4 bytes

Head lengths are taken as the model declares them (`attention.key_length`). Where they are not the
embedding's length over the heads, an estimate by that quotient is wrong: for Qwen3-30B-A3B it gives
64 where the model has 128, half the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from manyhands.errors import InputError

__all__ = ["GB", "KvType", "ModelShape", "Need", "largest_window", "load_s", "need_of", "shape_of"]

GB = 1_000_000_000

#: What llama.cpp's runner takes on a GPU beside weights, cache and logits (CUDA context, graph).
_CONTEXT_BYTES = 600_000_000
#: Tokens that are worked on at once when a prompt is read (llama.cpp's `n_ubatch`).
_BATCH = 512
#: Of every load, whatever the size: ending the old runner, waiting for its memory, starting.
FIXED_LOAD_S = 2.5
_WINDOW_STEP = 1024


class KvType(StrEnum):
    """The type of the cache's numbers (`OLLAMA_KV_CACHE_TYPE`)."""

    F16 = "f16"
    Q8_0 = "q8_0"
    Q4_0 = "q4_0"

    @property
    def bytes(self) -> float:
        """Of one number: blocks of 32 with a 16-bit scale where it is quantised."""
        return {KvType.F16: 2.0, KvType.Q8_0: 34 / 32, KvType.Q4_0: 18 / 32}[self]


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What of a model decides its memory.

    Attributes:
        weights: bytes of its file.
        kv_heads: of all layers together.
        local_window: tokens that a layer with a sliding window keeps; 0 where there is none.
        full_share: the part of the layers that keep the whole window.
        longest: the window that it was trained for; 0 when that is not known.
    """

    name: str
    weights: int
    layers: int
    kv_heads: int
    key_length: int
    value_length: int
    vocabulary: int
    local_window: int = 0
    full_share: float = 1.0
    longest: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a model needs at a window."""

    weights: int
    cache: int
    overhead: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.overhead

    def spilled(self, vram: int) -> int:
        """Bytes that do not fit into `vram` and are kept in the machine's own memory."""
        return max(0, self.total - vram)

    def share_on_gpu(self, vram: int) -> float:
        """The part of weights and cache that the GPU holds, from 0 to 1."""
        if vram <= self.overhead:
            return 0.0
        return min(1.0, (vram - self.overhead) / (self.weights + self.cache))


def need_of(
    shape: ModelShape, num_ctx: int, kv_type: KvType = KvType.F16, parallel: int = 1
) -> Need:
    """The memory that a model needs.

    Args:
        parallel: windows that are kept at once (`OLLAMA_NUM_PARALLEL`); the cache grows by it.
    """
    kept = num_ctx * shape.full_share
    if shape.local_window:
        kept += min(num_ctx, shape.local_window + _BATCH) * (1 - shape.full_share)
    numbers = shape.kv_heads * (shape.key_length + shape.value_length) * kept * parallel
    return Need(
        weights=shape.weights,
        cache=round(numbers * kv_type.bytes),
        overhead=_CONTEXT_BYTES + _BATCH * shape.vocabulary * 4,
    )


def largest_window(shape: ModelShape, vram: int, kv_type: KvType = KvType.F16) -> int:
    """The largest window, in steps of 1024 tokens, with which the model fits whole; else 0."""
    top = (shape.longest or 262_144) // _WINDOW_STEP
    low, high = 0, top
    while low < high:
        middle = (low + high + 1) // 2
        if need_of(shape, middle * _WINDOW_STEP, kv_type).total <= vram:
            low = middle
        else:
            high = middle - 1
    return low * _WINDOW_STEP


def load_s(shape: ModelShape, gb_s: float) -> float:
    """Expected seconds of a load: a fixed part, and the file read at `gb_s` GB in a second."""
    return FIXED_LOAD_S + shape.weights / GB / gb_s


#: Families whose metadata tell a sliding window but not which layers have it: one in so many is
#: full (config.json of google/gemma-3-* and openai/gpt-oss-*: `layer_types`).
_FULL_EVERY = {"gemma3": 6, "gptoss": 2, "gpt-oss": 2, "gemma2": 2}


def shape_of(name: str, info: Mapping[str, Any], weights: int) -> ModelShape:
    """The shape out of the metadata that `/api/show` gives as `model_info`.

    Raises:
        InputError: they lack what the arithmetic needs.
    """
    family = str(info.get("general.architecture", ""))

    def number(key: str, other: int = 0) -> int:
        value = info.get(f"{family}.{key}")
        return value if isinstance(value, int) and not isinstance(value, bool) else other

    layers, heads = number("block_count"), number("attention.head_count")
    embedding = number("embedding_length")
    if not layers or not embedding:
        raise InputError(
            f"The metadata of {name!r} name no {family or 'architecture'}.block_count or "
            "embedding_length.",
            hint="Its memory cannot be worked out; see `ollama ps` once it is loaded.",
        )
    given = info.get(f"{family}.attention.head_count_kv")
    if isinstance(given, list):  # some families have a number for each layer
        kv_heads = sum(one for one in given if isinstance(one, int))
    else:
        kv_heads = layers * (given if isinstance(given, int) else heads or 1)
    head = embedding // heads if heads else embedding
    rank = number("attention.kv_lora_rank")
    if rank:  # DeepSeek's compressed cache: one vector and its rotary part for each layer
        kv_heads, key, value = layers, rank + number("rope.dimension_count", 64), 0
    else:
        key = number("attention.key_length", head)
        value = number("attention.value_length", head)
    window = number("attention.sliding_window")
    every = _FULL_EVERY.get(family, 1)
    tokens = info.get("tokenizer.ggml.tokens")
    return ModelShape(
        name=name,
        weights=weights,
        layers=layers,
        kv_heads=kv_heads,
        key_length=key,
        value_length=value,
        vocabulary=number("vocab_size", len(tokens) if isinstance(tokens, list) else 152_000),
        local_window=window if every > 1 else 0,
        full_share=1 / every if window else 1.0,
        longest=number("context_length"),
    )
