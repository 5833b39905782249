"""The shapes of common models, for a machine that one does not have.

Sources: `config.json` of each model's repository on Hugging Face (Qwen/Qwen3-*, meta-llama/*,
google/gemma-3-*, openai/gpt-oss-*, mistralai/*) for layers, heads, head lengths and vocabulary; the
model's page on ollama.com/library for the size of its default file (4 bits, MXFP4 for gpt-oss), in
GB of 1e9 bytes, rounded there.
"""

from __future__ import annotations

from manyhands.configuration.complaints import nearest
from manyhands.engines.fit.arithmetic import GB, ModelShape
from manyhands.errors import InputError

__all__ = ["KNOWN", "known_shape"]

_QWEN, _LLAMA, _GPT_OSS, _GEMMA, _MISTRAL = 151_936, 128_256, 201_088, 262_208, 131_072


def _shape(
    name: str,
    gigabytes: float,
    layers: int,
    kv_heads: int,
    head: int,
    vocabulary: int,
    longest: int,
    *,
    local_window: int = 0,
    full_every: int = 1,
) -> ModelShape:
    return ModelShape(
        name=name,
        weights=round(gigabytes * GB),
        layers=layers,
        kv_heads=layers * kv_heads,
        key_length=head,
        value_length=head,
        vocabulary=vocabulary,
        local_window=local_window,
        full_share=1 / full_every,
        longest=longest,
    )


_LIST = (
    _shape("qwen3:1.7b", 1.4, 28, 8, 128, _QWEN, 40_960),
    _shape("qwen3:4b", 2.5, 36, 8, 128, _QWEN, 262_144),
    _shape("qwen3:8b", 5.2, 36, 8, 128, _QWEN, 40_960),
    _shape("qwen3:14b", 9.3, 40, 8, 128, _QWEN, 40_960),
    _shape("qwen3:32b", 20, 64, 8, 128, _QWEN, 40_960),
    _shape("qwen3:30b-a3b", 19, 48, 4, 128, _QWEN, 262_144),
    _shape("qwen3:235b-a22b", 142, 94, 4, 128, _QWEN, 262_144),
    _shape("qwen3-coder:30b", 19, 48, 4, 128, _QWEN, 262_144),
    _shape("qwen2.5-coder:32b", 20, 64, 8, 128, 152_064, 32_768),
    _shape("llama3.1:8b", 4.9, 32, 8, 128, _LLAMA, 131_072),
    _shape("llama3.3:70b", 43, 80, 8, 128, _LLAMA, 131_072),
    _shape("deepseek-r1:70b", 43, 80, 8, 128, _LLAMA, 131_072),
    _shape("deepseek-r1:32b", 20, 64, 8, 128, 152_064, 131_072),
    _shape("gpt-oss:20b", 14, 24, 8, 64, _GPT_OSS, 131_072, local_window=128, full_every=2),
    _shape("gpt-oss:120b", 65, 36, 8, 64, _GPT_OSS, 131_072, local_window=128, full_every=2),
    _shape("gemma3:27b", 17, 62, 16, 128, _GEMMA, 131_072, local_window=1024, full_every=6),
    _shape("mistral-small3.2:24b", 15, 40, 8, 128, _MISTRAL, 131_072),
    _shape("embeddinggemma:300m", 0.62, 24, 1, 256, 262_144, 2048),
)

KNOWN: dict[str, ModelShape] = {one.name: one for one in _LIST}


def known_shape(name: str) -> ModelShape:
    """A model of the table; `qwen3:235b` finds `qwen3:235b-a22b`.

    Raises:
        InputError: it is not in the table, or several are meant.
    """
    wanted = name.strip().lower().removesuffix(":latest")
    if wanted in KNOWN:
        return KNOWN[wanted]
    found = [one for one in KNOWN if ":" in wanted and one.startswith(f"{wanted}-")]
    if len(found) == 1:
        return KNOWN[found[0]]
    near = nearest(wanted, KNOWN)
    meant = f"Did you mean {near!r}? " if near else ""
    raise InputError(
        f"The shape of {name!r} is not known here.",
        hint=f"{meant}Known: {', '.join(KNOWN)}. Any model that your server has can be named too.",
    )
