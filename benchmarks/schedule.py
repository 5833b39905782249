"""Batches of work for four models on one card: what five ways to order them cost. Simulated.

    python benchmarks/schedule.py --seed N [--tasks 8] [--batches 60] [--vram 48|80]
                                  [--load-gb-s 3|10] [--real]

A batch is known as a whole when it begins, as a plan is; some of its work needs other work first.
The mind is loaded then. Sizes, speeds and lengths are declared below; no model runs. Ways to order:

    fifo        strictly in the order of arrival; Ollama's rules say what is evicted
    ollama      Ollama's own queue: a request whose model is loaded when it comes passes the queue,
                the others wait in order (server/sched.go); evicted as above
    collating   like llama-swap's: all that waits for the model of the oldest request, then the
                next; what was used longest ago is evicted, as much as is needed
    ours        `manyhands.schedule`: the best schedule of what is known, made anew after each task
    optimum     the fewest seconds of loading, then the least mean completion: exact

With `--real` a batch is also played by `manyhands.serve` against the rehearsal server, whose clock
runs faster than time; the seconds of loading measured there are compared with the simulated ones.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, median, quantiles

import anyio

from manyhands.rehearsal.loader import Action, Loader, Runner, RunnerKey
from manyhands.rehearsal.profile import GB, Profile
from manyhands.schedule.model import LoadCost, ModelKey, Room, Work
from manyhands.schedule.optimum import EXACT_MOST, LOADS_FIRST, best_schedule

#: Model -> GB of weights, share of the work, and seconds of one task (declared).
MODELS = {
    "mind": (19, 0.40, (2.0, 15.0)),
    "expert-a": (43, 0.25, (8.0, 45.0)),
    "expert-b": (43, 0.20, (8.0, 45.0)),
    "heavy": (142, 0.15, (30.0, 120.0)),
}
FIXED_LOAD_S = 2.5
#: Chance that a task needs a given one of the two before it.
NEEDS = 0.15
KEYS = {name: ModelKey(name) for name in MODELS}
#: With `--real`, how long a simulated second takes.
SCALE = 0.05


@dataclass(frozen=True)
class Machine:
    vram: int
    load_gb_s: float

    @property
    def room(self) -> Room:
        return Room(vram=self.vram)

    @property
    def costs(self) -> dict[ModelKey, LoadCost]:
        return {KEYS[name]: LoadCost(size_of(name), self.load_s(name)) for name in MODELS}

    def load_s(self, model: str) -> float:
        return FIXED_LOAD_S + MODELS[model][0] / self.load_gb_s


def size_of(model: str) -> int:
    return int(MODELS[model][0] * GB)


def batch(rng: random.Random, tasks: int) -> list[Work]:
    names, shares = list(MODELS), [share for _, share, _ in MODELS.values()]
    work = []
    for at in range(tasks):
        name = rng.choices(names, shares)[0]
        needs = tuple(f"t{n}" for n in range(max(0, at - 2), at) if rng.random() < NEEDS)
        work.append(Work(f"t{at}", KEYS[name], rng.uniform(*MODELS[name][2]), 4.0, needs))
    return work


@dataclass
class Played:
    """What a batch cost: seconds."""

    load_s: float = 0.0
    loads: int = 0
    now: float = 0.0
    completions: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    decisions: list[float] = field(default_factory=list)

    def run(self, load_s: float, seconds: float, ready: float) -> None:
        self.load_s += load_s
        self.loads += load_s > 0
        self.now += load_s
        self.waits.append(self.now - ready)
        self.now += seconds
        self.completions.append(self.now)


class Tasks:
    """What is done, and what of the rest may begin."""

    def __init__(self, work: Sequence[Work]) -> None:
        self.left = list(work)
        self.done: set[str] = set()
        self.ready_at = {one.id: 0.0 for one in work if not one.needs}

    def ready(self) -> list[Work]:
        return [one for one in self.left if one.id in self.ready_at]

    def finish(self, one: Work, now: float) -> list[Work]:
        """The work that became ready by it."""
        self.left.remove(one)
        self.done.add(one.id)
        freed = [
            other
            for other in self.left
            if other.id not in self.ready_at and self.done >= set(other.needs)
        ]
        self.ready_at.update({other.id: now for other in freed})
        return freed


class OllamaCard:
    """What is loaded, by Ollama's rules."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._loader = Loader(machine.vram)
        self._add("mind")

    def _add(self, model: str) -> None:
        self._loader.add(Runner(RunnerKey(model), model, size_of(model), 300.0))

    def has(self, key: ModelKey) -> bool:
        return key.weights in self._loader.runners

    def load(self, key: ModelKey) -> float:
        """Make room and load; the seconds that it takes."""
        while True:
            decision = self._loader.next(RunnerKey(key.weights), size_of(key.weights))
            if decision.action is Action.SERVE:
                return 0.0
            if decision.action is Action.EVICT:
                assert decision.runner is not None
                self._loader.drop(decision.runner.key.blob)
                continue
            self._add(key.weights)
            return self._machine.load_s(key.weights)


class RecentCard:
    """What is loaded, where what was used longest ago goes first."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._loaded = ["mind"]

    def load(self, key: ModelKey) -> float:
        name, seconds = key.weights, 0.0
        if name in self._loaded:
            self._loaded.remove(name)
        else:
            seconds = self._machine.load_s(name)
            while not self._machine.room.fits(
                size_of(name), [size_of(one) for one in self._loaded]
            ):
                self._loaded.pop(0)
        self._loaded.append(name)
        return seconds


def fifo(work: Sequence[Work], machine: Machine) -> Played:
    played, tasks, card = Played(), Tasks(work), OllamaCard(machine)
    for one in work:
        load_s = card.load(one.key)
        played.run(load_s, one.seconds, tasks.ready_at[one.id])
        tasks.finish(one, played.now)
    return played


def ollama(work: Sequence[Work], machine: Machine) -> Played:
    played, tasks, card = Played(), Tasks(work), OllamaCard(machine)
    queue: list[Work] = []
    passing: list[Work] = []

    def submit(coming: Sequence[Work]) -> None:
        for one in coming:
            (passing if card.has(one.key) else queue).append(one)

    submit(tasks.ready())
    while passing or queue:
        one = (passing or queue).pop(0)
        load_s = card.load(one.key)
        played.run(load_s, one.seconds, tasks.ready_at[one.id])
        submit(tasks.finish(one, played.now))
    return played


def collating(work: Sequence[Work], machine: Machine) -> Played:
    played, tasks, card = Played(), Tasks(work), RecentCard(machine)
    current = KEYS["mind"]
    queue = tasks.ready()
    while queue:
        same = [one for one in queue if one.key == current]
        one = (same or queue)[0]
        current = one.key
        queue.remove(one)
        played.run(card.load(one.key), one.seconds, tasks.ready_at[one.id])
        queue += tasks.finish(one, played.now)
    return played


def ours(work: Sequence[Work], machine: Machine) -> Played:
    played, tasks = Played(), Tasks(work)
    resident = {KEYS["mind"]}
    while tasks.left:
        # Needs that are done are no needs any more.
        left = [
            replace(one, needs=tuple(n for n in one.needs if n not in tasks.done))
            for one in tasks.left
        ]
        began = time.thread_time()  # of the processor: other programs share it
        step = best_schedule(left, machine.costs, machine.room, resident).steps[0]
        played.decisions.append(time.thread_time() - began)
        load_s = machine.load_s(step.work.key.weights) if step.loads else 0.0
        resident = (resident - set(step.evicts)) | {step.work.key}
        played.run(load_s, step.work.seconds, tasks.ready_at[step.work.id])
        tasks.finish(next(one for one in tasks.left if one.id == step.work.id), played.now)
    return played


def optimum(work: Sequence[Work], machine: Machine) -> Played:
    played, tasks = Played(), Tasks(work)
    best = best_schedule(work, machine.costs, machine.room, [KEYS["mind"]], load_weight=LOADS_FIRST)
    assert best.exact
    for step in best.steps:
        load_s = machine.load_s(step.work.key.weights) if step.loads else 0.0
        played.run(load_s, step.work.seconds, tasks.ready_at[step.work.id])
        tasks.finish(step.work, played.now)
    return played


POLICIES: dict[str, Callable[[Sequence[Work], Machine], Played]] = {
    "fifo": fifo,
    "ollama": ollama,
    "collating": collating,
    "ours": ours,
    "optimum": optimum,
}


def batches(seed: int, tasks: int, count: int) -> Iterator[list[Work]]:
    rng = random.Random(seed)
    for _ in range(count):
        yield batch(rng, tasks)


# --- the same, played ------------------------------------------------------------------------


async def play_real(work: Sequence[Work], machine: Machine, folder: Path) -> tuple[float, int]:
    """Simulated seconds of loading as measured, and how many loads the server saw."""
    from manyhands.configuration.sections import ServeSettings
    from manyhands.rehearsal.script import ScriptedModel
    from manyhands.rehearsal.server import RehearsalServer
    from manyhands.serve.client import Leases
    from manyhands.serve.wire import Want

    profile = Profile("batch", machine.vram, machine.load_gb_s, FIXED_LOAD_S, clock_scale=SCALE)
    models = [ScriptedModel(name, size=size_of(name)) for name in MODELS]
    settings = ServeSettings(folder=folder, times=folder / "loads.db")
    async with RehearsalServer(models, profile) as server:
        wants = {
            name: Want(host=server.url, model=name, options={"num_ctx": 4096}, vram=machine.vram)
            for name in MODELS
        }
        async with Leases(settings, door="benchmark") as leases:
            await leases.ready(wants["mind"])
            measured, loads = 0.0, 0
            order = best_schedule(work, machine.costs, machine.room, [KEYS["mind"]]).steps
            for step in order:
                want = wants[step.work.key.weights]
                outcome = await leases.ready(want)
                measured += outcome.seconds
                loads += outcome.loaded
                async with leases.using(want):
                    await anyio.sleep(step.work.seconds * SCALE)
        assert len(server.loads) == loads + 1, "every load is one that was asked for"
    return measured / SCALE, loads


def compare_real(seed: int, tasks: int, machine: Machine) -> None:
    work = next(batches(seed, tasks, 1))
    simulated = ours(work, machine)
    with tempfile.TemporaryDirectory() as folder:
        measured, loads = anyio.run(play_real, work, machine, Path(folder))
    print(
        f"\nplayed against the rehearsal server, 1 simulated second = {SCALE:g} s: "
        f"{loads} loads, {measured:.1f} s of loading measured, {simulated.load_s:.1f} s simulated "
        f"({measured / simulated.load_s - 1:+.1%})"
        if simulated.load_s
        else "\nthis batch needs no load"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", type=int, default=8)
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--vram", type=float, default=48, help="GB")
    parser.add_argument("--load-gb-s", type=float, default=3)
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    machine = Machine(int(options.vram * GB), options.load_gb_s)
    print(
        f"simulated: {options.batches} batches of {options.tasks} tasks, seed {options.seed}; "
        f"{options.vram:g} GB, {options.load_gb_s:g} GB/s, {FIXED_LOAD_S:g} s fixed a load; models "
        + ", ".join(f"{name} {size} GB" for name, (size, _, _) in MODELS.items())
    )
    policies = dict(POLICIES)
    if options.tasks > EXACT_MOST:
        print(f"no exact optimum beyond {EXACT_MOST} tasks")
        del policies["optimum"]
    found: dict[str, list[Played]] = {name: [] for name in policies}
    for work in batches(options.seed, options.tasks, options.batches):
        for name, play in policies.items():
            found[name].append(play(work, machine))
    print(
        f"\n{'way':<10} {'loads':>6} {'load s':>8} {'makespan':>9} {'mean compl.':>12} "
        f"{'p95 compl.':>11} {'longest wait':>13}   (seconds a batch, simulated)"
    )
    for name, all_played in found.items():
        every = [one for played in all_played for one in played.completions]
        print(
            f"{name:<10} {mean(p.loads for p in all_played):>6.2f} "
            f"{mean(p.load_s for p in all_played):>8.1f} "
            f"{mean(p.now for p in all_played):>9.1f} {mean(every):>12.1f} "
            f"{quantiles(every, n=20)[-1]:>11.1f} "
            f"{max(wait for p in all_played for wait in p.waits):>13.1f}"
        )

    def total(name: str, part: Callable[[Played], float]) -> float:
        return sum(part(one) for one in found[name])

    loads = {name: total(name, lambda p: p.load_s) for name in found}
    print()
    if "optimum" in found:
        print(
            f"load seconds / optimum      "
            f"{loads['ours'] / loads['optimum']:.3f}  (goal at most 1.05; simulated)"
        )
        makespan = total("ours", lambda p: p.now) / total("optimum", lambda p: p.now)
        print(f"makespan / optimum          {makespan:.3f}  (goal at most 1.01; simulated)")
    completion = total("ours", lambda p: mean(p.completions)) / total(
        "collating", lambda p: mean(p.completions)
    )
    print(f"mean completion / collating {completion:.3f}  (goal at most 0.90 at 48 GB; simulated)")
    for name in ("fifo", "ollama", "collating"):
        print(f"load seconds / {name:<12} {loads['ours'] / loads[name]:.3f}  (simulated)")
    decisions = sorted(one for played in found["ours"] for one in played.decisions)
    print(
        f"a decision of ours takes {median(decisions) * 1e3:.2f} ms, at most "
        f"{decisions[-1] * 1e3:.1f} ms of the processor (measured; goal under 20 ms)"
    )
    if options.real:
        compare_real(options.seed, options.tasks, machine)


if __name__ == "__main__":
    main()
