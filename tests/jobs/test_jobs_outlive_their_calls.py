"""Jobs by themselves: one piece of work per call, bound to who asked, honest after a crash."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from helpers_locks import another_writer

from manyhands.errors import InputError
from manyhands.jobs.records import JobRecord, JobState, QuestionKind
from manyhands.jobs.runner import Jobs, LiveJob
from manyhands.jobs.store import KEPT_S, JobStore


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[JobStore]:
    opened = JobStore.open(tmp_path / "jobs.db", clock)
    yield opened
    opened.close()


async def quick(live: LiveJob) -> dict[str, Any]:
    live.tell("works")
    return {"answer": 42}


async def endless(live: LiveJob) -> dict[str, Any]:
    live.tell("hangs")
    await anyio.sleep_forever()
    return {}


@pytest.mark.anyio
async def test_a_result_is_kept_for_who_asked_and_for_nobody_else(store: JobStore) -> None:
    async with Jobs(store) as jobs:
        record = await jobs.start("ann", "code", {"task": "x"}, quick)
        done = await jobs.wait(record.id, "ann", 30)
        assert (done.state, done.result) == (JobState.DONE, {"answer": 42})
        for stranger in ("bob", "", "ann "):
            with pytest.raises(InputError, match="There is no job"):
                jobs.get(record.id, stranger)
            with pytest.raises(InputError):
                jobs.cancel(record.id, stranger)


@pytest.mark.anyio
async def test_the_same_call_is_the_same_job_until_its_result_is_delivered(
    store: JobStore,
) -> None:
    async with Jobs(store) as jobs:
        first = await jobs.start("ann", "code", {"a": 1, "b": 2}, quick)
        assert (await jobs.start("ann", "code", {"b": 2, "a": 1}, quick)).id == first.id
        assert (await jobs.start("bob", "code", {"a": 1, "b": 2}, quick)).id != first.id
        assert (await jobs.start("ann", "math", {"a": 1, "b": 2}, quick)).id != first.id
        await jobs.wait(first.id, "ann", 30)
        assert (await jobs.start("ann", "code", {"a": 1, "b": 2}, quick)).id == first.id
        store.deliver(first.id)
        assert (await jobs.start("ann", "code", {"a": 1, "b": 2}, quick)).id != first.id


@pytest.mark.anyio
async def test_waiting_ends_in_time_and_tells_what_goes_on(store: JobStore) -> None:
    told: list[str] = []

    async def tick(record: Any, elapsed_s: float) -> None:
        told.append(record.phase)

    async with Jobs(store) as jobs:
        record = await jobs.start("ann", "code", {}, endless)
        still = await jobs.wait(record.id, "ann", 0.2, every_s=0.02, tick=tick)
        assert still.state is JobState.RUNNING
        assert "hangs" in told
        ended = await jobs.stop(record.id, "ann", 30)
        assert ended.state is JobState.CANCELLED
        assert (await jobs.stop(record.id, "ann", 30)).state is JobState.CANCELLED


@pytest.mark.anyio
async def test_a_question_takes_one_answer(store: JobStore) -> None:
    async def asking(live: LiveJob) -> dict[str, Any]:
        return {"said": await live.ask(QuestionKind.QUESTION, "Which file?")}

    async with Jobs(store) as jobs:
        record = await jobs.start("ann", "ask_mind", {}, asking)
        waiting = await jobs.wait(record.id, "ann", 30)
        assert waiting.state is JobState.NEEDS_INPUT
        assert waiting.question is not None
        assert not jobs.answer(record.id, "ann", "another", "no")
        assert jobs.answer(record.id, "ann", waiting.question.id, "this one")
        assert not jobs.answer(record.id, "ann", waiting.question.id, "that one")
        assert (await jobs.wait(record.id, "ann", 30)).result == {"said": "this one"}


@pytest.mark.anyio
async def test_a_fault_of_the_work_fails_its_job_and_no_other(store: JobStore) -> None:
    async def broken(live: LiveJob) -> dict[str, Any]:
        raise InputError("The table is empty.", hint="Give another.")

    async with Jobs(store) as jobs:
        good = await jobs.start("ann", "code", {}, endless)
        bad = await jobs.wait((await jobs.start("ann", "math", {}, broken)).id, "ann", 30)
        assert (bad.state, bad.error) == (JobState.FAILED, "The table is empty. Give another.")
        assert jobs.get(good.id, "ann").state is JobState.RUNNING


@pytest.mark.anyio
async def test_closing_records_what_was_cut(tmp_path: Path, store: JobStore) -> None:
    async with Jobs(store) as jobs:
        record = await jobs.start("ann", "code", {}, endless)
        await jobs.wait(record.id, "ann", 0.05)
    again = JobStore.open(tmp_path / "jobs.db", store.clock)
    found = again.get(record.id, "ann")
    again.close()
    assert found is not None
    assert found.state is JobState.CUT


@pytest.mark.anyio
async def test_ids_are_random_and_expire(store: JobStore, clock: Clock) -> None:
    async with Jobs(store) as jobs:
        ids = {(await jobs.start("ann", "code", {"n": n}, quick)).id for n in range(50)}
        assert len(ids) == 50
        assert all(len(one) == len("job_") + 32 for one in ids)
        for one in ids:
            await jobs.wait(one, "ann", 30)
        clock.now += KEPT_S + 1
        with pytest.raises(InputError, match="good for a day"):
            jobs.get(ids.pop(), "ann")
    store.sweep()
    assert store.recent("ann") == []


@pytest.mark.anyio
async def test_more_open_jobs_than_the_bound_are_refused(store: JobStore) -> None:
    async with Jobs(store, most_open=3) as jobs:
        for number in range(3):
            await jobs.start("ann", "code", {"n": number}, endless)
        with pytest.raises(InputError, match="3 jobs are open"):
            await jobs.start("ann", "code", {"n": 3}, endless)
        assert (await jobs.start("bob", "code", {"n": 3}, endless)).principal == "bob"


_CHILD = """
import sys, anyio
from pathlib import Path
from manyhands.jobs.runner import Jobs
from manyhands.jobs.store import JobStore

async def main():
    async def quick(live):
        return {"answer": 42}
    async def endless(live):
        await anyio.sleep_forever()
    async with Jobs(JobStore.open(Path(sys.argv[1]))) as jobs:
        done = await jobs.start("ann", "code", {"n": 1}, quick)
        await jobs.wait(done.id, "ann", 30)
        hangs = await jobs.start("ann", "code", {"n": 2}, endless)
        print(done.id, hangs.id, flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


def test_after_kill_9_results_are_there_and_the_rest_says_that_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        done, hangs = child.stdout.readline().split()
        store = JobStore.open(path)
        before = store.get(hangs, "ann")
        child.send_signal(signal.SIGKILL)
        child.wait()
    finished, cut = store.get(done, "ann"), store.get(hangs, "ann")
    again = store.like("ann", "code", {"n": 2})
    store.close()
    assert before is not None
    assert before.state is JobState.RUNNING
    assert finished is not None
    assert (finished.state, finished.result) == (JobState.DONE, {"answer": 42})
    assert cut is not None
    assert cut.state is JobState.CUT
    assert again is not None
    assert again.state is JobState.CUT  # so that a new call begins anew


@pytest.mark.anyio
async def test_two_questions_at_the_same_time_each_get_their_answer(store: JobStore) -> None:
    async def twice(live: LiveJob) -> dict[str, Any]:
        said: dict[str, str] = {}

        async def ask(text: str) -> None:
            said[text] = await live.ask(QuestionKind.QUESTION, text)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, "first")
            tasks.start_soon(ask, "second")
        return dict(said)

    async with Jobs(store) as jobs:
        record = await jobs.start("ann", "ask_mind", {}, twice)
        with anyio.fail_after(20):
            while len(jobs.get(record.id, "ann").questions) < 2:
                await anyio.lowlevel.checkpoint()
            open_now = {one.text: one.id for one in jobs.get(record.id, "ann").questions}
            assert jobs.answer(record.id, "ann", open_now["second"], "B")
            assert not jobs.answer(record.id, "ann", open_now["second"], "C")  # good once
            assert jobs.get(record.id, "ann").state is JobState.NEEDS_INPUT
            assert jobs.answer(record.id, "ann", open_now["first"], "A")
            done = await jobs.wait(record.id, "ann", 30)
        assert done.result == {"first": "A", "second": "B"}


@pytest.mark.anyio
async def test_a_fault_that_nobody_foresaw_is_told_apart_from_a_failed_job(store: JobStore) -> None:
    async def fails(live: LiveJob) -> dict[str, Any]:
        raise InputError("no such column")

    async def breaks(live: LiveJob) -> dict[str, Any]:
        raise KeyError("x")

    async with Jobs(store) as jobs:
        states = [
            (await jobs.wait((await jobs.start("ann", kind, {}, work)).id, "ann", 30)).state
            for kind, work in (("a", fails), ("b", breaks))
        ]
    assert states == [JobState.FAILED, JobState.BROKEN]


def bytes_of(folder: Path) -> bytes:
    """All that the file of jobs and its log hold."""
    return b"".join(path.read_bytes() for path in folder.glob("jobs.db*"))


KEY = "sk-ant-api03-ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


@pytest.mark.anyio
async def test_no_secret_and_no_long_text_of_a_call_is_kept(
    store: JobStore, tmp_path: Path
) -> None:
    async def leaks(live: LiveJob) -> dict[str, Any]:
        return {"value": f"your key {KEY}"}

    async def fails(live: LiveJob) -> dict[str, Any]:
        raise InputError(f"refused: {KEY}")

    table = "x\n" + "secretcell\n" * 5_000
    async with Jobs(store) as jobs:
        asked = {"question": f"use {KEY}", "data": [table]}
        first = await jobs.start("ann", "ask_mind", asked, leaks)
        await jobs.wait(first.id, "ann", 30)
        assert (await jobs.start("ann", "ask_mind", asked, leaks)).id == first.id
        other = {**asked, "data": [table + "y"]}
        assert (await jobs.start("ann", "ask_mind", other, leaks)).id != first.id
        await jobs.wait((await jobs.start("ann", "code", {}, fails)).id, "ann", 30)
    told = [one for one in store.recent("ann") if one.id == first.id]
    assert told[0].arguments["data"] == [f"[{len(table):,} characters, not kept]"]
    kept = bytes_of(tmp_path)
    assert KEY[:20].encode() not in kept
    assert b"secretcell" not in kept


@pytest.mark.anyio
async def test_a_process_that_lives_for_weeks_forgets_old_results(
    store: JobStore, clock: Clock, tmp_path: Path
) -> None:
    async with Jobs(store, sweep_s=0.01) as jobs:
        old = await jobs.start("ann", "code", {"task": "velvetword"}, quick)
        await jobs.wait(old.id, "ann", 30)
        clock.now += KEPT_S + 1
        with anyio.fail_after(20):
            while store.recent("ann"):  # noqa: ASYNC110
                await anyio.sleep(0.01)
    store.close()
    assert b"velvetword" not in bytes_of(tmp_path)


@pytest.mark.anyio
async def test_a_listener_that_fails_ends_no_job(
    store: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    heard = []

    async def fails(record: JobRecord) -> None:
        raise RuntimeError("the client's fault")

    async def hears(record: JobRecord) -> None:
        heard.append(record.id)

    async with Jobs(store) as jobs:
        jobs.listeners.extend((fails, hears))
        first = await jobs.start("ann", "code", {"n": 1}, quick)
        await jobs.wait(first.id, "ann", 30)
        second = await jobs.start("ann", "code", {"n": 2}, quick)
        assert (await jobs.wait(second.id, "ann", 30)).state is JobState.DONE
    assert heard == [first.id, second.id]
    assert "the client's fault" in caplog.text


@pytest.mark.anyio
async def test_who_listens_hears_of_a_job_that_another_process_works_on(
    store: JobStore, tmp_path: Path, clock: Clock
) -> None:
    other = JobStore.open(tmp_path / "jobs.db", clock)
    heard = anyio.Event()

    async def hears(record: JobRecord) -> None:
        assert record.state is JobState.DONE
        heard.set()

    async with Jobs(store) as works, Jobs(other) as listens:
        listens.listeners.append(hears)
        let = anyio.Event()

        async def waits(live: LiveJob) -> dict[str, Any]:
            await let.wait()
            return {}

        job = await works.start("ann", "code", {}, waits)
        with pytest.raises(InputError):
            listens.watch(job.id, "bob")
        listens.watch(job.id, "ann")
        let.set()
        with anyio.fail_after(20):
            await heard.wait()
    other.close()


@pytest.mark.anyio
async def test_a_file_that_another_process_writes_to_blocks_no_loop_and_loses_no_end(
    tmp_path: Path, store: JobStore
) -> None:
    let = anyio.Event()

    async def waits(live: LiveJob) -> dict[str, Any]:
        live.began("run_1")
        await let.wait()
        return {"answer": 42}

    records: list[JobRecord] = []
    with another_writer(tmp_path / "jobs.db") as writer, anyio.fail_after(60):
        async with Jobs(store) as jobs, anyio.create_task_group() as tasks:

            async def start() -> None:
                records.append(await jobs.start("ann", "code", {}, waits))

            writer.take()
            tasks.start_soon(start)
            await _turns()
            assert records == [], "no job is told of that is not in the file"
            writer.let_go()
            while not records:  # noqa: ASYNC110  nobody tells when a file is free
                await anyio.sleep(0.001)
            await _turns()  # so that it has begun
            writer.take()
            await _turns()
            let.set()
            await _turns()
            assert jobs.get(records[0].id, "ann").state is JobState.RUNNING
            writer.let_go()
            done = await jobs.wait(records[0].id, "ann", 50)
            assert (done.state, done.result) == (JobState.DONE, {"answer": 42})
    (kept,) = store.recent("ann")
    assert (kept.state, kept.run_id, kept.result) == (JobState.DONE, "run_1", {"answer": 42})


async def _turns() -> None:
    for _ in range(50):
        await anyio.sleep(0.001)


@pytest.mark.anyio
async def test_each_run_of_a_job_belongs_to_it_and_takes_it_along(
    tmp_path: Path, store: JobStore
) -> None:
    let = anyio.Event()

    async def asks_back(live: LiveJob) -> dict[str, Any]:
        live.began("run_1")
        with another_writer(tmp_path / "jobs.db") as writer:
            writer.take()
            live.began("run_2")
        await let.wait()
        return {"answer": 42}

    async with Jobs(store) as jobs:
        record = await jobs.start("ann", "ask_mind", {}, asks_back)
        let.set()
        with anyio.fail_after(60):
            ended = await jobs.wait(record.id, "ann", 60)
    assert ended.state is JobState.DONE
    assert all(store.owns_run("ann", run) for run in ("run_1", "run_2"))
    assert not store.owns_run("bob", "run_2")
    assert store.erase(["run_2"]) == 1
    assert store.get(record.id, "ann") is None
    assert not store.owns_run("ann", "run_1")
