"""What is forgotten is in no table, no index and no byte of the files."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from helpers_memory import HashEmbedder

from manyhands.errors import InputError
from manyhands.jobs.records import JobState
from manyhands.jobs.store import JOBS_FILE, JobStore
from manyhands.journal.events import (
    EffectFinished,
    Event,
    Recalled,
    RunFinished,
    RunOutcome,
    RunStarted,
)
from manyhands.journal.store import Journal
from manyhands.memory import Memory
from manyhands.memory.erase import is_forgotten, traces_of

pytestmark = pytest.mark.anyio

SECRET = "Xylophanes quizzically murmured kobaltblau7731"
NEEDLES = [
    "Xylophanes", "xylophan", "quizzically", "quizzic", "kobaltblau7731", "kobaltblau", "geheimort",
    "Wolfram-Etikett", "wolfram", "secret-id-4711", "Zaphodine", "zaphodin",
]  # fmt: skip


def _finish(journal: Journal, run_id: str) -> None:
    ended = RunFinished(outcome=RunOutcome.ANSWERED, seconds=1)
    journal.append(Event(run_id=run_id, seq=9, at=2.0, body=ended))


async def _with_the_secret(memory: Memory) -> None:
    words = [f"common{n}" for n in range(400)]
    rng = random.Random(7)
    crowd = [
        {"id": f"c{n}", "kind": "document", "text": " ".join(rng.choices(words, k=30))}
        for n in range(300)
    ]
    await memory.add(crowd[:150])
    await memory.add(
        {
            "id": "secret-id-4711",
            "kind": "episode",
            "text": SECRET,
            "source": "geheimort.ipynb#cell-3",
            "context": "Wolfram-Etikett",
            "speaker": "Zaphodine",
            "tags": ["wolfram"],
            "meta": {"output": "kobaltblau"},
        }
    )
    await memory.add(crowd[150:])


@pytest.mark.parametrize("embedder", [None, HashEmbedder()], ids=["words", "vectors"])
async def test_no_byte_of_it_is_left(file: Path, embedder: HashEmbedder) -> None:
    async with await Memory.open(file, embedder=embedder) as memory:
        await _with_the_secret(memory)
        assert (await memory.recall("Xylophanes"))[0].id == "secret-id-4711"
        assert {needle for _, needle in traces_of(file, NEEDLES)} == set(NEEDLES)
        forgotten = await memory.forget("secret-id-4711")
        assert forgotten.items == 1
        assert forgotten.clean
        assert traces_of(file, NEEDLES) == []
        hits = await memory.recall("Xylophanes quizzically", k=400)
        assert "secret-id-4711" not in {hit.id for hit in hits}
        assert is_forgotten(memory.store, "secret-id-4711")
        assert not is_forgotten(memory.store, "c1")
    assert traces_of(file, NEEDLES) == []


async def test_its_vector_is_gone_from_the_bytes(file: Path) -> None:
    embedder = HashEmbedder()
    async with await Memory.open(file, embedder=embedder) as memory:
        await _with_the_secret(memory)
        db = memory.store.reader
        vectors = [
            data
            for (data,) in db.execute(
                "SELECT x.data FROM item i JOIN view v ON v.item = i.pk "
                "JOIN vector x ON x.key & 0xffffffffff = v.id WHERE i.id = 'secret-id-4711'"
            )
        ]
        assert vectors
        assert all(_anywhere(file, vector) for vector in vectors)
        await memory.forget("secret-id-4711")
        assert not any(_anywhere(file, vector) for vector in vectors)


async def test_turns_that_were_embedded_with_it_are_embedded_without_it(file: Path) -> None:
    first, second = HashEmbedder("one"), HashEmbedder("two")
    async with await Memory.open(file, embedder=first) as memory:
        await memory.add(
            [
                {"id": f"t{n}", "kind": "turn", "speaker": "Ada", "source": "s", "text": text}
                for n, text in enumerate([SECRET, "The tide is high.", "The pier is wet."])
            ]
        )
        together = next(text for text in first.texts if "\n" in text and SECRET in text)
        (vector,) = np.asarray(await first.embed([together]))
        blob = (vector / np.linalg.norm(vector)).astype(np.float16).tobytes()
        assert _anywhere(file, blob)
        await memory.forget("t0")
        assert not _anywhere(file, blob)
        assert first.texts[-1] == "Ada: The tide is high.\nAda: The pier is wet."
    async with await Memory.open(file, embedder=second) as memory:
        await memory.settled()
        assert (await memory.recall("tide"))[0].id == "t1"
        assert "of two" in (await memory.stats())["searched by"]


async def test_what_was_changed_leaves_no_byte_of_the_old_text_once_the_log_is_folded(
    file: Path,
) -> None:
    async with await Memory.open(file) as memory:
        await _with_the_secret(memory)
        await memory.edit("secret-id-4711", text="Nothing to see.")
        await memory.forget("c0")  # folds the log
        assert traces_of(file, ["Xylophanes", "quizzic"]) == []


async def test_a_reader_in_the_way_is_told_and_forgetting_again_finishes(file: Path) -> None:
    async with await Memory.open(file) as memory, await Memory.open(file) as other:
        await _with_the_secret(memory)
        other.store.reader.execute("BEGIN")
        other.store.reader.execute("SELECT count(*) FROM item")
        memory.store.writer.connection.set_busy_timeout(10)
        assert not (await memory.forget("secret-id-4711")).clean
        other.store.reader.execute("COMMIT")
        assert (await memory.forget("secret-id-4711")).clean
        assert traces_of(file, NEEDLES) == []


async def test_runs_that_recalled_it_lose_their_texts(file: Path) -> None:
    journal_file = file.with_name("journal.db")
    with Journal.open(journal_file) as journal:
        for number, sources in enumerate([("secret-id-4711", "c1"), ("c2",)]):
            run_id = f"run{number}"
            said = SECRET if number == 0 else "the harmless question"
            conversation = f"conv{number}"
            started = RunStarted(question=said, door="test", conversation_id=conversation)
            journal.begin_run(run_id, conversation, started)
            recalled = Recalled(sources=sources, tokens=9)
            journal.append(Event(run_id=run_id, seq=2, at=1.0, body=recalled))
            journal.keep(run_id, "note", "text/plain", f"{said} once more".encode())
            _finish(journal, run_id)
    async with await Memory.open(file) as memory:
        await _with_the_secret(memory)
        forgotten = await memory.forget("secret-id-4711", journal=journal_file)
    assert forgotten.runs == ("run0",)
    assert traces_of(journal_file, NEEDLES) == []
    with Journal.open(journal_file) as journal:
        assert journal.run("run0").question == "(erased)"
        assert journal.run("run1").question == "the harmless question"
        assert len(journal.artifacts_of("run1")) == 1


async def test_a_run_that_goes_on_and_recalled_it_is_stopped_first(file: Path) -> None:
    journal_file = file.with_name("journal.db")
    with Journal.open(journal_file) as journal:
        journal.begin_run("run0", "c", RunStarted(question="q", door="test", conversation_id="c"))
        recalled = Recalled(sources=("secret-id-4711",), tokens=9)
        journal.append(Event(run_id="run0", seq=2, at=1.0, body=recalled))
    async with await Memory.open(file) as memory:
        await _with_the_secret(memory)
        with pytest.raises(InputError, match="'run0' has recalled"):
            await memory.forget("secret-id-4711", journal=journal_file)
        assert (await memory.recall("Xylophanes"))[0].id == "secret-id-4711"
    with Journal.open(journal_file) as journal:
        assert journal.run("run0").question == "q"
        _finish(journal, "run0")
    async with await Memory.open(file) as memory:
        assert (await memory.forget("secret-id-4711", journal=journal_file)).runs == ("run0",)


async def test_jobs_that_told_or_wrote_it_are_gone_and_others_stay(file: Path) -> None:
    journal_file = file.with_name("journal.db")
    with Journal.open(journal_file) as journal:
        for run_id in ("run-that-wrote", "run-that-recalled"):
            started = RunStarted(question=SECRET, door="mcp", conversation_id=run_id)
            journal.begin_run(run_id, run_id, started)
        wrote = EffectFinished(
            tool="remember", digest="d", state="done", detail=SECRET, result="secret-id-4711"
        )
        journal.append(Event(run_id="run-that-wrote", seq=2, at=1.0, body=wrote))
        recalled = Recalled(sources=("secret-id-4711",), tokens=9)
        journal.append(Event(run_id="run-that-recalled", seq=2, at=1.0, body=recalled))
        for run_id in ("run-that-wrote", "run-that-recalled"):
            _finish(journal, run_id)
    jobs = JobStore.open(file.with_name(JOBS_FILE))  # as a server that goes on has it open
    told = {"summary": "1 memory", "value": f"[memory:secret-id-4711 · fact]\n{SECRET}"}
    asked = jobs.add("local", "ask_mind", {"question": f"{SECRET}?"})
    jobs.began(asked.id, "run-that-recalled")
    jobs.finish(asked.id, JobState.DONE, result={"value": SECRET})
    recall = jobs.add("local", "recall", {"query": "x"})
    jobs.finish(recall.id, JobState.DONE, result=told)
    other = jobs.add("local", "recall", {"query": "y"})
    jobs.finish(other.id, JobState.DONE, result={"value": "[memory:c1 · fact]"})
    async with await Memory.open(file) as memory:
        await _with_the_secret(memory)
        forgotten = await memory.forget("secret-id-4711", journal=journal_file)
    assert set(forgotten.runs) == {"run-that-wrote", "run-that-recalled"}
    assert [job.id for job in jobs.recent("local")] == [other.id]
    for path in (journal_file, file.with_name(JOBS_FILE)):
        assert traces_of(path, NEEDLES) == []
    jobs.close()


def _anywhere(file: Path, content: bytes) -> bool:
    # Any sixteen bytes of the middle would do; a page may be split.
    part = content[32:64]
    return any(part in other.read_bytes() for other in file.parent.glob(file.name + "*"))
