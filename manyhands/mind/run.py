"""One run of the mind: recall, frame, plan, work, answer; every step an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from manyhands.errors import BudgetExceeded, EngineError
from manyhands.hands.contracts import EvidenceKind, HandName, HandResult, Status
from manyhands.journal.events import AnswerDelta, Answered, Asked, Note, NoteReason
from manyhands.mind.answer import Answer, Claim, EffectTold, StepReport, judge_answer, unwritten
from manyhands.mind.budget import Purse
from manyhands.mind.controller import Controller
from manyhands.mind.council import Council
from manyhands.mind.effects import perform_effects
from manyhands.mind.frame import Frame, PlanStep, Route
from manyhands.mind.framing import Framer
from manyhands.mind.question import Question, Recall, Review
from manyhands.mind.reconciling import Settled, conflicts_in, settle
from manyhands.mind.revising import why_revise
from manyhands.mind.tools import Toolbox
from manyhands.mind.wording import loose_ends
from manyhands.mind.writing import Writer

__all__ = ["Reached", "Run"]

_REVISIONS = 1
#: What is open about an answer without steps.
_DIRECT = "answered directly: nothing was run or checked"
#: A contradiction has two sides, and each may be asked about once.
_SIDES = 2


@dataclass(frozen=True, slots=True)
class Reached:
    """What a former process reached, for a run that is resumed.

    Attributes:
        frame: the frame that was followed last.
        revisions: how often it had been revised.
        done: step -> result.
        written: the answer's text, if it was written already.
        recalled: memory gave something then.
    """

    frame: Frame | None = None
    revisions: int = 0
    done: Mapping[str, HandResult] = field(default_factory=dict)
    written: str = ""
    recalled: bool = False


@dataclass(slots=True)
class Run:
    """The way of one question through the house.

    Args:
        review: shown the frame before a plan runs; gives back the frame to follow, or None to
            stop. Without it the mind's own plan is followed.
    """

    question: Question
    toolbox: Toolbox
    purse: Purse
    max_steps: int
    recall: Recall | None = None
    review: Review | None = None
    reached: Reached = field(default_factory=Reached)
    _recalled: str = ""
    _revision: int = 0

    async def answer(self) -> Answer:
        """Answer the question.

        A fault on the way ends in an answer that says so wherever anything was reached; before
        that it is raised.

        Raises:
            EngineError: the mind itself could not be reached.
            ManyhandsError: settings or roles are wrong.
        """
        framer = Framer(self.toolbox, self.question, self.max_steps)
        frame = self.reached.frame
        if frame is None:
            await framer.recall(self.recall)
            self._recalled = framer.recalled
            if self.question.council:
                frame = Frame(goal=self.question.text[:2000], route=Route.COUNCIL)
            else:
                frame = await framer.first()
            if frame is None:
                return await self._say(
                    Status.FAILED,
                    "The mind gave no frame that can be followed, so nothing was answered.",
                )
            if frame.route is Route.PLAN and self.review is not None:
                frame = await framer.reviewed(frame, self.review)
                if frame is None:
                    return await self._say(Status.CANNOT, "The plan was not approved.")
        called_later = frame.route is Route.COUNCIL and self.reached.frame is not None
        if frame.route is Route.PLAN or (called_later and frame.steps):
            return await self._follow(frame, framer)
        if self.reached.frame is None:
            await framer.tell(frame, ())
        if frame.route is Route.COUNCIL:
            return await self._council()
        if frame.route is Route.ASK:
            await self.toolbox.emit(Asked(question=frame.question))
            return self._wrap("", Status.UNVERIFIED, question_back=frame.question)
        effects = await self._effects(frame, ())
        if self.question.role:
            written = self.reached.written or await Writer(self.toolbox, self.question).in_role(
                frame
            )
            told = bool(written) and not self.reached.written
            return await self._direct(written or frame.answer, effects, told=told)
        told = framer.spoken == frame.answer
        if framer.spoken and not told:
            text = "the answer was written in another form than it was begun in"
            await self.toolbox.emit(Note(reason=NoteReason.RETRY, text=text))
        return await self._direct(frame.answer, effects, told=told)

    async def _direct(self, text: str, effects: Sequence[EffectTold], *, told: bool) -> Answer:
        return await self._say(
            Status.UNVERIFIED, text, open_points=(_DIRECT,), effects=effects, told=told
        )

    async def _council(self, reports: Sequence[StepReport] = (), found: str = "") -> Answer:
        verdict = await Council(self.toolbox, self.question, self._recalled, found).hold()
        return await self._say(
            verdict.status, verdict.text, reports, open_points=verdict.open_points
        )

    async def _follow(self, frame: Frame, framer: Framer) -> Answer:
        controller = Controller(self.toolbox, self.reached.done)
        frame, reports = await self._work(frame, framer, controller)
        if frame.route is Route.COUNCIL:  # checks could not decide, so the mind calls one
            return await self._council(reports, "\n\n".join(controller.notes.values()))
        frame, reports = await self._reconcile(frame, framer, controller, reports)
        settled = settle(frame, reports)
        reports = await self._overrule(controller, reports, settled)
        claims = tuple(_claim(report) for report in reports if report.hand is HandName.VERIFY)
        notes = [controller.notes[step.id] for step in frame.steps]
        notes += [f"To be told as open: {point}." for point in settled.open_points]
        writer = Writer(self.toolbox, self.question)
        text, fault = self.reached.written, ""
        if controller.undone:
            fault = f"Stopped at step {controller.undone[0]}. {self.purse.over}"
        elif not text:
            text, fault = await writer.write(frame, notes, claims, controller.handles)
        if fault:
            status, said, open_points = unwritten(reports, fault, controller.undone)
            return await self._say(status, said, reports, claims, open_points)
        ground = [
            *notes,
            *(report.result.value for report in reports if report.id not in settled.wrong),
            *(source.description for source in self.toolbox.sources.values()),
            self.question.text,
        ]
        counted = [report for report in reports if report.id not in settled.wrong]
        loose = await loose_ends(
            text, self.question.text, frame.steps, counted, ground, self.toolbox.bench
        )
        status, open_points = judge_answer(reports, loose, settled.wrong, settled.open_points)
        if loose:
            await self.toolbox.emit(
                Note(
                    reason=NoteReason.UNGROUNDED,
                    text="; ".join(loose),
                )
            )
        effects = await self._effects(frame, counted)
        told = not self.reached.written
        return await self._say(status, text, reports, claims, open_points, effects, told=told)

    async def _work(
        self, frame: Frame, framer: Framer, controller: Controller
    ) -> tuple[Frame, list[StepReport]]:
        """Run the plan; where steps brought nothing that holds, the mind may plan once more."""
        order = await controller.arrange(frame.steps)
        self._revision = self.reached.revisions
        await framer.tell(frame, order, self._revision)
        reports = await controller.run(frame.steps, order)
        while self._revision < _REVISIONS:
            overruled = settle(frame, reports).wrong
            why = why_revise(frame.steps, [r for r in reports if r.id not in overruled])
            if not why or self.purse.over is not None:
                break
            await self.toolbox.emit(Note(reason=NoteReason.REPLAN, text=why))
            try:
                notes = [controller.notes[step.id] for step in frame.steps]
                more = await framer.revise(frame, notes, f"{why}.")
            except BudgetExceeded:
                break  # the voice has told it
            except EngineError as error:
                await self.toolbox.emit(Note(reason=NoteReason.RETRY, text=str(error)))
                break
            if more is None:
                break
            self._revision += 1
            if more.route is Route.COUNCIL:
                frame = frame.model_copy(update={"route": Route.COUNCIL})
                await framer.tell(frame, (), self._revision)
                break
            effects = frame.effects or more.effects
            frame = frame.model_copy(
                update={"steps": (*frame.steps, *more.steps), "effects": effects}
            )
            order = await controller.arrange(more.steps)
            await framer.tell(frame, order, self._revision)
            reports = [*reports, *await controller.run(more.steps, order)]
        return frame, reports

    async def _reconcile(
        self, frame: Frame, framer: Framer, controller: Controller, reports: list[StepReport]
    ) -> tuple[Frame, list[StepReport]]:
        """Results that contradict each other become `verify` steps of the plan."""
        for _ in range(_SIDES):
            found = [one for one in conflicts_in(frame, reports) if one.wants is not None]
            claims = list(dict.fromkeys(one.wants for one in found if one.wants is not None))
            claims = claims[: max(0, self.max_steps - len(frame.steps))]
            if not claims or self.purse.over is not None:
                break
            for told in dict.fromkeys(one.told for one in found):
                text = f"{told}: a verify step is to decide"
                await self.toolbox.emit(Note(reason=NoteReason.CONTRADICTION, text=text))
            names = (name for n in count(1) if (name := f"settle{n}") not in controller.notes)
            more = tuple(
                PlanStep(id=name, hand=HandName.VERIFY, task=claim, data=(data,))
                for name, (claim, data) in zip(names, claims, strict=False)
            )
            frame = frame.model_copy(update={"steps": (*frame.steps, *more)})
            order = await controller.arrange(more)
            await framer.tell(frame, order, self._revision)
            reports = [*reports, *await controller.run(more, order)]
        return frame, reports

    async def _overrule(
        self, controller: Controller, reports: Sequence[StepReport], settled: Settled
    ) -> list[StepReport]:
        """The reports, with those that a check decided against as refuted."""
        for point in settled.open_points:
            await self.toolbox.emit(Note(reason=NoteReason.CONTRADICTION, text=point))
        return [
            await controller.overrule(report, settled.wrong[report.id])
            if report.id in settled.wrong
            else report
            for report in reports
        ]

    async def _effects(self, frame: Frame, reports: Sequence[StepReport]) -> tuple[EffectTold, ...]:
        if not frame.effects:
            return ()
        origins = self.question.origins(
            data=bool(self.toolbox.sources) or self.toolbox.outside is not None,
            recalled=bool(self._recalled) or self.reached.recalled,
        )
        return tuple(
            await perform_effects(
                frame.effects, reports, self.toolbox, self.question.save_folder, origins
            )
        )

    async def _say(
        self,
        status: Status,
        text: str,
        reports: Sequence[StepReport] = (),
        claims: Sequence[Claim] = (),
        open_points: Sequence[str] = (),
        effects: Sequence[EffectTold] = (),
        *,
        told: bool = False,
    ) -> Answer:
        if not told:
            await self.toolbox.emit(AnswerDelta(text=text))
        answered = Answered(text=text, status=status, open_points=tuple(open_points))
        await self.toolbox.emit(answered)
        return self._wrap(text, status, reports, claims, open_points, effects)

    def _wrap(
        self,
        text: str,
        status: Status,
        reports: Sequence[StepReport] = (),
        claims: Sequence[Claim] = (),
        open_points: Sequence[str] = (),
        effects: Sequence[EffectTold] = (),
        question_back: str = "",
    ) -> Answer:
        return Answer(
            text=text,
            status=status,
            run_id=self.question.run_id,
            conversation_id=self.question.conversation_id,
            question_back=question_back,
            steps=tuple(reports),
            claims=tuple(claims),
            open_points=tuple(open_points),
            effects=tuple(effects),
            usage=self.purse.spent,
            seconds=self.purse.seconds,
            exhausted=self.purse.over.limit if self.purse.over is not None else "",
            simulated=self.question.simulated,
        )


def _claim(report: StepReport) -> Claim:
    machine = (one for one in report.result.evidence if one.kind is EvidenceKind.MACHINE)
    evidence = "; ".join(check.evidence for check in machine)
    return Claim(text=report.task, status=report.result.status, evidence=evidence)
