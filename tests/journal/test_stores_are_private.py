"""What a person asked and remembers is for that user alone, in new files and in old ones."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from manyhands.cli.findings import Mark
from manyhands.cli.health_here import database
from manyhands.jobs.store import JobStore
from manyhands.journal.private import new_private_file
from manyhands.journal.store import Journal
from manyhands.learning.outcomes import Outcomes
from manyhands.memory.store import open_store
from manyhands.serve.times import LoadTimes

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")

Open = Callable[[Path], AbstractContextManager[object]]
STORES: dict[str, Open] = {
    "journal": lambda path: closing(Journal.open(path)),
    "jobs": lambda path: closing(JobStore.open(path)),
    "memory": lambda path: closing(open_store(path)),
    "learning": lambda path: Outcomes.open(path),
    "loads": lambda path: closing(LoadTimes.open(path)),
}
KINDS = pytest.mark.parametrize("kind", STORES)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def no_mask() -> Iterator[None]:
    """Nothing is kept from others but by the program itself."""
    before = os.umask(0)
    yield
    os.umask(before)


@KINDS
def test_a_new_store_and_its_folder_are_for_their_user_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "data" / "store.db"
    with STORES[kind](path):
        assert mode(path.parent) == 0o700
        assert {mode(one) for one in path.parent.iterdir()} == {0o600}


@KINDS
def test_an_old_store_is_tightened_when_it_is_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "store.db"
    first = STORES[kind](path)
    with first:
        for one in path.parent.glob("store.db*"):
            one.chmod(0o644)
        with STORES[kind](path):  # while another connection holds it open
            assert {mode(one) for one in path.parent.glob("store.db*")} == {0o600}


def test_a_folder_is_tightened_only_where_it_is_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for name in ("manyhands", "project"):
        (tmp_path / name).mkdir(mode=0o755)
        Journal.open(tmp_path / name / "journal.db").close()
    assert mode(tmp_path / "manyhands") == 0o700
    assert mode(tmp_path / "project") == 0o755


def test_doctor_says_who_may_read_a_store(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal.open(path).close()
    assert database("journal", path).mark is Mark.OK
    path.chmod(0o644)
    told = database("journal", path)
    assert told.mark is Mark.WARNING
    assert "may read it" in told.text
    assert told.next.startswith("chmod 600")
    assert mode(path) == 0o644  # the doctor changes nothing


def test_a_file_that_could_not_be_written_leaves_the_old_one_and_nothing_beside(
    tmp_path: Path,
) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(b"old")

    def fail() -> None:
        with new_private_file(path) as file:
            file.write(b"half")
            assert {mode(one) for one in tmp_path.iterdir() if one != path} == {0o600}
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"old"]
