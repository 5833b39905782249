"""The council: blind drafts from several sides, decided by what runs, else by a stated rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import anyio

from manyhands.checks.sandbox.contracts import RunStatus, SandboxRun
from manyhands.hands.contracts import Spend, Status, proves
from manyhands.hands.work import block_of, fenced, prompt_of
from manyhands.journal.events import CouncilDone, CouncilDraft
from manyhands.mind.grounding import ungrounded
from manyhands.mind.packing import Packed, Part
from manyhands.mind.question import Question
from manyhands.mind.tools import Toolbox
from manyhands.mind.verdict import UNKNOWN, Decided, Draft, answer_line, decide

__all__ = ["SEATS", "Council", "CouncilVerdict"]

_MEMBER = "councillor"
_CHAIR = "chair"
_PYTHON = ("python", "py", "python3")
#: What Markdown could take for its own in an answer.
_MARKS = frozenset("*_~$<[\\")

#: Seat -> its job. The job stands last in the prompt: all that goes before is the same for every
#: seat, so that the server reads it once.
SEATS: Mapping[str, str] = {
    "proposer": "Your seat: proposer. Give the best answer that you can stand behind, and the one "
    "reason that carries it.",
    "breaker": "Your seat: breaker. Take the answer that most people would give and try to break "
    "it. Then answer with what survives.",
    "tester": "Your seat: tester. Find what could be computed or looked up to decide the question, "
    "do it in a program if the data allow it, and answer with what it shows.",
    "estimator": "Your seat: estimator. Bound the answer from below and above by rough figures "
    "that you can name, then answer with what lies between.",
}


#: What four programs may print, counted before they have.
_EVIDENCE_ROOM = "- a program printed: " + "0" * 200


@dataclass(frozen=True, slots=True)
class CouncilVerdict:
    """The council's answer for the user, with its status and what stays open."""

    text: str
    status: Status
    open_points: tuple[str, ...]


class Council:
    """One sitting. The members are one model on one loaded base; only their last lines differ.

    Args:
        found: what steps brought before checks could not decide.
    """

    def __init__(
        self, toolbox: Toolbox, question: Question, recalled: str = "", found: str = ""
    ) -> None:
        self._box = toolbox
        self._question = question
        self._recalled = recalled
        self._found = found
        self._spend = Spend()

    async def hold(self) -> CouncilVerdict:
        """Draft blind, run what can be run, exchange the evidence once if they differ, decide.

        Raises:
            EngineError: the mind could not be reached.
            BudgetExceeded: the run's budget is used up.
        """
        common, packed = self._common()
        await self._box.tell_left_out(packed)
        drafts = await self._round(1, common, dict.fromkeys(SEATS, ""))
        decided = decide(drafts)
        evidence = _evidence(drafts)
        if decided.dissent and evidence:
            drafts = await self._round(2, common, dict.fromkeys(SEATS, evidence))
            decided = decide(drafts)
        text = await self._chair(decided, drafts)
        tokens = self._spend.prompt_tokens + self._spend.completion_tokens
        await self._box.emit(
            CouncilDone(
                decided_by=decided.how,
                answer=decided.answer,
                dissent=decided.dissent,
                tokens=tokens,
            )
        )
        dissent = "; ".join(decided.dissent) or "none"
        closing = f"Decided by {decided.how}. Dissent: {dissent}. Cost: {tokens} tokens."
        loose = ungrounded(text, [*self._grounds(drafts), decided.how])
        status = Status.VERIFIED if decided.proved and not loose else Status.UNVERIFIED
        if decided.answer == UNKNOWN:
            status = Status.CANNOT
        open_points = [f"the number {number} stands in no draft" for number in loose]
        if not decided.proved:
            open_points.insert(0, f"the council's answer rests on {decided.how}")
        return CouncilVerdict(f"{text}\n\n{closing}", status, tuple(open_points))

    def _grounds(self, drafts: Sequence[Draft]) -> list[str]:
        """Where the chair's numbers may come from."""
        said = [f"{draft.answer} {draft.printed}" for draft in drafts]
        described = [source.description for source in self._box.sources.values()]
        return [*said, *described, self._question.text, self._found]

    def _common(self) -> tuple[str, Packed]:
        """The part of the prompt that all seats share, to the letter, and what did not fit."""
        described = "\n".join(source.description for source in self._box.sources.values())
        files = ", ".join(source.file_name for source in self._box.sources.values())
        around = "\n\n".join(f"{name}:\n{text}" for name, text in self._question.context.items())
        told = f"Data files for a program: {files}." if files else ""
        asked = f"Question: {self._question.text}"
        packed = self._box.room(_MEMBER).pack(
            [told, asked, max(SEATS.values(), key=len), _EVIDENCE_ROOM],
            [
                Part("results so far", self._found, self._found[:2000]),
                Part("the data's description", described, described[:1500]),
                Part("the notebook's context", around, around[:2000]),
                Part("what memory gave", self._recalled, self._recalled[:800]),
            ],
            self._question.turns,
        )
        found, data, context, memory = packed.parts
        text = prompt_of(
            fenced("data", data) if data else "No data were given.",
            told,
            fenced("context", context) if context else "",
            fenced("earlier turns", packed.turns) if packed.turns else "",
            fenced("memory", memory) if memory else "",
            fenced("results so far", found) if found else "",
            asked,
        )
        return text, packed

    async def _round(self, number: int, common: str, evidence: Mapping[str, str]) -> list[Draft]:
        """All seats at once; none sees what another wrote."""
        drafts: dict[str, Draft] = {}

        async def sit(seat: str) -> None:
            drafts[seat] = await self._draft(seat, number, common, evidence[seat])

        async with anyio.create_task_group() as tasks:
            for seat in SEATS:
                tasks.start_soon(sit, seat)
        return [drafts[seat] for seat in SEATS]

    async def _draft(self, seat: str, number: int, common: str, evidence: str) -> Draft:
        shown = fenced("what the programs printed when they were run", evidence) if evidence else ""
        spoken = await self._box.voice.say(
            _MEMBER, prompt_of(common, shown, SEATS[seat]), step=f"council:{seat}"
        )
        self._spend += spoken.spend
        draft = Draft(seat, UNKNOWN if spoken.truncated else answer_line(spoken.text))
        program, _ = block_of(spoken, _PYTHON)
        if program and not spoken.truncated:
            draft = await self._run(draft, program)
        await self._box.emit(
            CouncilDraft(
                role=seat,
                round=number,
                answer=draft.answer,
                evidence=f"its program prints {draft.printed}" if draft.printed else "",
                tokens=spoken.spend.prompt_tokens + spoken.spend.completion_tokens,
            )
        )
        return draft

    async def _run(self, draft: Draft, program: str) -> Draft:
        """The draft with what its program prints, and whether that rests on the data."""
        inputs = {source.file_name: source.host_path for source in self._box.sources.values()}
        printed = await self._last_line(SandboxRun(code=program, inputs=inputs))
        if not printed:
            return draft
        without = await self._last_line(SandboxRun(code=program)) if inputs else printed
        isolated = proves(await self._box.bench.isolation())
        return replace(draft, printed=printed, rests_on_data=isolated and without != printed)

    async def _last_line(self, job: SandboxRun) -> str:
        result = await self._box.bench.run(job)
        if result.status is not RunStatus.OK:
            return ""
        return result.stdout.strip().rpartition("\n")[2].strip()[:200]

    async def _chair(self, decided: Decided, drafts: Sequence[Draft]) -> str:
        """The decided answer in words; the chair explains it and cannot change it."""
        if decided.answer == UNKNOWN:
            return "The council found no answer."
        drawn = "\n".join(
            f"- {draft.seat}: {draft.answer}"
            + (f" (its program prints {draft.printed})" if draft.printed else "")
            for draft in drafts
        )
        spoken = await self._box.voice.say(
            _CHAIR,
            prompt_of(
                fenced("drafts", drawn),
                f"Question: {self._question.text}",
                f"The answer was decided: {decided.answer} ({decided.how}). Explain it to the "
                "user in at most five sentences. Do not change it and add no numbers.",
            ),
            calm=True,
        )
        self._spend += spoken.spend
        told = spoken.text.strip()
        # In bold the marks of `3*x**2` would end it.
        head = f"`{decided.answer}`" if _MARKS.intersection(decided.answer) else decided.answer
        return f"**{head}**\n\n{told}" if told else f"**{head}**"


def _evidence(drafts: Sequence[Draft]) -> str:
    """What the programs printed, without a word of who wrote them or what was said."""
    lines = sorted(draft.printed for draft in drafts if draft.printed)
    return "\n".join(f"- a program printed: {line}" for line in lines)
