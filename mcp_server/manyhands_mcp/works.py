"""What a job works on, made from its kind and arguments alone: the same in every process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from manyhands.broker.contracts import Choice, Decision, Effect
from manyhands.checks.sandbox.scratch import lent_folder
from manyhands.errors import InputError
from manyhands.hands.contracts import HandName
from manyhands.jobs.records import QuestionKind
from manyhands.jobs.runner import LiveJob, Work
from manyhands.jobs.store import JobStore
from manyhands.journal.events import Event, ModelLoading
from manyhands.journal.store import no_conversation
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.remote.hands import META
from manyhands.roles.loader import no_role
from manyhands_mcp.caller import LOCAL, Caller
from manyhands_mcp.phases import phase_of
from manyhands_mcp.replies import Outcome, of_answer, of_hand
from manyhands_mcp.tables import Tables

__all__ = ["Works"]

#: How often the mind may ask back within one call.
_MOST_QUESTIONS = 4


class MindStep(BaseModel):
    """What a mind on another machine tells about the step that it calls for."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=40)
    notes: str = Field(default="", max_length=100_000)
    names: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,199}$")], ...] = Field(
        default=(), max_length=8
    )


class Works:
    """Makes the work of each tool; what is wrong with a call is told before any job begins."""

    def __init__(self, mind: Mind, store: JobStore) -> None:
        self._mind = mind
        self._store = store

    def make(self, kind: str, arguments: Mapping[str, Any], caller: Caller) -> Work:
        """The work of a call.

        Raises:
            InputError: an argument cannot be used, or names what is not the caller's.
        """
        match kind:
            case "ask_mind":
                return self._ask(dict(arguments), caller)
            case "recall" | "remember":
                if not caller.memory:
                    raise InputError(
                        "Over HTTP the user's memory is neither read nor written.",
                        hint="memory.over_http = true in this server's settings allows it.",
                    )
                if kind == "recall":
                    return self._recall(arguments, caller)
                return self._remember(arguments, caller)
            case _ if kind in list(HandName):
                return self._hand(HandName(kind), dict(arguments), caller.tables)
            case _:
                raise InputError(f"There is no work {kind!r}.")

    def about(self, arguments: Mapping[str, Any], caller: Caller) -> str:
        """What a call is about beside its arguments: with another, it is another call."""
        return json.dumps([str(caller.folder), *caller.tables.marks(arguments.get("data", ()))])

    def _hand(self, name: HandName, arguments: dict[str, Any], tables: Tables) -> Work:
        from manyhands.mind.single import plan_step, work_one  # heavy: not at start-up

        data: Sequence[str] = arguments.pop("data", [])
        mind_step = _mind_step(arguments.pop("step", None))
        called = mind_step.names if mind_step is not None else ()
        with _scratch() as scratch:  # the names are needed now, and faults told at once
            names = list(tables.find(data, scratch, called))
        called_step = {"id": mind_step.id} if mind_step is not None else {}
        step = plan_step(name, {**arguments, "data": names, **called_step})

        async def work(live: LiveJob) -> dict[str, Any]:
            with _scratch() as scratch:
                run_id, result = await work_one(
                    self._mind,
                    step,
                    tables.find(data, scratch, called),
                    self._watch(live),
                    "mcp",
                    notes=mind_step.notes if mind_step is not None else None,
                )
            return _kept(live, of_hand(run_id, result, simulated=self._mind.simulated))

        return work

    def _ask(self, arguments: dict[str, Any], caller: Caller) -> Work:
        tables = caller.tables
        question: str = arguments.pop("question")
        data: Sequence[str] = arguments.pop("data", [])
        with _scratch() as scratch:
            tables.find(data, scratch)
        self._check_owner(arguments.get("conversation_id", ""), caller.principal)
        role = arguments.get("role", "")
        if role and role not in self._mind.roles:
            raise no_role(role, self._mind.roles)

        async def work(live: LiveJob) -> dict[str, Any]:
            async def approve(effect: Effect, decision: Decision) -> Choice:
                if not caller.person:
                    return Choice.NO
                if effect.too_long:
                    live.tell(effect.too_long)
                    return Choice.NO
                said = await live.ask(
                    QuestionKind.APPROVAL, f"{effect.summary}? ({decision.why})", effect.whole
                )
                return Choice.ONCE if said == "yes" else Choice.NO

            settings = self._mind.settings
            if not caller.memory:
                off = settings.memory.model_copy(update={"enabled": False})
                settings = settings.model_copy(update={"memory": off})
            mind = Mind(
                settings,
                roles=self._mind.roles,
                door="mcp",
                simulated=self._mind.simulated,
                approve=approve,
                folder=caller.folder,
            )
            with _scratch() as scratch:
                files = tables.find(data, scratch)
                answer = await self._answer(mind, live, question, files, dict(arguments))
            return _kept(live, of_answer(answer))

        return work

    def _check_owner(self, conversation_id: str, principal: str) -> None:
        """A conversation that another principal went on with last is as one that is not there."""
        if not conversation_id:
            return
        with self._mind.journal() as journal:
            runs = journal.conversation(conversation_id).runs
        if principal == LOCAL:
            return
        if not runs or not self._store.owns_run(principal, runs[-1].id):
            raise no_conversation(conversation_id)

    async def _answer(
        self,
        mind: Mind,
        live: LiveJob,
        question: str,
        files: Mapping[str, Path],
        options: dict[str, Any],
    ) -> Answer:
        watch = self._watch(live)
        for asked in range(_MOST_QUESTIONS + 1):
            answer: Answer | None = None
            async for item in mind.stream(question, data=files, **options):
                if isinstance(item, Answer):
                    answer = item
                else:
                    watch(item)
            assert answer is not None
            if not answer.question_back or asked == _MOST_QUESTIONS:
                break
            question = await live.ask(QuestionKind.QUESTION, answer.question_back)
            if not question:
                break
            options["conversation_id"] = answer.conversation_id
        assert answer is not None
        return answer

    def _recall(self, arguments: Mapping[str, Any], caller: Caller) -> Work:
        async def work(live: LiveJob) -> dict[str, Any]:
            from manyhands_mcp import memories  # heavy: not at start-up

            live.tell("looks into the memory")
            found = await memories.recall(self._mind.settings, caller.folder, **arguments)
            return found.model_dump(mode="json")

        return work

    def _remember(self, arguments: Mapping[str, Any], caller: Caller) -> Work:
        async def work(live: LiveJob) -> dict[str, Any]:
            from manyhands_mcp import memories

            live.tell("writes to the memory")
            kept = await memories.remember(
                self._mind.settings, caller.folder, live, **arguments, person=caller.person
            )
            return kept.model_dump(mode="json")

        return work

    def _watch(self, live: LiveJob) -> Callable[[Event], None]:
        """Takes a run's events and keeps the job's phase up to date."""
        usual = self._store.usual_s(live.record.kind)

        def watch(event: Event) -> None:
            if event.run_id != live.record.run_id:
                live.began(event.run_id)
            phase = phase_of(event.body)
            if not phase:
                return
            eta = None
            if usual is not None:
                eta = max(0.0, usual - (self._store.clock() - live.record.created)) or None
            if isinstance(event.body, ModelLoading) and event.body.expected_s:
                eta = max(eta or 0.0, event.body.expected_s - event.body.elapsed_s) or None
            live.tell(phase, eta)

        return watch


def _mind_step(given: Any) -> MindStep | None:
    if given is None:
        return None
    try:
        return MindStep.model_validate(given)
    except ValidationError as error:
        raise InputError(f"The request's _meta {META!r} is not as it should be.") from error


def _kept(live: LiveJob, outcome: Outcome) -> dict[str, Any]:
    live.artifacts.extend(item.id for item in outcome.artifacts)
    live.artifacts.extend(outcome.more_artifacts)
    return outcome.model_dump(mode="json")


@contextmanager
def _scratch() -> Any:
    folder, remove = lent_folder()
    try:
        yield folder
    finally:
        remove()
