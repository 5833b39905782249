"""A PNG of an untrusted program taken apart and written anew, with the standard library alone.

What a viewer or a vision model gets was written here: header, palette, transparency, resolution
and checked scan lines. Text, profiles, animation, unknown chunks and bytes after the end are gone,
and a header that promises more pixels than there are data is refused. No image library with a
decoder in C sees the program's bytes. Format: PNG specification, third edition, W3C 2025.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from enum import StrEnum

__all__ = ["PngFault", "PngRefused", "is_png", "png_size", "rewrite_png"]

_MAGIC = b"\x89PNG\r\n\x1a\n"
_PIXELS = 50_000_000
_RAW_BYTES = 200_000_000  # of scan lines: 50 million pixels of four bytes
_STEP = 1 << 20
#: colour type -> samples per pixel and the bit depths that it may have
_COLOURS = {
    0: (1, (1, 2, 4, 8, 16)), 2: (3, (8, 16)), 3: (1, (1, 2, 4, 8)), 4: (2, (8, 16)),
    6: (4, (8, 16)),
}  # fmt: skip
#: Adam7: first column, first row, step right, step down of each pass
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # fmt: skip


class PngFault(StrEnum):
    """Why an image is refused."""

    NOT_PNG = "not a PNG"
    TOO_BIG = f"more than {_PIXELS} pixels"
    DAMAGED = "damaged PNG"


class PngRefused(ValueError):
    """Carries the `fault`."""

    def __init__(self, fault: PngFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def is_png(content: bytes) -> bool:
    """Whether the bytes begin as a PNG; nothing else is shown as an image."""
    return content.startswith(_MAGIC)


def png_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels that a PNG's header states; None when it is no PNG."""
    if len(content) < 33 or not is_png(content) or content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", content[16:24])
    return (width, height) if width and height else None


def rewrite_png(content: bytes) -> bytes:
    """The same picture in a file written here. Raises PngRefused."""
    size = png_size(content)
    if size is None:
        raise PngRefused(PngFault.NOT_PNG)
    if size[0] * size[1] > _PIXELS:
        raise PngRefused(PngFault.TOO_BIG)
    depth, colour, packing, filtering, interlace = content[24:29]
    samples, depths = _COLOURS.get(colour, (0, ()))
    if depth not in depths or packing or filtering or interlace > 1:
        raise PngRefused(PngFault.DAMAGED)
    lines = list(_lines(*size, samples * depth, interlace))
    if sum(count * length for count, length in lines) > _RAW_BYTES:
        raise PngRefused(PngFault.TOO_BIG)
    kept, packed = _parts(content, colour)
    raw = _unpacked(packed, sum(count * length for count, length in lines))
    at = 0
    for count, length in lines:
        if count and max(raw[at : at + count * length : length]) > 4:
            raise PngRefused(PngFault.DAMAGED)
        at += count * length
    parts = [_MAGIC, _chunk(b"IHDR", content[16:29]), *(_chunk(*chunk) for chunk in kept)]
    return b"".join((*parts, _chunk(b"IDAT", zlib.compress(raw, 6)), _chunk(b"IEND", b"")))


def _lines(width: int, height: int, bits: int, interlace: int) -> Iterator[tuple[int, int]]:
    """Number and length in bytes (filter byte included) of the scan lines of each pass."""
    for left, top, right, down in _PASSES if interlace else ((0, 0, 1, 1),):
        columns = -(-max(0, width - left) // right)
        rows = -(-max(0, height - top) // down)
        if columns and rows:
            yield rows, 1 + -(-columns * bits // 8)


def _parts(content: bytes, colour: int) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """The chunks worth keeping, checked, and the packed image data."""
    kept: dict[bytes, bytes] = {}
    packed: list[bytes] = []
    for kind, data in _chunks(content):
        if kind == b"IDAT":
            packed.append(data)
        elif kind in kept or (packed and kind in (b"PLTE", b"tRNS")):
            raise PngRefused(PngFault.DAMAGED)
        elif kind == b"PLTE" and colour in (2, 3, 6):
            if not data or len(data) % 3 or len(data) > 768:
                raise PngRefused(PngFault.DAMAGED)
            kept[kind] = data
        elif kind == b"tRNS" and colour in (0, 2, 3):
            most = {0: 2, 2: 6, 3: len(kept.get(b"PLTE", b"")) // 3}[colour]
            if not data or len(data) > most or (colour != 3 and len(data) != most):
                raise PngRefused(PngFault.DAMAGED)
            kept[kind] = data
        elif kind == b"pHYs" and len(data) == 9 and not packed:
            kept[kind] = data
    if not packed or (colour == 3 and b"PLTE" not in kept):
        raise PngRefused(PngFault.DAMAGED)
    return list(kept.items()), packed


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 33
    while at + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        data = content[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", content[at + 8 + length : at + 12 + length].ljust(4, b"\0"))
        if len(data) != length or check != zlib.crc32(kind + data):
            break
        if kind == b"IEND":
            return
        if kind[0] < 97 and kind not in (b"IDAT", b"PLTE"):  # a capital: must be understood
            break
        yield kind, data
        at += 12 + length
    raise PngRefused(PngFault.DAMAGED)


def _unpacked(packed: list[bytes], size: int) -> bytes:
    raw = bytearray()
    opener = zlib.decompressobj()
    try:
        for data in packed:
            while data and not opener.eof and len(raw) <= size:
                raw += opener.decompress(data, min(_STEP, size + 1 - len(raw)))
                data = opener.unconsumed_tail
    except zlib.error:
        raise PngRefused(PngFault.DAMAGED) from None
    if len(raw) != size:
        raise PngRefused(PngFault.DAMAGED)
    return bytes(raw)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check
