"""The mind's framing calls: the first frame of a question, and its revision by what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from manyhands.errors import ManyhandsError
from manyhands.hands.contracts import HandName
from manyhands.hands.tokens import PER_MESSAGE
from manyhands.journal.events import AnswerDelta, Framed, Note, NoteReason, Recalled
from manyhands.mind.frame import Frame, PlanFault, Route, check_plan, frame_schema
from manyhands.mind.prompts import frame_prompt, replan_note, revise_prompt
from manyhands.mind.question import Question, Recall, Review
from manyhands.mind.speaking import AnswerReader
from manyhands.mind.tools import Toolbox
from manyhands.recover import read_structured
from manyhands.remote.tools import OutsideTool

__all__ = ["FRAMER", "Framer"]

FRAMER = "framer"


class Framer:
    """Makes frames that can be followed; one that cannot goes back to the mind once.

    Attributes:
        spoken: what was told of a direct answer while the first frame was written.
    """

    def __init__(self, toolbox: Toolbox, question: Question, max_steps: int) -> None:
        self._box = toolbox
        self._question = question
        self._max_steps = max_steps
        self.recalled = ""
        self.spoken = ""

    @property
    def _tools(self) -> Mapping[str, OutsideTool]:
        return self._box.outside.tools if self._box.outside is not None else {}

    async def recall(self, recall: Recall | None) -> None:
        """Ask memory; a memory that cannot be read is told and does not stop the question."""
        if recall is None:
            return
        sources: tuple[str, ...] = ()
        try:
            self.recalled, found = await recall(self._question.text)
            sources = tuple(found)
        except ManyhandsError as error:
            await self._box.emit(Note(reason=NoteReason.MEMORY, text=str(error)))
        await self._box.emit(Recalled(sources=sources, tokens=len(self.recalled) // 4))

    async def first(self) -> Frame | None:
        """The frame of the question; None when the mind gave none that can be followed.

        Raises:
            ContextOverflow: the question alone is longer than the window.
            EngineError: the mind could not be reached.
        """
        role = self._box.voice.role(FRAMER)
        prompt, packed = frame_prompt(
            self._question,
            self._box.sources.values(),
            recalled=self.recalled,
            tools=[tool.line for tool in self._tools.values()],
            system=role.prompt,
            room_tokens=self._box.voice.room(FRAMER) - 2 * PER_MESSAGE,
            count=lambda text: self._box.voice.tokens(text, FRAMER),
        )
        await self._box.tell_left_out(packed)
        # A role that a person named writes the answer itself.
        return await self._ask(prompt, speaks=not self._question.role)

    async def revise(self, frame: Frame, notes: Sequence[str], why: str) -> Frame | None:
        """Further steps in the light of what was found, or a council; None when the mind has none.

        Args:
            why: one sentence: what made the plan so far wrong.
        """
        prompt, packed = revise_prompt(
            self._question.text,
            frame,
            notes,
            self._box.sources,
            why,
            self._box.room(FRAMER),
            [tool.line for tool in self._tools.values()],
        )
        await self._box.tell_left_out(packed)
        done = {step.id: step.hand for step in frame.steps}
        revised = await self._ask(prompt, done)
        further = (Route.PLAN, Route.COUNCIL)
        return revised if revised is not None and revised.route in further else None

    async def reviewed(self, frame: Frame, review: Review) -> Frame | None:
        """The plan as a person wants it; a plan that cannot be followed is shown again."""
        while True:
            edited = await review(frame)
            if edited is None:
                return None
            frame = edited
            faults = self._faults(frame)
            if not faults:
                return frame
            await self._box.emit(
                Note(
                    reason=NoteReason.RETRY,
                    text=f"the plan cannot be followed: {'; '.join(map(str, faults))}",
                )
            )

    async def tell(self, frame: Frame, order: Sequence[str], revision: int = 0) -> None:
        """Write the frame that is followed into the journal."""
        await self._box.emit(
            Framed(
                goal=frame.goal,
                route=frame.route,
                frame=frame.model_dump(mode="json"),
                order=tuple(order),
                revision=revision,
            )
        )

    async def _ask(
        self,
        prompt: str,
        done: Mapping[str, HandName] | None = None,
        *,
        speaks: bool = False,
    ) -> Frame | None:
        """A frame that can be followed; with `speaks` a direct answer is told as it is written."""
        schema = frame_schema(
            list(self._box.sources), hands=self._question.hands, tools=self._tools
        )
        again = ""
        for calm in (False, True):
            reader = AnswerReader()

            async def speak(piece: str, reader: AnswerReader = reader) -> None:
                if new := reader.feed(piece):
                    await self._box.emit(AnswerDelta(text=new))

            spoken = await self._box.voice.say(
                FRAMER,
                "\n\n".join(filter(None, (prompt, again))),
                schema=schema,
                calm=calm,
                on_text=speak if speaks else None,
                on_anew=reader.begin_anew,
            )
            self.spoken = reader.said
            read = read_structured(spoken.as_sent(), Frame)
            frame: Frame | None = read.value
            if frame is None:
                fault = f"the frame could not be read: {read.reason}"
                faults = [PlanFault(step="", reason=fault)]
            else:
                faults = self._faults(frame, done)
                if not faults:
                    return frame
            again = replan_note(faults)
            await self._box.emit(
                Note(reason=NoteReason.RETRY, text="; ".join(str(fault) for fault in faults))
            )
        return None

    def _faults(self, frame: Frame, done: Mapping[str, HandName] | None = None) -> list[PlanFault]:
        if frame.route is Route.PLAN and not self._question.hands:
            return [PlanFault(step="", reason="hands are switched off for this question")]
        columns = {name: source.columns for name, source in self._box.sources.items()}
        required = {name: tool.required for name, tool in self._tools.items()}
        return check_plan(frame, columns, self._max_steps, done, required)
