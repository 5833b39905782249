"""Of several hosts the one that serves soonest is asked; who failed rests, longer each time."""

from __future__ import annotations

import pytest

from manyhands.engines.hosts import HostBoard, passes_on
from manyhands.errors import (
    AnswerTruncated,
    ContextOverflow,
    DeadlineExceeded,
    EngineError,
    ModelMissing,
    OutOfMemory,
    RequestRefused,
    ServerBusy,
    StreamCut,
    Unreachable,
)

HOSTS = ["a", "b", "c"]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> HostBoard:
    return HostBoard({"a": 1, "b": 1, "c": 4}, clock)


def test_equal_hosts_are_taken_in_the_order_of_the_settings(board: HostBoard) -> None:
    assert board.order(["b", "a", "c"], "m", {}) == ["b", "a", "c"]


def test_a_load_that_another_host_saves_decides(board: HostBoard) -> None:
    assert board.order(HOSTS, "m", {"a": 30.0, "b": 0.0, "c": 12.0}) == ["b", "c", "a"]


def test_a_call_waits_rather_for_a_short_queue_than_for_a_long_load(board: HostBoard) -> None:
    board.begin("a")
    assert board.order(["a", "b"], "m", {"b": 5.0})[0] == "b"  # 5 s of loading, 10 of waiting
    assert board.order(["a", "b"], "m", {"b": 50.0})[0] == "a"


def test_a_host_with_slots_takes_several_calls_at_once(board: HostBoard) -> None:
    for _ in range(3):
        board.begin("c")
    assert board.wait_s("c") == 0
    board.begin("c")
    assert board.wait_s("c") > 0


def test_the_expected_wait_follows_what_calls_took(board: HostBoard) -> None:
    for _ in range(20):
        board.begin("a")
        board.end("a", 2.0)
    board.begin("a")
    assert board.wait_s("a") == pytest.approx(2.0, rel=0.01)


def test_a_call_that_failed_teaches_nothing_about_time(board: HostBoard) -> None:
    board.begin("a")
    before = board.wait_s("a")
    board.begin("a")
    board.end("a", None)
    assert board.wait_s("a") == before


def test_a_dead_host_rests_twice_as_long_each_time_and_is_due_afterwards(
    board: HostBoard, clock: Clock
) -> None:
    rests = []
    for _ in range(8):
        board.failed("a", "m", Unreachable("gone"))
        assert "a" not in board.order(HOSTS, "m", {})
        before = clock.now
        while not board.due(HOSTS):
            clock.now += 0.5
        rests.append(clock.now - before)
    assert rests == [2, 4, 8, 16, 32, 60, 60, 60]
    assert "a" not in board.order(HOSTS, "m", {}), "it is looked at before it is used"
    board.answered("a")
    assert board.order(HOSTS, "m", {})[0] == "a"
    board.failed("a", "m", StreamCut("again"))
    clock.now += 2
    assert board.due(HOSTS) == ["a"], "what was forgiven is forgotten"


@pytest.mark.parametrize("error", [ModelMissing("no"), OutOfMemory("no")])
def test_a_host_that_cannot_run_one_model_runs_the_others(
    board: HostBoard, clock: Clock, error: EngineError
) -> None:
    board.failed("a", "big", error)
    assert board.order(["a", "b"], "big", {}) == ["b"]
    assert board.order(["a", "b"], "small", {}) == ["a", "b"]
    clock.now += 301
    assert board.order(["a", "b"], "big", {}) == ["a", "b"]


def test_a_busy_host_is_left_alone_for_a_moment(board: HostBoard, clock: Clock) -> None:
    board.failed("a", "m", ServerBusy("later"))
    assert board.order(["a", "b"], "m", {}) == ["b"]
    assert board.due(HOSTS) == []
    clock.now += 5.1
    assert board.order(["a", "b"], "m", {}) == ["a", "b"]


def test_only_what_another_host_may_answer_is_passed_on() -> None:
    assert passes_on(Unreachable("x"))
    assert passes_on(ServerBusy("x"))
    assert passes_on(ModelMissing("x"))
    assert passes_on(DeadlineExceeded("x", clock="gap"))
    assert not passes_on(RequestRefused("x"))
    assert not passes_on(AnswerTruncated("x"))
    assert not passes_on(ContextOverflow("x", prompt_tokens=2, num_ctx=1))
