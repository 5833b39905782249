"""One run of the mind: recall, frame, plan, work, answer; every step an event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from manyhands.errors import BudgetExceeded, EngineError, ManyhandsError
from manyhands.hands.contracts import HandName, HandResult, Status
from manyhands.hands.voice import Emit, Spoken, Voice
from manyhands.journal.events import (
    AnswerDelta,
    Answered,
    Asked,
    Framed,
    Note,
    NoteReason,
    Recalled,
)
from manyhands.mind.answer import Answer, Claim, StepReport, judge_answer
from manyhands.mind.budget import Purse
from manyhands.mind.controller import Controller, Toolbox
from manyhands.mind.frame import Frame, PlanFault, Route, check_plan, frame_schema
from manyhands.mind.grounding import ungrounded
from manyhands.mind.prompts import answer_prompt, frame_prompt, replan_note
from manyhands.recover import read_structured

__all__ = ["Question", "Recall", "Review", "Run"]

#: Shown a plan before it runs; gives back the one to follow, or None to stop.
Review = Callable[[Frame], Awaitable[Frame | None]]

_FRAMER = "framer"
_EDITOR = "editor"


class Recall(Protocol):
    """What memory gives for a question: a text within its budget, and where it came from."""

    async def __call__(self, question: str) -> tuple[str, Sequence[str]]: ...


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and with what at hand.

    Attributes:
        role: answers in the editor's place when set.
        history: earlier turns of the conversation as one text.
    """

    text: str
    run_id: str
    conversation_id: str
    role: str = ""
    hands: bool = True
    history: str = ""
    simulated: bool = False


@dataclass(slots=True)
class Run:
    """The way of one question through the house.

    Args:
        review: shown the frame before a plan runs; gives back the frame to follow, or None to
            stop. Without it the mind's own plan is followed.
        frame, done: what a former process reached, for a run that is resumed.
    """

    question: Question
    toolbox: Toolbox
    purse: Purse
    max_steps: int
    recall: Recall | None = None
    review: Review | None = None
    frame: Frame | None = None
    done: Mapping[str, HandResult] = field(default_factory=dict)

    @property
    def _voice(self) -> Voice:
        return self.toolbox.voice

    @property
    def _emit(self) -> Emit:
        return self.toolbox.emit

    async def answer(self) -> Answer:
        """Answer the question.

        A fault on the way ends in an answer that says so wherever anything was reached; before
        that it is raised.

        Raises:
            EngineError: the mind itself could not be reached.
            ManyhandsError: settings or roles are wrong.
        """
        frame = self.frame
        if frame is None:
            frame = await self._make_frame()
            if frame is None:
                return await self._say(
                    Status.FAILED,
                    "The mind gave no frame that can be followed, so nothing was answered.",
                )
            if frame.route is Route.PLAN and self.review is not None:
                frame = await self._reviewed(frame, self.review)
                if frame is None:
                    return await self._say(Status.CANNOT, "The plan was not approved.")
        if frame.route is Route.DIRECT:
            await self._framed(frame, ())
            return await self._say(Status.UNVERIFIED, frame.answer)
        if frame.route is Route.ASK:
            await self._framed(frame, ())
            await self._emit(Asked(question=frame.question))
            return self._wrap("", Status.UNVERIFIED, question_back=frame.question)
        return await self._follow(frame)

    async def _make_frame(self) -> Frame | None:
        recalled = ""
        sources: tuple[str, ...] = ()
        if self.recall is not None:
            try:
                recalled, found = await self.recall(self.question.text)
                sources = tuple(found)
            except ManyhandsError as error:
                await self._emit(Note(reason=NoteReason.MEMORY, text=str(error)))
            await self._emit(Recalled(sources=sources, tokens=len(recalled) // 4))
        prompt = frame_prompt(
            self.question.text,
            self.toolbox.sources.values(),
            hands=self.question.hands,
            recalled=recalled,
            history=self.question.history,
        )
        schema = frame_schema(list(self.toolbox.sources), hands=self.question.hands)
        again = ""
        for calm in (False, True):
            spoken = await self._voice.say(
                _FRAMER, "\n\n".join(filter(None, (prompt, again))), schema=schema, calm=calm
            )
            frame, faults = self._read_frame(spoken)
            if frame is not None and not faults:
                return frame
            again = replan_note(faults)
            await self._emit(
                Note(reason=NoteReason.RETRY, text="; ".join(str(fault) for fault in faults))
            )
        return None

    async def _reviewed(self, frame: Frame, review: Review) -> Frame | None:
        """The plan as a person wants it; a plan that cannot be followed is shown again."""
        while True:
            edited = await review(frame)
            if edited is None:
                return None
            frame = edited
            faults = self._faults(frame)
            if not faults:
                return frame
            await self._emit(
                Note(
                    reason=NoteReason.RETRY,
                    text=f"the plan cannot be followed: {'; '.join(map(str, faults))}",
                )
            )

    def _faults(self, frame: Frame) -> list[PlanFault]:
        columns = {name: source.columns for name, source in self.toolbox.sources.items()}
        return check_plan(frame, columns, self.max_steps)

    def _read_frame(self, spoken: Spoken) -> tuple[Frame | None, list[PlanFault]]:
        read = read_structured(spoken.as_sent(), Frame)
        if read.value is None:
            return None, [PlanFault(step="", reason=f"the frame could not be read: {read.reason}")]
        frame: Frame = read.value
        if frame.route is Route.PLAN and not self.question.hands:
            return None, [PlanFault(step="", reason="hands are switched off for this question")]
        return frame, self._faults(frame)

    async def _framed(self, frame: Frame, order: Sequence[str]) -> None:
        await self._emit(
            Framed(
                goal=frame.goal,
                route=frame.route,
                frame=frame.model_dump(mode="json"),
                order=tuple(order),
            )
        )

    async def _follow(self, frame: Frame) -> Answer:
        controller = Controller(self.toolbox, self.done)
        order = controller.order(frame.steps)
        await self._framed(frame, order)
        reports = await controller.run(frame.steps, order)
        claims = tuple(_claim(report) for report in reports if report.hand is HandName.VERIFY)
        notes = [controller.notes[step.id] for step in frame.steps]
        text, fault = await self._write(frame, notes, claims)
        if fault:
            return await self._say(Status.FAILED, fault, reports, claims, (fault,))
        loose = ungrounded(text, [*notes, self.question.text, *self._descriptions()])
        status, open_points = judge_answer(reports, loose)
        if loose:
            await self._emit(
                Note(
                    reason=NoteReason.UNGROUNDED,
                    text=f"numbers that stand in no result: {', '.join(loose)}",
                )
            )
        return await self._say(status, text, reports, claims, open_points, told=True)

    def _descriptions(self) -> list[str]:
        return [source.description for source in self.toolbox.sources.values()]

    async def _write(
        self, frame: Frame, notes: Sequence[str], claims: Sequence[Claim]
    ) -> tuple[str, str]:
        """The final text and, when there is none, why."""
        prompt = answer_prompt(self.question.text, frame, notes, claims)
        role = self.question.role or _EDITOR
        try:
            for calm in (False, True):
                spoken = await self._voice.say(role, prompt, calm=calm, on_text=self._delta)
                if spoken.text.strip() and not spoken.truncated:
                    return spoken.text.strip(), ""
                why = "was cut off at its token limit" if spoken.truncated else "is empty"
                await self._emit(Note(reason=NoteReason.RETRY, text=f"the answer {why}"))
        except (EngineError, BudgetExceeded) as error:
            return "", f"The steps are done, but the answer could not be written: {error}"
        return "", "The steps are done, but the mind wrote no whole answer."

    async def _delta(self, text: str) -> None:
        await self._emit(AnswerDelta(text=text))

    async def _say(
        self,
        status: Status,
        text: str,
        reports: Sequence[StepReport] = (),
        claims: Sequence[Claim] = (),
        open_points: Sequence[str] = (),
        *,
        told: bool = False,
    ) -> Answer:
        if not told:
            await self._emit(AnswerDelta(text=text))
        await self._emit(Answered(text=text, status=status))
        return self._wrap(text, status, reports, claims, open_points)

    def _wrap(
        self,
        text: str,
        status: Status,
        reports: Sequence[StepReport] = (),
        claims: Sequence[Claim] = (),
        open_points: Sequence[str] = (),
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
            usage=self.purse.spent,
            seconds=self.purse.seconds,
            simulated=self.question.simulated,
        )


def _claim(report: StepReport) -> Claim:
    evidence = "; ".join(check.evidence for check in report.result.evidence)
    return Claim(text=report.task, status=report.result.status, evidence=evidence)
