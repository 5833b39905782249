"""The rehearsed server loads, shares and evicts models by Ollama's own rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.rehearsal.loader import RUNNER_OPTIONS, Action, Loader, Runner, RunnerKey
from manyhands.rehearsal.profile import Profile
from manyhands.rehearsal.runners import DEFAULT_KEEP_ALIVE_S, Runners, key_of, seconds_of
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.store import StoredModel

GB = 1000**3


def runner(blob: str, *, size: int = 10, keep_alive: float = 300, busy: int = 0) -> Runner:
    return Runner(RunnerKey(blob), blob, size, keep_alive, busy)


def loader(*runners: Runner, vram: int = 0, max_loaded: int = 3) -> Loader:
    made = Loader(vram, max_loaded)
    for one in runners:
        made.add(one)
    return made


def stored(name: str, size: int = 10 * GB) -> StoredModel:
    return StoredModel(name=name, base=ScriptedModel(name, size=size))


# --- what makes two requests share a runner ---------------------------------------------------


def test_roles_on_one_base_have_one_key() -> None:
    base = stored("base")
    role = replace(base, name="role", system="Be brief.", parameters={"temperature": 0.1})
    assert key_of(base, {}) == key_of(role, {})


def test_sampler_options_are_no_part_of_the_key() -> None:
    options = {"temperature": 0.1, "top_p": 0.9, "seed": 7, "num_predict": 50, "stop": ["x"]}
    assert key_of(stored("base"), {"options": options}) == key_of(stored("base"), {})


@pytest.mark.parametrize("option", [name for name in RUNNER_OPTIONS if name != "shift"])
def test_each_runner_option_makes_another_key(option: str) -> None:
    base = stored("base")
    assert key_of(base, {"options": {option: 7}}) != key_of(base, {"options": {option: 8}})
    assert key_of(base, {"options": {option: 7}}) == key_of(
        replace(base, parameters={option: 7}), {}
    )


def test_shift_and_adapters_make_another_key() -> None:
    base = stored("base")
    keys = {
        key_of(base, {}),
        key_of(base, {"shift": False}),
        key_of(replace(base, adapters=("sha256:a",)), {}),
        key_of(replace(base, adapters=("sha256:b",)), {}),
    }
    assert len(keys) == 4


# --- the next step ------------------------------------------------------------------------------


def test_a_resident_model_is_served_even_when_it_is_busy() -> None:
    present = runner("a", busy=3)
    decision = loader(present).next(RunnerKey("a"), 10)
    assert (decision.action, decision.runner) == (Action.SERVE, present)


def test_other_options_send_the_old_runner_away_first() -> None:
    other = RunnerKey("a", (("num_ctx", 8192),))
    assert loader(runner("a")).next(other, 10).action is Action.EVICT
    assert loader(runner("a", busy=1)).next(other, 10).action is Action.WAIT


def test_a_request_that_names_no_layers_takes_the_runner_with_any() -> None:
    on_cpu = Runner(RunnerKey("a", (("num_gpu", 0),)), "a", 0, 10)
    assert loader(on_cpu).next(RunnerKey("a"), 10).action is Action.SERVE
    assert loader(on_cpu).next(RunnerKey("a", (("num_gpu", 9),)), 10).action is Action.EVICT


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"keep_alive": 10}, {"keep_alive": 300}),
        ({"keep_alive": 300}, {"keep_alive": -1}),
        ({"keep_alive": 0}, {"keep_alive": 10}),
        ({"keep_alive": 10, "size": 1}, {"keep_alive": 300, "size": 50}),
    ],
    ids=["shorter", "not for ever", "at once", "whatever its size"],
)
def test_the_smallest_keep_alive_goes_first(first: dict[str, Any], second: dict[str, Any]) -> None:
    # "z" would lose every tie, so only its keep_alive can make it the victim.
    victim, other = runner("z", **first), runner("a", **second)
    decision = loader(other, victim, max_loaded=2).next(RunnerKey("new"), 10)
    assert (decision.action, decision.runner) == (Action.EVICT, victim)


def test_equal_keep_alives_are_decided_by_the_name_of_the_weights() -> None:
    decision = loader(runner("b"), runner("a"), max_loaded=2).next(RunnerKey("new"), 10)
    assert decision.runner is not None
    assert decision.runner.key.blob == "a"


def test_a_busy_victim_is_waited_for_when_no_other_is_idle() -> None:
    busy = [runner("a", busy=1), runner("b", busy=1)]
    assert loader(*busy, max_loaded=2).next(RunnerKey("new"), 10).action is Action.WAIT


def test_an_idle_one_goes_before_a_busy_one_of_smaller_keep_alive() -> None:
    busy, idle = runner("a", keep_alive=1, busy=1), runner("b", keep_alive=-1)
    assert loader(busy, idle, max_loaded=2).next(RunnerKey("new"), 10).runner is idle


def test_beside_others_a_model_may_take_80_percent_of_what_is_free() -> None:
    with_one = loader(runner("a", size=50), vram=100)
    assert with_one.next(RunnerKey("new"), 40).action is Action.LOAD
    assert with_one.next(RunnerKey("new"), 41).action is Action.EVICT


def test_alone_any_model_is_loaded() -> None:
    assert loader(vram=100).next(RunnerKey("new"), 5000).action is Action.LOAD


_RUNNERS = st.lists(
    st.builds(
        runner,
        st.sampled_from("abcdef"),
        size=st.integers(1, 100),
        keep_alive=st.sampled_from([-1, 0, 10, 300]),
        busy=st.integers(0, 1),
    ),
    max_size=5,
    unique_by=lambda one: one.key.blob,
)


@given(_RUNNERS, st.sampled_from("abcdefg"), st.integers(1, 200), st.integers(1, 5))
def test_following_the_steps_ends_and_never_evicts_who_is_busy(
    present: list[Runner], wanted: str, size: int, max_loaded: int
) -> None:
    made = loader(*present, vram=100, max_loaded=max_loaded)
    for _ in range(len(present) + 1):
        decision = made.next(RunnerKey(wanted), size)
        if decision.action is not Action.EVICT:
            break
        assert decision.runner is not None
        assert not decision.runner.busy
        made.drop(decision.runner.key.blob)
    if decision.action is Action.LOAD:
        assert len(made.runners) < max_loaded or not made.runners
    else:
        assert decision.action is Action.SERVE or any(one.busy for one in made.runners.values())


# --- the steps in time --------------------------------------------------------------------------

#: Room for one large model beside a small one, and no waiting.
CARD = Profile("card", vram=48 * GB)


@pytest.mark.anyio
async def test_a_load_that_waits_holds_up_the_next_load_but_not_the_loaded() -> None:
    runners = Runners(CARD)
    busy, large, small = stored("busy", 40 * GB), stored("large", 30 * GB), stored("small", GB)
    served: list[str] = []

    async def ask(model: StoredModel) -> None:
        async with runners.use(model, {}):
            served.append(model.name)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks, runners.use(busy, {}):
            tasks.start_soon(ask, large)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(ask, small)  # it would fit, but it stands behind `large`
            await anyio.wait_all_tasks_blocked()
            assert served == []
            await ask(busy)
            assert served == ["busy"]
    assert served == ["busy", "large", "small"]
    assert [one.model for one in runners.loads] == ["busy", "large", "small"]
    assert {one.model for one, _, _ in runners.listed()} == {"large", "small"}


@pytest.mark.anyio
async def test_a_load_is_dropped_when_its_client_leaves() -> None:
    runners = Runners(replace(CARD, fixed_load_s=3600.0))
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                async with runners.use(stored("m"), {}):
                    raise AssertionError("it is never loaded")

            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    assert [(one.model, one.done) for one in runners.loads] == [("m", False)]
    assert runners.listed() == []


@pytest.mark.anyio
async def test_keep_alive_stays_with_the_runner_until_it_is_told_anew() -> None:
    runners, model = Runners(CARD), stored("m")
    kept = []
    for body in ({}, {"keep_alive": "10m"}, {}, {"keep_alive": -1}):
        async with runners.use(model, body) as (one, _):
            kept.append(one.keep_alive)
    assert kept == [DEFAULT_KEEP_ALIVE_S, 600, 600, -1]


@pytest.mark.anyio
async def test_an_idle_model_expires_after_its_keep_alive() -> None:
    now = [1000.0]
    runners = Runners(CARD, clock=lambda: now[0])
    for name, keep_alive in (("short", 10), ("long", 300), ("kept", -1)):
        async with runners.use(stored(name, GB), {"keep_alive": keep_alive}):
            pass
    left = []
    for later in (9.0, 2.0, 300.0, 1e9):
        now[0] += later
        left.append({one.model for one, _, _ in runners.listed()})
    assert left == [{"short", "long", "kept"}, {"long", "kept"}, {"kept"}, {"kept"}]


@pytest.mark.anyio
async def test_unloading_a_busy_model_waits_for_its_last_request() -> None:
    runners, model = Runners(CARD), stored("m")
    async with runners.use(model, {}):
        await runners.unload(model)
        assert [one.model for one, _, _ in runners.listed()] == ["m"]
    assert runners.listed() == []


@pytest.mark.parametrize(
    ("told", "seconds"),
    [(10, 10.0), (-1, -1.0), ("10m", 600.0), ("1h", 3600.0), ("500ms", 0.5), ("30s", 30.0)],
)
def test_durations_are_read_as_ollama_reads_them(told: Any, seconds: float) -> None:
    assert seconds_of(told) == seconds
