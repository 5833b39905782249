"""Chart specifications of a hand checked before anything shows them: pure, no rendering here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from manyhands.clean import clean, has_html

__all__ = ["SpecFault", "check_plotly", "check_vega_lite", "without_markup"]

_SPEC_BYTES = 4 * 1024 * 1024
_DEPTH = 60
_LINK = re.compile(r"(?:javascript|data|vbscript|file|https?|ftp)\s*:", re.IGNORECASE)
# What Plotly itself draws as formatting: bold, italics, breaks, sub- and superscript, and a second
# box of what a pointer shows.
_HARMLESS = re.compile(r"</?(?:b|i|br|sub|sup|em|strong|extra)\s*/?>", re.IGNORECASE)


class SpecFault(StrEnum):
    """Why a specification is refused."""

    TOO_BIG = "too_big"
    NOT_AN_OBJECT = "not_an_object"
    NO_SCHEMA = "no_schema"
    REMOTE_DATA = "remote_data"
    IMAGE = "image"
    LINK = "link"
    USERMETA = "usermeta"
    MARKUP = "markup"
    EXPRESSION = "expression"


def check_vega_lite(spec: object) -> list[tuple[SpecFault, str]]:
    """Faults of a Vega-Lite specification with the path of each; empty when it may be rendered.

    Refused: any `url` (a renderer would fetch it), image marks, `href`, `usermeta`, markup in
    text, and expressions that are not plain arithmetic on fields.
    """
    faults = _shape(spec)
    if faults:
        return faults
    assert isinstance(spec, dict)
    if "vega-lite" not in str(spec.get("$schema", "")):
        faults.append((SpecFault.NO_SCHEMA, "$schema"))
    for path, key, value in _walk(spec):
        if key == "url":
            faults.append((SpecFault.REMOTE_DATA, path))
        elif key == "href":
            faults.append((SpecFault.LINK, path))
        elif key == "usermeta":
            faults.append((SpecFault.USERMETA, path))
        elif (key in ("mark", "type") and value == "image") or (key == "shape" and _linked(value)):
            faults.append((SpecFault.IMAGE, path))
        elif key in ("expr", "loader") and isinstance(value, str) and _linked(value):
            faults.append((SpecFault.EXPRESSION, path))
        elif isinstance(value, str) and key != "$schema" and _marked(value, data="values" in path):
            faults.append((SpecFault.MARKUP, path))
    return faults


def check_plotly(figure: object) -> list[tuple[SpecFault, str]]:
    """Faults of a Plotly figure; empty when it may be shown.

    Refused: images, links, remote maps and templates, markup other than Plotly's own formatting.
    """
    faults = _shape(figure)
    if faults:
        return faults
    assert isinstance(figure, dict)
    for path, key, value in _walk(figure):
        if key in ("images", "source") and value:
            faults.append((SpecFault.IMAGE, path))
        elif key in ("plotlyServerURL", "topojsonURL", "geojson", "style") and _linked(value):
            faults.append((SpecFault.REMOTE_DATA, path))
        elif key == "type" and value == "image":
            faults.append((SpecFault.IMAGE, path))
        elif isinstance(value, str) and "href" in value.lower() and "<" in value:
            faults.append((SpecFault.LINK, path))
        elif isinstance(value, str) and has_html(_HARMLESS.sub("", value)):
            faults.append((SpecFault.MARKUP, path))
    return faults


def without_markup(spec: Any) -> Any:
    """A copy whose every text is cleaned and has its angle brackets as full-width characters."""
    if isinstance(spec, dict):
        return {clean(str(key)): without_markup(value) for key, value in spec.items()}
    if isinstance(spec, list):
        return [without_markup(value) for value in spec]
    if isinstance(spec, str):
        text = clean(spec)
        return text.replace("<", "\uff1c").replace(">", "\uff1e") if has_html(text) else text
    return spec


def _shape(spec: object) -> list[tuple[SpecFault, str]]:
    if not isinstance(spec, dict):
        return [(SpecFault.NOT_AN_OBJECT, "")]
    try:
        too_big = len(json.dumps(spec)) > _SPEC_BYTES
    except (TypeError, ValueError, RecursionError):
        return [(SpecFault.NOT_AN_OBJECT, "")]
    return [(SpecFault.TOO_BIG, "")] if too_big else []


def _walk(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str, Any]]:
    if depth > _DEPTH:
        yield path, "url", "too deep to be looked through"
        return
    items: Iterator[tuple[str, Any]] = iter(())
    if isinstance(value, dict):
        items = iter((str(key), below) for key, below in value.items())
    elif isinstance(value, list):
        last = path.rpartition(".")[2]
        items = iter((last, below) for below in value)
    for key, below in items:
        here = f"{path}.{key}" if path else key
        yield here, key, below
        yield from _walk(below, here, depth + 1)


def _linked(value: object) -> bool:
    return isinstance(value, str) and bool(_LINK.search(value))


def _marked(text: str, *, data: bool) -> bool:
    return has_html(text) or (not data and bool(re.match(r"\s*javascript\s*:", text, re.I)))
