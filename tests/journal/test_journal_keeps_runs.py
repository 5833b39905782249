"""The journal keeps runs, conversations and artifacts, also when its process dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from manyhands.errors import InputError, NewerFormat, StorageError
from manyhands.journal.events import (
    AnswerDelta,
    Answered,
    Event,
    Rated,
    RunFinished,
    RunOutcome,
    RunStarted,
    StepDone,
)
from manyhands.journal.records import RunState
from manyhands.journal.store import Journal, new_id
from manyhands.mind.recorder import Recorder


def begin(journal: Journal, question: str = "why?", conversation: str = "conv_1") -> str:
    run_id = new_id("run")
    started = RunStarted(question=question, conversation_id=conversation, door="test")
    journal.begin_run(run_id, conversation, started)
    return run_id


def end(journal: Journal, run_id: str, text: str = "so") -> None:
    journal.append(Event(run_id=run_id, seq=2, at=1.0, body=Answered(text=text, status="verified")))
    done = RunFinished(outcome=RunOutcome.ANSWERED, seconds=1.0)
    journal.append(Event(run_id=run_id, seq=3, at=2.0, body=done))


def test_a_run_is_written_and_read_back(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        run_id = begin(journal)
        end(journal, run_id)
    with Journal.open(tmp_path / "j.db", read_only=True) as journal:
        record = journal.run(run_id)
        assert (record.state, record.status, record.answer) == (RunState.ANSWERED, "verified", "so")
        assert [event.body.kind for event in journal.events(run_id)] == [
            "run_started",
            "answered",
            "run_finished",
        ]


@pytest.mark.anyio
async def test_a_rating_beside_a_run_that_goes_on_takes_no_events_place(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal, Journal.open(tmp_path / "j.db") as door:
        run_id = begin(journal)
        writer = Recorder(journal, run_id, 1, lambda _: None)
        await writer.emit(Answered(text="so", status="verified"))
        rated = Rated(good=True, reason="", door="test")
        await Recorder(door, run_id, 1, lambda _: None).emit(rated)
        await writer.emit(RunFinished(outcome=RunOutcome.ANSWERED, seconds=1.0))
        written = [(event.seq, event.body.kind) for event in journal.events(run_id)]
    assert written == [(1, "run_started"), (2, "answered"), (3, "rated"), (4, "run_finished")]


def test_an_id_may_be_shortened_while_it_is_unique(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        run_id = begin(journal)
        assert journal.run(run_id[:-3]).id == run_id
        with pytest.raises(InputError, match="No run"):
            journal.run("nothing")
        begin(journal)
        with pytest.raises(InputError, match="2 runs"):
            journal.run("run_")


def test_a_run_whose_process_was_killed_reads_as_cut(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from manyhands.journal.store import Journal\n"
        "from manyhands.journal.events import RunStarted\n"
        "journal = Journal.open(Path(sys.argv[1]))\n"
        "journal.begin_run('run_x', 'c', RunStarted(question='q', conversation_id='c', door='t'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    with Journal.open(path) as journal:
        assert journal.run("run_x").state is RunState.CUT
        journal.take_over("run_x")
        assert journal.run("run_x").state is RunState.RUNNING


def test_a_fork_shares_the_past_and_parts_from_there(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        for question in ("one", "two"):
            end(journal, begin(journal, question))
        forked = journal.fork("conv_1", upto=1)
        end(journal, begin(journal, "other", forked))
        asked = [run.question for run in journal.conversation(forked).runs]
        assert asked == ["one", "other"]
        assert [run.question for run in journal.conversation("conv_1").runs] == ["one", "two"]
        assert journal.conversations()[0].id == forked
        assert journal.conversation(forked).forked_from == "conv_1"


def test_the_same_content_is_stored_once(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        one, two = begin(journal), begin(journal)
        first = journal.keep(one, "a.py", "text/x-python", b"pass")
        assert journal.keep(two, "b.py", "text/x-python", b"pass") == first
        assert journal.artifact(first)[2] == b"pass"
        assert journal.artifacts_of(two) == [("a.py", b"pass")]
        journal.erase_run(one)
        assert journal.artifact(first)[2] == b"pass"
        journal.erase_run(two)
        with pytest.raises(InputError):
            journal.artifact(first)
        assert journal.run(one).question == "(erased)"


def test_progress_is_not_durable() -> None:
    assert not Event(run_id="r", seq=1, at=0.0, body=AnswerDelta(text="x")).durable
    done = StepDone(step="a", hand="code", status="verified", summary="", result={})
    assert Event(run_id="r", seq=1, at=0.0, body=done).durable


def test_a_file_from_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal.open(path) as journal:
        journal._db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(NewerFormat, match="format 99"):
        Journal.open(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"this is a letter to my mother, not a database" * 100)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="no database"):
        Journal.open(path)
    assert path.read_bytes() == before
