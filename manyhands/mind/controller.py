"""The controller: runs a plan's steps in a good order and keeps each result at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import anyio

from manyhands.errors import (
    BudgetExceeded,
    EngineError,
    HandsEnvironmentError,
    NoIsolation,
    SandboxError,
    StorageError,
)
from manyhands.hands.code import CodeHand
from manyhands.hands.contracts import (
    CodeRequest,
    HandName,
    HandRequest,
    HandResult,
    Spend,
    Status,
    ToolRequest,
)
from manyhands.hands.places import Planned
from manyhands.hands.registry import HANDS
from manyhands.hands.reviewing import REVIEWED
from manyhands.hands.work import Begin, Desk
from manyhands.journal.events import Condensed, Note, NoteReason, StepDone, StepStarted
from manyhands.mind.answer import StepReport
from manyhands.mind.condense import Condensed as CondensedNote
from manyhands.mind.condense import condense
from manyhands.mind.frame import PlanStep, request_of
from manyhands.mind.outside import call_outside
from manyhands.mind.pictures import reviewed
from manyhands.mind.revising import false_premises
from manyhands.mind.tools import Toolbox
from manyhands.schedule.model import Work
from manyhands.schedule.order import StepSpec, order_by_cost, order_steps

__all__ = ["Controller"]

#: Expected seconds of a step by its tier, loading and repairs not counted (declared).
_STEP_S = {"mind": 15.0, "expert": 45.0, "heavy": 90.0}
#: What follows every plan: the mind reads the notes and writes the answer.
_ANSWER = "the answer"
#: Whose model reads the notes.
_READER = "editor"


class Controller:
    """Runs one plan. Results that a former process reached (`done`) are not worked out again.

    Args:
        given: results of steps that were worked on elsewhere, as every step shall see them.
        answers: whether the mind writes an answer after the last step.
    """

    def __init__(
        self,
        toolbox: Toolbox,
        done: Mapping[str, HandResult] | None = None,
        given: str = "",
        *,
        answers: bool = True,
    ) -> None:
        self._box = toolbox
        self._answers = answers
        self._given = given
        self._hands = {name: make() for name, make in HANDS.items()}
        self._done = frozenset(done or ())
        self._results: dict[str, HandResult] = dict(done or {})
        self._requests: dict[str, str] = {}
        self._draws = False
        self.notes: dict[str, str] = {}
        #: step -> artifact with the whole value, where the note shows only a part of it
        self.handles: dict[str, str] = {}
        #: the steps that a budget left undone: first the one at which it ran out
        self.undone: list[str] = []

    async def arrange(self, steps: Sequence[PlanStep]) -> list[str]:
        """The order in which the models that the plan needs are loaded in as few seconds as can be.

        Where it is not known what loading costs, each change of the model counts the same.
        """
        tiers = {step.id: self._tier(step) for step in steps}
        code = self._box.remote is None and any(step.hand is HandName.CODE for step in steps)
        before = self._tester() if code else ""
        outlook = None
        if self._box.remote is None and len(set(tiers.values())) > 1:
            wanted = {*tiers.values(), "mind", *([before] if before else [])}
            outlook = await self._box.voice.outlook(sorted(wanted))
        if outlook is None:
            model_of = self._box.voice.model_of
            specs = [
                StepSpec(id=step.id, model=model_of(tiers[step.id]), needs=tuple(step.needs))
                for step in steps
            ]
            return list(order_steps(specs))
        known = {step.id for step in steps}
        # All blind tests are written before the first step, and the mind answers after the last.
        first = [Work("blind tests", outlook.keys[before], 0.0)] if before else []
        work = [
            Work(
                f"step {step.id}",
                outlook.keys[tiers[step.id]],
                _STEP_S.get(tiers[step.id], 30.0),
                needs=(
                    *(one.id for one in first),
                    *(f"step {need}" for need in step.needs if need in known),
                ),
            )
            for step in steps
        ]
        last = Work(
            _ANSWER, outlook.keys["mind"], _STEP_S["mind"], needs=tuple(one.id for one in work)
        )
        order = order_by_cost([*first, *work, last], outlook)
        return [name.removeprefix("step ") for name in order if name.startswith("step ")]

    def _tier(self, step: PlanStep) -> str:
        if step.hand is HandName.TOOL:
            return "mind"  # it uses no model, and the mind's is used next in any case
        return self._box.voice.role(self._hands[step.hand].role).tier

    def _tester(self) -> str:
        """The tier that writes blind tests."""
        return self._box.voice.role(CodeHand.tester).tier

    async def _announce(self, steps: Sequence[PlanStep], *, blind_tests: bool = False) -> None:
        """Tell what is still to come, in its order, so that its models are loaded in time.

        The step that begins is told too: what comes after it must not be taken for ready.
        """
        if self._box.remote is not None:
            return
        to_come = [(step.id, self._tier(step)) for step in steps if step.id not in self._results]
        if blind_tests and any(step.hand is HandName.CODE for step in steps):
            to_come.insert(0, ("blind tests", self._tester()))
        if self._box.reviewer is not None and self._draws:
            to_come.append((REVIEWED, self._box.reviewer.tier))
        if self._answers:
            to_come.append((_ANSWER, "mind"))
        calls: list[Planned] = []
        for name, tier in to_come:
            needs = (calls[-1].id,) if calls else ()
            calls.append(Planned(name, tier, _STEP_S.get(tier, 30.0), needs))
        await self._box.voice.announce(calls if len(calls) > 1 else ())

    async def run(self, steps: Sequence[PlanStep], order: Sequence[str]) -> list[StepReport]:
        """Work through the steps; each is reported, also those that could not be done."""
        by_id = {step.id: step for step in steps}
        stop: BudgetExceeded | None = None
        in_order = [by_id[name] for name in order]
        self._draws = any(step.hand is HandName.VISUALIZE for step in steps)
        try:
            await self._announce(in_order, blind_tests=True)
            await self._prepare(in_order)
        except BudgetExceeded as error:
            stop = error
        for at, name in enumerate(order):
            step = by_id[name]
            if name not in self._results and stop is None:
                try:
                    await self._announce(in_order[at:])
                    self._results[name] = await self._work(step)
                except BudgetExceeded as error:
                    stop = error
            if name not in self._results:
                summary = "Not begun." if self.undone else f"Not done: {stop}"
                self.undone.append(name)
                self._results[name] = HandResult(
                    hand=step.hand, status=Status.FAILED, summary=summary
                )
            await self._report(step, self._results[name])
        if stop is None:
            await self._look(in_order)
        await self._announce(())
        return [
            StepReport(
                id=step.id,
                hand=step.hand,
                task=step.task,
                result=self._results[step.id],
                replaces=step.replaces,
            )
            for step in steps
        ]

    async def _look(self, steps: Sequence[PlanStep]) -> None:
        """Have all pictures looked at after the last step: the vision model is then loaded once.

        The notes that the mind reads were written before, and stay as they are.
        """
        for step in steps:
            result = await reviewed(self._box, step, self._results[step.id])
            if result is not self._results[step.id]:
                self._results[step.id] = result
                await self._told(step.id, step.hand, result, again=True)

    async def _prepare(self, steps: Sequence[PlanStep]) -> None:
        """Have all blind tests written in one go: their model is then loaded once."""
        if self._box.remote is not None:
            return
        if any(step.hand is not HandName.TOOL for step in steps):
            await self._build()
        for step in steps:
            request = request_of(step)
            if step.id in self._results or not isinstance(request, CodeRequest):
                continue
            try:
                await self._hands[HandName.CODE].prepare(request, self._desk(step))
            except EngineError as error:
                await self._box.emit(
                    Note(reason=NoteReason.RETRY, text=f"blind tests: {error}", step=step.id)
                )

    async def _build(self) -> None:
        """Build the hands' Python where it is not there yet, so that no attempt waits for it."""
        from manyhands.checks.sandbox.environment import (
            OVERRIDE,
            ensure_environment,
            environment_ready,
        )

        if environment_ready() or os.environ.get(OVERRIDE):
            return
        if await self._box.bench.needs_python("A hand"):
            return  # and has none to wait for
        text = "the hands' own Python is built first: once, about a minute"
        await self._box.emit(Note(reason=NoteReason.ENVIRONMENT, text=text))
        with suppress(HandsEnvironmentError):  # the step that needs it tells why it is not there
            await ensure_environment()

    async def _work(self, step: PlanStep) -> HandResult:
        await self._box.emit(StepStarted(step=step.id, hand=step.hand, task=step.task))
        request = request_of(step)
        same = self._requests.setdefault(f"{step.hand} {request.model_dump_json()}", step.id)
        if same in self._results:
            await self._box.emit(
                Note(
                    reason=NoteReason.STALL,
                    text=f"the same request as step {same}: its result is used, nothing is run",
                    step=step.id,
                )
            )
            return self._results[same]
        wrong = false_premises(
            step, (id for id, was in self._results.items() if was.status is Status.REFUTED)
        )
        if wrong:
            return HandResult(
                hand=step.hand,
                status=Status.CANNOT,
                summary=f"It rests on {', '.join(wrong)}, which was refuted.",
            )
        broken = [
            need
            for need in step.needs
            if self._results[need].status in (Status.FAILED, Status.CANNOT)
        ]
        if broken:
            return HandResult(
                hand=step.hand,
                status=Status.CANNOT,
                summary=f"It needs {', '.join(broken)}, which brought nothing.",
            )
        if isinstance(request, ToolRequest):
            return await call_outside(self._box, request)
        try:
            if self._box.remote is not None:
                return await self._elsewhere(step, request)
            result = await self._hands[step.hand].work(
                request, self._desk(step), self._begin(step, request), escalate=self._box.escalate
            )
        except (HandsEnvironmentError, NoIsolation):
            raise  # no step could run anything: the run ends here, to be resumed when it is mended
        except (EngineError, SandboxError) as error:
            return HandResult(hand=step.hand, status=Status.FAILED, summary=str(error))
        if self._box.routes is not None:
            try:
                learn = partial(self._box.routes.learn, step.hand, request, step.id, result)
                await anyio.to_thread.run_sync(learn, abandon_on_cancel=True)
            except StorageError as error:
                await self._box.emit(Note(reason=NoteReason.MEMORY, text=str(error), step=step.id))
        return result

    async def _elsewhere(self, step: PlanStep, request: HandRequest) -> HandResult:
        """Have the hands server work on a step; which tier it takes is its own decision."""
        assert self._box.remote is not None
        self._box.charge(Spend())
        result = await self._box.remote.work(
            request,
            step=step.id,
            sources=self._box.sources,
            notes="\n\n".join(self._notes(step)),
            emit=self._box.emit,
            keep=self._box.keep,
        )
        self._box.charge(result.spend)
        return result

    def _begin(self, step: PlanStep, request: HandRequest) -> Begin | None:
        if self._box.routes is None:
            return None
        own = self._box.voice.role(self._hands[step.hand].role).tier
        return self._box.routes.begin(step.hand, request, own)

    def _notes(self, step: PlanStep) -> tuple[str, ...]:
        notes = tuple(self.notes[need] for need in step.needs if need in self.notes)
        return notes or ((self._given,) if self._given else ())

    def _desk(self, step: PlanStep) -> Desk:
        return Desk(
            step=step.id,
            voice=self._box.voice,
            bench=self._box.bench,
            emit=self._box.emit,
            sources=self._box.sources,
            notes=self._notes(step),
            keep=self._box.keep,
            spare=self._box.spare,
        )

    async def overrule(self, report: StepReport, why: str) -> StepReport:
        """Tell that a check decided against a result; the mind does not get to see its value."""
        self.notes[report.id] = f"step {report.id} ({report.hand}): refuted. {why}."
        self.handles.pop(report.id, None)
        if report.result.status is Status.REFUTED:
            return report  # told before, by this process or a former one
        result = report.result.model_copy(update={"status": Status.REFUTED, "open_points": (why,)})
        await self._told(report.id, report.hand, result)
        return report.model_copy(update={"result": result})

    async def _told(
        self, step: str, hand: HandName, result: HandResult, *, again: bool = False
    ) -> None:
        await self._box.emit(
            StepDone(
                step=step,
                hand=hand,
                status=result.status,
                summary=result.summary,
                result=result.model_dump(mode="json"),
                again=again,
            )
        )

    async def _report(self, step: PlanStep, result: HandResult) -> None:
        note = self._condensed(step, result)
        if note.cut:
            whole = await self._box.keep(
                f"{step.id}.result.txt", "text/plain", result.value.encode("utf-8")
            )
            if step.hand is not HandName.VISUALIZE:  # a picture's facts stand in its evidence
                self.handles[step.id] = whole.id
            note = self._condensed(step, result, whole.id)
        self.notes[step.id] = note.note
        if step.id in self._done:
            return  # a former process has told it
        await self._told(step.id, step.hand, result)
        if note.cut:
            await self._box.emit(
                Condensed(
                    step=step.id,
                    full_tokens=note.full_tokens,
                    kept_tokens=note.kept_tokens,
                    artifact=whole.id,
                )
            )

    def _condensed(self, step: PlanStep, result: HandResult, whole: str = "") -> CondensedNote:
        """The note, within its budget by the counts of the server whose model will read it."""
        return condense(
            step.id,
            result,
            self._box.note_tokens,
            whole,
            measure=lambda text: self._box.voice.tokens(text, _READER),
        )
