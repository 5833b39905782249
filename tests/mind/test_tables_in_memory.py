"""A table that lies in no file is kept with its run, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas
import pytest

from manyhands.checks.sandbox.scratch import sweep
from manyhands.cli.demo_models import DATA, QUESTION
from manyhands.data_files import data_path
from manyhands.errors import InputError
from manyhands.journal.events import RunStarted
from manyhands.memory.erase import erase_runs
from manyhands.mind import beginning
from manyhands.mind.answer import Answer
from manyhands.mind.beginning import data_of
from manyhands.mind.mind import Mind
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import Settings

ROLES = load_roles()
DIRECT = '{"goal": "g", "route": "direct", "answer": "Yes."}'
CO2 = pandas.read_csv(data_path("examples") / f"{DATA}.csv")
LAST_ROW = CO2.tail(1).to_csv(index=False, header=False).strip().encode()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def tables(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.csv"))


def modes_where_it_lies(folder: Path) -> set[int]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.stat().st_mode & 0o777 for path in files if LAST_ROW in path.read_bytes()}


async def stopped_at_once(mind: Mind) -> RunStarted:
    stream = mind.stream(QUESTION, data={DATA: CO2})
    first = await anext(stream)
    await stream.aclose()
    assert not isinstance(first, Answer)
    assert isinstance(first.body, RunStarted)
    return first.body


@pytest.mark.anyio
async def test_a_frame_lies_in_the_journal_for_its_user_alone_until_its_run_is_forgotten(
    tmp_path: Path, temporary: Path, settings_in: Callable[[Path], Settings]
) -> None:
    settings = settings_in(tmp_path)
    with scripted_tiers(settings, lambda _: DIRECT) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, door="test", simulated=True)
        await stopped_at_once(mind)
        assert tables(temporary) == []
        with mind.journal() as journal:
            (run,) = journal.runs()
        (*_, answer) = [item async for item in mind.resume(run.id)]
    assert isinstance(answer, Answer)
    assert tables(temporary) == []
    assert modes_where_it_lies(tmp_path) == {0o600}
    erase_runs(settings.journal.path, [run.id])
    assert modes_where_it_lies(tmp_path) == set()


@pytest.mark.anyio
async def test_a_large_table_is_kept_until_its_run_is_answered(
    tmp_path: Path, settings_in: Callable[[Path], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    monkeypatch.setattr(beginning, "KEPT_BYTES", 100)
    with scripted_tiers(settings, lambda _: DIRECT) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, door="test", simulated=True)
        started = await stopped_at_once(mind)
        with mind.journal() as journal:
            (run,) = journal.runs()
            assert list(data_of(journal, started)) == [DATA]
        async for _ in mind.resume(run.id):
            pass
        with (
            mind.journal() as journal,
            pytest.raises(InputError, match=f"{DATA!r} .* kept no more"),
        ):
            data_of(journal, started)


def test_a_table_of_a_process_that_was_killed_is_swept(temporary: Path) -> None:
    dies = (
        "import os; from manyhands.mind.data import open_data\n"
        "made = open_data({'df': [{'a': 1}]})\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", dies], env={"TMPDIR": str(temporary)}, check=True)
    assert tables(temporary) == ["df.csv"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in temporary.iterdir())
    sweep()
    assert list(temporary.iterdir()) == []
