"""Events go into the scheduler of a host and decisions come out: each branch of its tree."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from manyhands.schedule.model import LoadCost, ModelKey, Priority, Room
from manyhands.schedule.scheduler import (
    OVERDUE_S,
    Ahead,
    Decision,
    Grant,
    Load,
    Recall,
    Refuse,
    Scheduler,
    Unload,
    Wish,
)

GB = 1000**3
MIND, EXPERT, OTHER, HEAVY = (ModelKey(name) for name in ("mind", "expert", "other", "heavy"))
SIZES = {MIND: 19, EXPERT: 43, OTHER: 43, HEAVY: 142}


def scheduler(vram: int = 48, *resident: ModelKey) -> Scheduler:
    made = Scheduler(Room(vram=vram * GB))
    made.costs = {key: LoadCost(size * GB, 2.5 + size / 3) for key, size in SIZES.items()}
    made.resident = set(resident)
    return made


def leased(vram: int, key: ModelKey) -> Scheduler:
    """A host where one door holds the lease `held` of a loaded model."""
    made = scheduler(vram, key)
    assert made.wish(Wish("held", key), 0.0) == [Grant("held")]
    return made


def test_a_loaded_model_is_granted_at_once() -> None:
    host = scheduler(48, MIND)
    assert host.wish(Wish("a", MIND), 0.0) == [Grant("a")]
    assert host.wish(Wish("b", MIND), 0.0) == [Grant("b")]


def test_an_empty_host_loads_what_is_asked_for_and_grants_all_who_wait() -> None:
    host = scheduler()
    assert host.wish(Wish("a", MIND), 0.0) == [Load(MIND)]
    assert host.wish(Wish("b", MIND), 1.0) == []
    assert host.loaded(MIND, 9.0) == [Grant("a"), Grant("b")]


def test_what_does_not_fit_beside_waits_for_the_lease_then_unloads_then_loads() -> None:
    host = leased(48, MIND)
    assert host.wish(Wish("a", EXPERT), 1.0) == [Recall("held")]
    assert host.wish(Wish("late", MIND), 2.0) == []  # it is on its way out
    assert host.leave("held", 3.0) == [Unload(MIND)]
    assert host.unloaded(MIND, 3.5) == [Load(EXPERT)]
    assert host.loaded(EXPERT, 20.0) == [Grant("a"), Recall("a")]  # the late one comes next
    assert host.leave("a", 30.0) == [Unload(EXPERT)]
    assert host.unloaded(EXPERT, 30.5) == [Load(MIND)]
    assert host.loaded(MIND, 40.0) == [Grant("late")]


def test_what_fits_beside_takes_nothing_away() -> None:
    host = leased(80, MIND)
    assert host.wish(Wish("a", EXPERT), 1.0) == [Load(EXPERT)]
    assert host.wish(Wish("b", MIND), 2.0) == [Grant("b")]  # the load goes on meanwhile
    assert host.loaded(EXPERT, 20.0) == [Grant("a")]
    assert host.resident == {MIND, EXPERT}


def test_one_swap_at_a_time() -> None:
    host = scheduler(0)
    assert host.wish(Wish("a", MIND), 0.0) == [Load(MIND)]
    assert host.wish(Wish("b", EXPERT), 0.0) == []
    assert host.loaded(MIND, 9.0) == [Grant("a"), Load(EXPERT)]


def test_a_failed_load_is_told_and_the_others_go_on() -> None:
    host = scheduler(0)
    host.wish(Wish("a", MIND), 0.0)
    host.wish(Wish("b", EXPERT), 0.0)
    assert host.failed(MIND, 5.0) == [Refuse("a"), Load(EXPERT)]


def test_a_load_that_nobody_wants_any_more_is_unloaded_when_it_ends() -> None:
    host = scheduler()
    host.wish(Wish("a", MIND), 0.0)
    assert host.leave("a", 1.0) == []
    assert host.loaded(MIND, 9.0) == [Unload(MIND)]
    assert host.wish(Wish("b", MIND), 9.1) == [Load(MIND)]  # after the unload, in this order


def test_a_drain_ends_when_its_reason_is_gone() -> None:
    host = leased(48, MIND)
    host.wish(Wish("a", EXPERT), 1.0)
    host.wish(Wish("b", MIND), 2.0)
    assert host.leave("a", 3.0) == [Grant("b")]


def test_what_a_plan_announced_is_loaded_ahead_where_it_fits() -> None:
    host = leased(80, MIND)
    assert host.announce("plan", [Ahead("1", EXPERT)], 1.0) == [Load(EXPERT)]
    assert host.loaded(EXPERT, 20.0) == []
    assert host.wish(Wish("a", EXPERT), 21.0) == [Grant("a")]


def test_nothing_in_use_goes_for_what_is_only_announced() -> None:
    host = leased(48, MIND)
    assert host.announce("plan", [Ahead("1", EXPERT)], 1.0) == []
    host.wish(Wish("b", MIND, door="another"), 1.5)
    assert host.leave("b", 2.0) == []


def test_the_plan_of_a_door_that_is_gone_loads_nothing() -> None:
    host = leased(48, MIND)
    host.announce("plan", [Ahead("1", EXPERT)], 1.0)
    assert host.leave("held", 2.0) == []
    assert host.resident == {MIND}


def test_a_plan_waits_for_its_own_step_and_not_for_itself() -> None:
    host = leased(48, MIND)
    steps = [Ahead("step", EXPERT), Ahead("answer", MIND, needs=("step",))]
    host.announce("plan", steps, 1.0)
    assert host.wish(Wish("a", EXPERT), 2.0) == [Recall("held")]


def test_the_mind_is_brought_back_when_the_plan_comes_to_it() -> None:
    host = leased(80, EXPERT)
    host.announce("plan", [Ahead("step", EXPERT), Ahead("answer", MIND, needs=("step",))], 1.0)
    assert host.swap is not None
    assert host.swap.target == MIND  # it fits beside: while the expert still works
    host = leased(48, HEAVY)
    host.announce("plan", [Ahead("answer", MIND)], 1.0)
    assert host.wish(Wish("a", MIND), 2.0) == [Recall("held")]
    assert host.leave("held", 3.0) == [Unload(HEAVY)]
    assert host.unloaded(HEAVY, 3.5) == [Load(MIND)]


def test_work_that_a_present_door_will_do_is_not_interrupted_for_a_longer_detour() -> None:
    host = leased(48, HEAVY)
    more = [Ahead(str(n), HEAVY, seconds=10) for n in range(3)]
    assert host.announce("plan", more, 0.0) == []
    background = Wish("b", EXPERT, Priority.BACKGROUND, since=0.0)
    assert host.wish(background, 0.0) == []
    assert host.leave("held", 1.0) == [Unload(HEAVY)]  # its door is gone: nothing holds it back


def test_whoever_waits_long_enough_comes_first() -> None:
    host = leased(48, HEAVY)
    host.announce("plan", [Ahead(str(n), HEAVY, seconds=10) for n in range(3)], 0.0)
    host.wish(Wish("b", EXPERT, Priority.BACKGROUND, since=0.0), 0.0)
    assert host.announce("other", [], OVERDUE_S - 1) == []
    assert host.announce("other", [], OVERDUE_S + 1) == [Recall("held")]


def test_what_another_program_threw_out_is_loaded_again() -> None:
    host = scheduler(48, MIND)
    host.seen({}, 0.0)
    assert host.wish(Wish("a", MIND), 1.0) == [Load(MIND)]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["wish", "leave", "announce", "finish", "fail"]),
        st.integers(0, 9),
        st.sampled_from([MIND, EXPERT, OTHER, HEAVY]),
        st.sampled_from(list(Priority)),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.sampled_from([0, 48, 80]))
def test_whatever_happens_leases_are_safe_and_nobody_waits_for_ever(
    events: list[tuple[str, int, ModelKey, Priority]], vram: int
) -> None:
    host = scheduler(vram)
    loaded: set[ModelKey] = set()
    pending: list[Load | Unload] = []
    granted: dict[str, ModelKey] = {}
    keys: dict[str, ModelKey] = {}
    now = 0.0

    def take(decisions: list[Decision]) -> None:
        for one in decisions:
            match one:
                case Grant(wish=name):
                    granted[name] = keys[name]
                    assert keys[name] in loaded
                case Refuse(wish=name):
                    keys.pop(name)
                case Load() | Unload():
                    pending.append(one)
                case Recall(lease=name):
                    assert name in granted

    def carry_out(*, works: bool) -> None:
        effect = pending.pop(0)
        if isinstance(effect, Unload):
            assert effect.key not in granted.values()
            loaded.discard(effect.key)
            take(host.unloaded(effect.key, now))
        elif works:
            sizes = [host.costs[key].size for key in loaded]
            assert host.room.fits(host.costs[effect.key].size, sizes)
            loaded.add(effect.key)
            take(host.loaded(effect.key, now))
        else:
            take(host.failed(effect.key, now))

    for what, number, key, priority in events:
        now += 7.0
        name = f"w{number}"
        match what:
            case "wish" if name not in keys:
                keys[name] = key
                take(host.wish(Wish(name, key, priority, now), now))
            case "leave" if name in keys:
                keys.pop(name)
                granted.pop(name, None)
                take(host.leave(name, now))
            case "announce":
                steps = [Ahead(str(n), key) for n in range(number % 3)]
                take(host.announce(f"p{number}", steps, now))
            case "finish" | "fail" if pending:
                carry_out(works=what == "finish")
    # From here on every door gives back what is recalled, and every effect ends well.
    for _ in range(400):
        now += 60.0
        if pending:
            carry_out(works=True)
        elif granted:
            name = next(iter(granted))
            granted.pop(name)
            keys.pop(name)
            take(host.leave(name, now))
    assert not host.waiting
    assert not granted
