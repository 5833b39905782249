"""Commands that tests start never meet the service that owns the models of the user's machine."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_every_environment_made_by_hand_names_its_own_serve_folder() -> None:
    shared = [
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        if '"HOME": ' in (text := path.read_text(encoding="utf-8"))
        and '"MANYHANDS_CONFIG": ' in text
        and '"MANYHANDS_SERVE__FOLDER": ' not in text
    ]
    assert shared == []
