"""What comes out of the sandbox is data: text, images and chart specifications."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from manyhands.checks.sandbox.png import PngFault, PngRefused, png_size, rewrite_png
from manyhands.checks.sandbox.specs import (
    SpecFault,
    check_plotly,
    check_vega_lite,
    without_markup,
)
from manyhands.clean import clean


def chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, interlace: int = 0,
        raw: bytes | None = None, before: bytes = b"", after: bytes = b"") -> bytes:  # fmt: skip
    if raw is None:
        raw = (b"\0" + bytes(width * 3)) * height
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    parts = [chunk(b"IHDR", head), before, chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + after


# --- text --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\x1b[2J\x1b[1;31mb\x1b[0mc", "abc"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]52;c;ZXZpbA==\x07b", "ab"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x1bPq#0\x1b\\b", "ab"),
        ("a\x9b31mb", "ab"),
        ("a\u202eb\u2066c", "abc"),
        ("a\U000e0041\U000e0042b", "ab"),
        ("a\u200bb\ufeff", "ab"),
        ("1%\r50%\r100%\n", "100%\n"),
        ("a\r\nb", "a\nb"),
        ("bell\x07 back\x08 del\x7f", "bell back del"),
        ("tab\tstays\nüñí → 文 😀", "tab\tstays\nüñí → 文 😀"),
    ],
)
def test_escapes_and_hidden_characters_are_stripped(text: str, left: str) -> None:
    assert clean(text) == left


@given(st.text(alphabet=st.sampled_from("\x1b[]0;8mP\\\x07\x9b\x9d\u202e\U000e0041\r\nab")))
def test_cleaning_leaves_nothing_to_clean(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert not set(once) & set("\x1b\x9b\x9d\x07\r\u202e\U000e0041")


# --- images ------------------------------------------------------------------------------

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


@pytest.mark.parametrize(("mode", "size"), list(product(MODES, [(1, 1), (7, 5), (64, 33)])))
def test_a_rewritten_image_shows_the_same(mode: str, size: tuple[int, int]) -> None:
    picture = Image.effect_noise(size, 90).convert("RGBA").convert("RGB")
    picture = Image.new(mode, size, 700) if mode == "I;16" else picture.convert(mode)
    written = io.BytesIO()
    picture.save(written, "PNG")
    again = Image.open(io.BytesIO(rewrite_png(written.getvalue())))
    assert again.size == size
    assert again.convert("RGBA").tobytes() == Image.open(written).convert("RGBA").tobytes()


def test_an_interlaced_image_is_rewritten_pass_by_pass() -> None:
    # Adam7 of 5 x 3 pixels of one byte: number and width of the scan lines of each pass.
    rows = [(1, 1), (1, 1), (0, 0), (1, 1), (1, 3), (2, 2), (1, 5)]
    raw = b"".join((b"\0" + bytes([7] * columns)) * count for count, columns in rows)
    picture = png(5, 3, colour=0, interlace=1, raw=raw)
    opened = Image.open(io.BytesIO(rewrite_png(picture)))
    assert set(opened.convert("L").tobytes()) == {7}


def test_text_profiles_animation_and_trailing_bytes_are_gone() -> None:
    extra = chunk(b"tEXt", b"Comment\0<script>") + chunk(b"iCCP", b"x") + chunk(b"acTL", bytes(8))
    written = rewrite_png(png(3, 2, before=extra, after=b"<?php evil"))
    for word in (b"script", b"tEXt", b"iCCP", b"acTL", b"php"):
        assert word not in written
    assert written.endswith(chunk(b"IEND", b""))


def test_resolution_and_transparency_stay() -> None:
    resolution = chunk(b"pHYs", struct.pack(">IIB", 3937, 3937, 1))
    written = rewrite_png(png(2, 2, before=resolution + chunk(b"tRNS", bytes(6))))
    assert resolution in written
    assert chunk(b"tRNS", bytes(6)) in written


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", PngFault.NOT_PNG),
        (b"GIF89a" + bytes(60), PngFault.NOT_PNG),
        (b"\x89PNG\r\n\x1a\n<svg onload=alert(1)>" + bytes(30), PngFault.NOT_PNG),
        (png(0, 5), PngFault.NOT_PNG),
        (png(50_000, 50_000, raw=b"\0"), PngFault.TOO_BIG),
        (png(10_000, 5_000, depth=16, colour=6, raw=b"\0"), PngFault.TOO_BIG),
        (png(4, 4, raw=bytes(10)), PngFault.DAMAGED),
        (png(4, 4, raw=bytes(100_000)), PngFault.DAMAGED),
        (png(4, 4, raw=(b"\5" + bytes(12)) * 4), PngFault.DAMAGED),
        (png(4, 4, depth=3), PngFault.DAMAGED),
        (png(4, 4, colour=5), PngFault.DAMAGED),
        (png(4, 4, interlace=2), PngFault.DAMAGED),
        (png(4, 4, colour=3, raw=bytes(20)), PngFault.DAMAGED),
        (png(4, 4, before=chunk(b"EVIL", b"")), PngFault.DAMAGED),
        (png(4, 4, before=chunk(b"PLTE", bytes(900))), PngFault.DAMAGED),
        (png(4, 4)[:-20], PngFault.DAMAGED),
        (png(4, 4).replace(b"IDAT", b"IDAX"), PngFault.DAMAGED),
    ],
)
def test_what_is_no_sound_image_is_refused(content: bytes, fault: PngFault) -> None:
    with pytest.raises(PngRefused) as refused:
        rewrite_png(content)
    assert refused.value.fault is fault


@given(st.binary(max_size=40), st.integers(0, 90), st.integers(0, 90))
def test_a_damaged_image_is_rewritten_or_refused_never_a_crash(
    junk: bytes, start: int, end: int
) -> None:
    sound = png(3, 3)
    try:
        written = rewrite_png(sound[:start] + junk + sound[end:])
    except PngRefused:
        return
    assert png_size(written) is not None


# --- chart specifications ----------------------------------------------------------------

VEGA = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "data": {"values": [{"a": "x < y", "b": 1}, {"a": "https://example.org", "b": 2}]},
    "mark": "bar",
    "encoding": {"x": {"field": "a", "type": "nominal"}, "y": {"field": "b"}},
    "title": "5 < 6 and 7 > 2",
}


def test_an_honest_vega_lite_chart_passes() -> None:
    assert check_vega_lite(VEGA) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"data": {"url": "http://127.0.0.1:11434/api/tags"}}, SpecFault.REMOTE_DATA),
        ({"data": {"url": "file:///etc/passwd"}}, SpecFault.REMOTE_DATA),
        ({"data": {"url": ["x"]}}, SpecFault.REMOTE_DATA),
        ({"layer": [{"data": {"url": "x.csv"}, "mark": "bar"}]}, SpecFault.REMOTE_DATA),
        ({"datasets": {"d": {"url": "x"}}}, SpecFault.REMOTE_DATA),
        ({"mark": "image"}, SpecFault.IMAGE),
        ({"mark": {"type": "image"}}, SpecFault.IMAGE),
        ({"mark": {"type": "point", "shape": "url(http://e)http://e"}}, SpecFault.IMAGE),
        ({"encoding": {"href": {"field": "a"}}}, SpecFault.LINK),
        ({"mark": {"type": "bar", "href": "javascript:alert(1)"}}, SpecFault.LINK),
        ({"usermeta": {"embedOptions": {"loader": {}}}}, SpecFault.USERMETA),
        ({"title": "<img src=x onerror=alert(1)>"}, SpecFault.MARKUP),
        ({"title": ["ok", "<script>1</script>"]}, SpecFault.MARKUP),
        ({"params": [{"name": "p", "expr": "'http://e'"}]}, SpecFault.EXPRESSION),
        ({"$schema": "https://vega.github.io/schema/vega/v5.json"}, SpecFault.NO_SCHEMA),
        ({"data": {"values": [{"a": "<svg/onload=1>"}]}}, SpecFault.MARKUP),
    ],
)
def test_a_vega_lite_chart_that_reaches_out_is_refused(
    change: dict[str, object], fault: SpecFault
) -> None:
    assert fault in [found for found, _ in check_vega_lite({**VEGA, **change})]


PLOTLY = {
    "data": [{"type": "scatter", "x": [1, 2], "y": [3, 4], "name": "a < b"}],
    "layout": {"title": {"text": "<b>Bold</b> H<sub>2</sub>O"}},
}


def test_an_honest_plotly_figure_passes() -> None:
    assert check_plotly(PLOTLY) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"layout": {"images": [{"source": "http://e/x.png"}]}}, SpecFault.IMAGE),
        ({"data": [{"type": "image", "source": "data:image/png;base64,AA"}]}, SpecFault.IMAGE),
        ({"layout": {"title": {"text": '<a href="javascript:1">x</a>'}}}, SpecFault.LINK),
        ({"layout": {"title": {"text": "<img src=x onerror=1>"}}}, SpecFault.MARKUP),
        ({"data": [{"hovertemplate": "<script>1</script>"}]}, SpecFault.MARKUP),
        ({"layout": {"mapbox": {"style": "https://evil/style.json"}}}, SpecFault.REMOTE_DATA),
        ({"data": [{"geojson": "http://evil/x.json"}]}, SpecFault.REMOTE_DATA),
        ({"config": {"plotlyServerURL": "https://evil"}}, SpecFault.REMOTE_DATA),
    ],
)
def test_a_plotly_figure_that_reaches_out_is_refused(
    change: dict[str, object], fault: SpecFault
) -> None:
    assert fault in [found for found, _ in check_plotly({**PLOTLY, **change})]


@pytest.mark.parametrize("check", [check_vega_lite, check_plotly])
def test_what_is_no_specification_is_refused(check: object) -> None:
    deep: dict[str, object] = {}
    for _ in range(3000):
        deep = {"a": deep}
    for spec in ("<html>", None, [1], {"x": object()}, deep, {"x": "a" * 5_000_000}):
        assert check(spec) != []  # type: ignore[operator]


def test_a_cleaned_specification_holds_no_markup() -> None:
    dirty = {"title": "<b\x1b[31m>x", "data": [{"\u202ek": "<i>"}], "n": 1.5}
    cleaned = without_markup(dirty)
    assert cleaned == {"title": "＜b＞x", "data": [{"k": "＜i＞"}], "n": 1.5}
