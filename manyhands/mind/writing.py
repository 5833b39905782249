"""The mind's last calls: reading on in results that were cut, and writing the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from manyhands.errors import BudgetExceeded, EngineError, ManyhandsError
from manyhands.hands.schemas import flat_schema
from manyhands.hands.work import fenced, prompt_of
from manyhands.journal.events import AnswerDelta, Note, NoteReason, PassageRead
from manyhands.mind.answer import Claim
from manyhands.mind.frame import Frame
from manyhands.mind.prompts import answer_prompt, read_prompt
from manyhands.mind.question import Question
from manyhands.mind.reading import read_at, search
from manyhands.mind.tools import Toolbox
from manyhands.recover import read_structured

__all__ = ["Read", "Reads", "Writer"]

_EDITOR = "editor"
#: Characters of one passage, and how many passages one answer may ask for.
_PASSAGE = 2400
_MOST_READS = 4


class Read(BaseModel):
    """One wish to read on: `search` words, an `offset`, or a `question` about the whole."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    step: str
    search: str = ""
    offset: int = 0
    question: str = ""


class Reads(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    reads: tuple[Read, ...] = Field(default=())


class Writer:
    """Writes the answer of a plan from its notes."""

    def __init__(self, toolbox: Toolbox, question: Question) -> None:
        self._box = toolbox
        self._question = question

    async def read_on(self, notes: Sequence[str], handles: Mapping[str, str]) -> list[str]:
        """The passages that the mind asks for out of results that were cut.

        Args:
            handles: step -> artifact id, for the steps whose notes were cut.
        """
        if not handles:
            return []
        schema = flat_schema(Reads)
        schema["properties"]["reads"]["items"]["properties"]["step"] = {"enum": list(handles)}
        spoken = await self._box.voice.say(
            _EDITOR,
            read_prompt(self._question.text, notes, self._box.room(_EDITOR)),
            schema=schema,
            calm=True,
        )
        wishes = read_structured(spoken.as_sent(), Reads).value or Reads()
        passages = []
        for wish in wishes.reads[:_MOST_READS]:
            if wish.step in handles:
                passages.append(await self._passage(wish, handles[wish.step]))
        return passages

    async def _passage(self, wish: Read, artifact: str) -> str:
        try:
            whole = (await self._box.open(artifact)).decode("utf-8", errors="replace")
        except ManyhandsError as error:
            return f"{wish.step}: {error}"
        if wish.question:
            how, text = f"asked {wish.question!r}", await self._asked(wish.question, whole)
        elif wish.search:
            how = f"searched for {wish.search!r}"
            text = "\n…\n".join(map(str, search(whole, wish.search))) or "nothing found"
        else:
            how, text = f"read from {wish.offset}", str(read_at(whole, wish.offset, _PASSAGE))
        await self._box.emit(
            PassageRead(step=wish.step, artifact=artifact, how=how, tokens=self._tokens(text))
        )
        return f"{wish.step}, {how}:\n{text}"

    async def _asked(self, question: str, whole: str) -> str:
        """One call over the start of the whole; a longer one is searched for the question first."""
        room = self._box.room(_EDITOR).tokens - self._tokens(question) - 200
        text = whole
        if self._tokens(text) > room:
            text = "\n…\n".join(map(str, search(whole, question, limit=12))) or whole[:room]
        spoken = await self._box.voice.say(
            _EDITOR,
            prompt_of(
                fenced("result", text),
                f"Question: {question}",
                "Answer in at most five sentences, with the exact words and numbers that stand "
                "there. Say so if it is not there.",
            ),
            calm=True,
        )
        return spoken.text.strip()

    def _tokens(self, text: str) -> int:
        return self._box.voice.tokens(text, _EDITOR)

    async def write(
        self,
        frame: Frame,
        notes: Sequence[str],
        claims: Sequence[Claim],
        handles: Mapping[str, str],
    ) -> tuple[str, str]:
        """The final text and, when there is none, why."""
        role = self._question.role or _EDITOR
        try:
            passages = await self.read_on(notes, handles)
            room = self._box.room(role)
            prompt, packed = answer_prompt(
                self._question.text, frame, notes, claims, passages, room
            )
            await self._box.tell_left_out(packed)
            for calm in (False, True):
                spoken = await self._box.voice.say(role, prompt, calm=calm, on_text=self._delta)
                if spoken.text.strip() and not spoken.truncated:
                    return spoken.text.strip(), ""
                why = "was cut off at its token limit" if spoken.truncated else "is empty"
                await self._box.emit(Note(reason=NoteReason.RETRY, text=f"the answer {why}"))
        except (EngineError, BudgetExceeded) as error:
            return "", f"The steps are done, but no answer could be written from them. {error}"
        return "", "The steps are done, but the mind wrote no whole answer."

    async def in_role(self, frame: Frame) -> str:
        """The role's own answer to a question without steps; empty on a fault."""
        prompt = prompt_of(
            fenced("draft", frame.answer),
            f"Goal: {frame.goal}",
            f"Question: {self._question.text}",
            "Answer the question as your role does; the draft is a first thought, not yours.",
        )
        try:
            spoken = await self._box.voice.say(self._question.role, prompt, on_text=self._delta)
        except (EngineError, BudgetExceeded) as error:
            await self._box.emit(Note(reason=NoteReason.RETRY, text=f"the role: {error}"))
            return ""
        return spoken.text.strip()

    async def _delta(self, text: str) -> None:
        await self._box.emit(AnswerDelta(text=text))
