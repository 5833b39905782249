"""What a model needs is computed from its own metadata, with its own head lengths."""

from __future__ import annotations

import pytest

from manyhands.engines.fit.advice import Asked, fit_of, propose, together
from manyhands.engines.fit.arithmetic import (
    GB,
    KvType,
    largest_window,
    load_s,
    need_of,
    shape_of,
)
from manyhands.engines.fit.known import KNOWN, known_shape
from manyhands.errors import InputError
from manyhands.settings import Profile

#: As `/api/show` gives it (Qwen3-30B-A3B).
QWEN = {
    "general.architecture": "qwen3moe",
    "qwen3moe.attention.head_count": 32,
    "qwen3moe.attention.head_count_kv": 4,
    "qwen3moe.attention.key_length": 128,
    "qwen3moe.attention.value_length": 128,
    "qwen3moe.block_count": 48,
    "qwen3moe.context_length": 262_144,
    "qwen3moe.embedding_length": 2048,
    "tokenizer.ggml.tokens": None,
}


def test_the_cache_counts_the_models_own_head_lengths() -> None:
    shape = shape_of("qwen3:30b-a3b", QWEN, 19 * GB)
    # 48 layers, 4 heads, 128 + 128 numbers of 2 bytes: 98,304 bytes a token.
    assert need_of(shape, 32_768).cache == 98_304 * 32_768
    by_quotient = 2 * 48 * 4 * (2048 // 32) * 32_768 * 2
    assert need_of(shape, 32_768).cache == 2 * by_quotient


def test_without_head_lengths_the_quotient_is_taken() -> None:
    bare = {key: value for key, value in QWEN.items() if "_length" not in key or "emb" in key}
    assert need_of(shape_of("m", bare, GB), 1000).cache == 48 * 4 * (64 + 64) * 2 * 1000


def test_heads_may_differ_from_layer_to_layer() -> None:
    mixed = QWEN | {"qwen3moe.attention.head_count_kv": [4] * 24 + [0] * 24}
    assert need_of(shape_of("m", mixed, GB), 1000).cache * 2 == (
        need_of(shape_of("m", QWEN, GB), 1000).cache
    )


def test_layers_with_a_sliding_window_stop_growing() -> None:
    gemma = known_shape("gemma3:27b")
    short, long = (need_of(gemma, window).cache for window in (32_768, 65_536))
    full_layers = 62 * 16 * 256 * 2 / 6 * 32_768
    assert long - short == pytest.approx(full_layers, rel=1e-6)


def test_deepseeks_compressed_cache_is_one_vector_a_layer() -> None:
    info = {
        "general.architecture": "deepseek2",
        "deepseek2.block_count": 61,
        "deepseek2.embedding_length": 7168,
        "deepseek2.attention.head_count": 128,
        "deepseek2.attention.kv_lora_rank": 512,
        "deepseek2.rope.dimension_count": 64,
    }
    assert need_of(shape_of("d", info, GB), 1000).cache == 61 * 576 * 2 * 1000


def test_a_quantised_cache_and_parallel_windows_scale_it() -> None:
    shape = known_shape("llama3.3:70b")
    plain = need_of(shape, 16_384).cache
    assert need_of(shape, 16_384, KvType.Q8_0).cache / plain == pytest.approx(34 / 64)
    assert need_of(shape, 16_384, KvType.Q4_0).cache / plain == pytest.approx(18 / 64)
    assert need_of(shape, 16_384, parallel=3).cache == 3 * plain


def test_metadata_that_say_too_little_are_named() -> None:
    with pytest.raises(InputError, match="block_count"):
        shape_of("m", {"general.architecture": "new"}, GB)


def test_the_largest_window_is_the_last_that_fits() -> None:
    shape = known_shape("llama3.3:70b")
    best = largest_window(shape, 48 * GB)
    assert need_of(shape, best).total <= 48 * GB < need_of(shape, best + 1024).total
    assert largest_window(shape, 24 * GB) == 0
    assert largest_window(known_shape("qwen3:1.7b"), 80 * GB) <= 40_960


def test_a_load_takes_its_fixed_part_and_the_files_reading() -> None:
    assert load_s(known_shape("qwen3:235b"), 3.0) == pytest.approx(2.5 + 142 / 3)


@pytest.mark.parametrize(
    ("vram", "ram", "profile"),
    [
        (80, 128, Profile.FULL),
        (80, 32, Profile.WORKSTATION),
        (48, 64, Profile.WORKSTATION),
        (48, 256, Profile.WORKSTATION),
        (24, 64, Profile.WORKSTATION),
        (16, 32, Profile.LAPTOP),
        (8, 16, Profile.TINY),
        (0, 32, Profile.LAPTOP),
        (0, 8, Profile.TINY),
        (0, 0, Profile.TINY),
    ],
)
def test_the_profile_is_the_largest_that_the_memory_bears(
    vram: int, ram: int, profile: Profile
) -> None:
    assert propose(vram * GB, ram * GB) is profile


def test_what_stays_side_by_side_leaves_room_for_both() -> None:
    asked = [
        Asked("mind", known_shape("qwen3:30b-a3b"), 16_384),
        Asked("expert", known_shape("qwen3:32b"), 16_384),
        Asked("heavy", known_shape("llama3.3:70b"), 8192),
        Asked("embed", known_shape("embeddinggemma:300m"), 2048, on_cpu=True),
    ]
    for vram, pairs in ((48, [("mind", "expert")]), (40, []), (24, [])):
        fits = [fit_of(one, vram * GB, 64 * GB, gb_s=3.0) for one in asked]
        assert together(fits, vram * GB) == pairs
        assert fits[-1].on_gpu == 0


def test_what_neither_gpu_nor_ram_holds_does_not_run() -> None:
    asked = Asked("heavy", known_shape("qwen3:235b"), 16_384)
    assert not fit_of(asked, 48 * GB, 64 * GB, gb_s=3.0).runs
    fits = fit_of(asked, 48 * GB, 128 * GB, gb_s=3.0)
    assert fits.runs
    assert fits.on_gpu == pytest.approx((48 - 0.911) / 145.15, rel=1e-2)


def test_short_names_find_their_model_and_unknown_ones_are_told() -> None:
    assert known_shape("qwen3:235b").name == "qwen3:235b-a22b"
    assert known_shape("Qwen3:8b:latest").name == "qwen3:8b"
    with pytest.raises(InputError) as caught:
        known_shape("qwen3:8bb")
    assert "Did you mean 'qwen3:8b'?" in caught.value.hint
    assert all(shape.name == name for name, shape in KNOWN.items())
