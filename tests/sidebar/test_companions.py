"""What else of Jupyter AI is installed is found out when it is needed, whatever its version.

That all of it is used where it is there, is tested beside Jupyter AI itself (tests/browser).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from manyhands_jupyter.persona.companions import cards, notebook_commands

Install = Callable[..., None]
NEW = "target_client_id = None\nasync def execute_command(name, arguments): ...\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package with one module on the path, for one test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)

    def put(package: str, module: str = "empty", text: str = "") -> None:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / f"{module}.py").write_text(text)
        importlib.invalidate_caches()

    yield put
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in ("jupyterlab_commands_toolkit", "jupyterlab_ai_commands"):
            del sys.modules[name]


def test_without_them_nothing_is_offered() -> None:
    assert cards() is None
    assert notebook_commands() is None


def test_cards_are_written_where_something_draws_them(install: Install) -> None:
    install("jupyter_ai_acp_client")
    assert cards() is not None


def test_the_commands_need_both_packages_and_a_way_to_name_the_tab(install: Install) -> None:
    install("jupyterlab_commands_toolkit", "tools", NEW)
    assert notebook_commands() is None
    install("jupyterlab_ai_commands")
    assert notebook_commands().execute_command


@pytest.mark.parametrize("text", ["async def execute_command(name): ...", "import gone_for_good"])
def test_an_older_or_broken_toolkit_is_as_if_there_were_none(install: Install, text: str) -> None:
    install("jupyterlab_commands_toolkit", "tools", text)
    install("jupyterlab_ai_commands")
    assert notebook_commands() is None
