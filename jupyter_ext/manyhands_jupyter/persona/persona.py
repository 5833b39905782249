"""The persona: what Jupyter AI calls, kept thin. Minds work in a thread, and memory, models and
approvals live beside it, so a persona can come and go with its chat's tabs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ai_persona_manager import (
    BasePersona,
    CommandOption,
    ModelConfiguration,
    ModelOption,
    PersonaDefaults,
    SettingConfiguration,
    SettingOption,
    Usage,
)
from jupyterlab_chat.models import Message
from traitlets import Bool

from manyhands_jupyter.persona.commands import COMMANDS, Name, Said, help_text, read
from manyhands_jupyter.persona.markdown import chat_markdown
from manyhands_jupyter.server.desk import Desk, desk

if TYPE_CHECKING:
    from manyhands.broker.contracts import Approver
    from manyhands.mind.mind import Mind
    from manyhands.settings import Settings
    from manyhands_jupyter.persona.turn import Job, Turn

__all__ = ["MindPersona"]

#: Where a chat keeps its conversation.
_META = "manyhands"
_AUTO = "auto"


class MindPersona(BasePersona):  # type: ignore[misc]
    """The mind in the chat."""

    simulated = Bool(
        False, help="The models are scripted (a rehearsal); every answer then says so."
    ).tag(config=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._desk: Desk = desk()
        self._settings: Settings | None = None
        self._turn: Turn | None = None
        self._desk.chats.add(self)
        self.report_slash_commands(
            [
                CommandOption(name=f"/{name}", description=f"{arguments} · {what}".lstrip(" ·"))
                for name, (arguments, what) in COMMANDS.items()
            ]
        )

    @property
    def defaults(self) -> PersonaDefaults:
        return PersonaDefaults(
            name="Mind",
            description="One mind, many hands: local models whose work is run and checked.",
            avatar_path=str(Path(__file__).with_name("avatar.svg")),
            system_prompt="",  # roles have their own prompts, one file each
        )

    # --- the life of a persona -----------------------------------------------------------------

    async def prepare(self) -> None:
        """Load what is heavy, in the minds' thread, and offer models and roles."""
        self._settings = await self._desk.worker.call(_load)
        await self._offer(self._settings)
        await self._mend()

    async def cancel_response(self) -> None:
        if self._turn is not None:
            self._turn.stop()

    async def shutdown(self) -> None:
        await super().shutdown()
        self._desk.chats.discard(self)
        if self._turn is not None:
            self._turn.stop()

    async def _offer(self, settings: Settings) -> None:
        roles = await self._desk.worker.call(_roles)
        options: dict[str, str] = {}
        for tier in ("mind", "expert", "heavy"):
            if tier in settings.tiers:
                options.setdefault(settings.tiers[tier].model, tier)
        self.report_model_configuration(
            ModelConfiguration(
                current="mind",
                options=[
                    ModelOption(id=tier, name=model, description=f"the model of the {tier} tier")
                    for model, tier in options.items()
                ],
            )
        )
        self.report_settings_configuration(
            [
                SettingConfiguration(
                    id="role",
                    name="Role",
                    description="Who writes the answer",
                    current=_AUTO,
                    options=[
                        SettingOption(id=_AUTO, name="Role: automatic"),
                        *(
                            SettingOption(id=name, name=name, description=what)
                            for name, what in roles.items()
                        ),
                    ],
                ),
                SettingConfiguration(
                    id="hands",
                    name="Hands",
                    description="Whether steps may be run and checked",
                    current="on",
                    options=[
                        SettingOption(id="on", name="Hands: on"),
                        SettingOption(id="off", name="Hands: off, the mind alone"),
                    ],
                ),
                SettingConfiguration(
                    id="notebook",
                    name="Notebook",
                    description="What a question sends of the notebook that you have open",
                    current="cell",
                    options=[
                        SettingOption(id="cell", name="Notebook: cells and variables"),
                        SettingOption(id="nothing", name="Notebook: nothing"),
                    ],
                ),
            ]
        )

    async def _mend(self) -> None:
        """Say of answers that a former server did not finish how they ended."""
        from manyhands_jupyter.persona.mending import mend

        await mend(self.chat, self.id, self._desk, self._settings)

    def rated(self, run_id: str, good: bool, reason: str) -> None:
        """Show a rating with its answer."""
        from manyhands_jupyter.persona.board import KEY, put

        for message in self.chat.get_messages():
            told = (message.metadata or {}).get(KEY)
            if isinstance(told, dict) and told.get("run_id") == run_id:
                put(
                    self.chat,
                    message,
                    {**told, "rating": "good" if good else "bad", "reason": reason},
                )

    # --- messages ------------------------------------------------------------------------------

    async def on_message(self, message: Message) -> None:
        """Messages wait for their turn; `/stop` must not."""
        if read(message.body).name is Name.STOP:
            self.send_message("Stopping." if self._turn is not None else "Nothing goes on here.")
            await self.cancel_response()
            return
        await super().on_message(message)

    async def process_message(self, message: Message) -> None:
        from manyhands.errors import ManyhandsError

        said = read(message.body)
        try:
            words = await self._say(said, message)
        except ManyhandsError as error:
            words = f"**That did not work.** {error}"
        if words:
            self.send_message(chat_markdown(words))

    async def _say(self, said: Said, message: Message) -> str:
        """Answer at once in words, or take a turn."""
        from manyhands_jupyter.persona import jobs, looking, variables

        assert self._settings is not None
        settings, worker, folder = self._settings, self._desk.worker, self._folder()
        match said.name:
            case Name.UNKNOWN:
                return f"There is no `{said.word}` here.\n\n{help_text()}"
            case Name.HELP:
                return help_text()
            case Name.NEW:
                self._remember_conversation("")
                return "The next question begins a new conversation."
            case Name.ROLES:
                roles = await worker.call(_roles)
                return "\n".join(f"- **{name}**: {what}" for name, what in roles.items())
            case Name.STATUS:
                return await worker.begin(jobs.status(settings)).wait()
            case Name.RUNS:
                return await worker.call(lambda: jobs.runs(settings))
            case Name.SEEN:
                conversation = self._conversation()
                return await worker.call(lambda: jobs.seen(settings, conversation))
            case Name.REMEMBER:
                return await worker.begin(jobs.remember(settings, said.rest, folder)).wait()
            case Name.FORGET:
                return await worker.begin(jobs.forget(settings, said.rest, folder)).wait()
            case Name.RESUME:
                await self._take_turn(jobs.resume(self._conversation()))
                return ""
        attached = await looking.attached(self, message, self._desk.tabs)
        if said.name in (Name.HAND, Name.VERIFY):
            name, _, task = said.rest.partition(" ")
            if said.name is Name.VERIFY:
                name, task = "verify", said.rest
            await self._take_turn(jobs.hand(name, task.strip(), attached.data), apart=True)
            return ""
        question, context = said.rest, dict(attached.context)
        data: dict[str, Any] = {name: str(path) for name, path in attached.data.items()}
        chosen = self.get_settings()
        if chosen.get("notebook") != "nothing":
            around = await looking.around(message, self._desk.tabs)
            context |= around.context
            connection = self._desk.kernel(around.kernel_id) if around.kernel_id else None
            if connection is not None:
                seen = await worker.begin(variables.variables(connection, question)).wait()
                question = seen.question
                context.update(seen.context)
                data.update(seen.data)
        role = chosen.get("role") or _AUTO
        await self._take_turn(
            jobs.ask(
                question,
                self._conversation(),
                data=data,
                context=context,
                role="" if role == _AUTO else role,
                hands=chosen.get("hands") != "off",
                council=said.name is Name.COUNCIL,
                save_folder=folder,
            )
        )
        return ""

    # --- a turn --------------------------------------------------------------------------------

    async def _take_turn(self, job: Job, *, apart: bool = False) -> None:
        """Let the mind work and show it; `apart`: the run is not of the chat's conversation."""
        from manyhands_jupyter.persona.board import Board
        from manyhands_jupyter.persona.companions import cards
        from manyhands_jupyter.persona.turn import Turn

        board = Board(self.chat, self.id, cards())
        turn = self._turn = Turn(
            self._desk,
            self.chat.get_id(),
            board,
            self.log,
            self.set_status,
            (lambda _: None) if apart else self._remember_conversation,
        )
        try:
            told = await turn.play(self._mind, job)
            if told.conversation_id and not apart:
                self._remember_conversation(told.conversation_id)
            board.save(told.text, turn.telling.told()[1])
            await self._report_usage(turn)
        except asyncio.CancelledError:
            board.save(*turn.telling.told())
            raise
        finally:
            self._turn = None
            self.clear_status()

    def _mind(self, approve: Approver) -> Mind:
        """The mind of a turn, made in the minds' thread."""
        from manyhands.broker.policy import Approvals
        from manyhands.mind.mind import Mind
        from manyhands.settings import load_settings

        settings = load_settings()
        tier = self.get_model() or "mind"
        if tier in settings.tiers:
            tiers = {**settings.tiers, "mind": settings.tiers[tier]}
            settings = settings.model_copy(update={"tiers": tiers})
        self._settings = settings
        mind = Mind(settings, door="jupyter", simulated=self.simulated, approve=approve)
        mind.approvals = self._desk.approved.get(self.chat.get_id(), Approvals())
        return mind

    async def _report_usage(self, turn: Turn) -> None:
        from manyhands_jupyter.persona import jobs

        telling = turn.telling
        if not telling.context_tokens or self._settings is None:
            return
        size = await self._desk.worker.begin(jobs.window(self._settings, telling.tier)).wait()
        self.report_usage(Usage(context_tokens=telling.context_tokens, context_size=size))
        self.report_usage(
            Usage(
                input_tokens=telling.prompt_tokens,
                output_tokens=telling.completion_tokens,
                total_tokens=telling.prompt_tokens + telling.completion_tokens,
            ),
            append=True,
        )

    def _folder(self) -> Path:
        return Path(self.get_workspace_dir())

    def _conversation(self) -> str:
        kept = self.chat.get_metadata().get(_META)
        return str(kept.get("conversation", "")) if isinstance(kept, dict) else ""

    def _remember_conversation(self, conversation_id: str) -> None:
        self.chat.set_metadata(_META, {"conversation": conversation_id})


def _load() -> Settings:
    """Import what a turn needs and read the settings; in the minds' thread."""
    from manyhands.settings import load_settings
    from manyhands_jupyter.persona import jobs, looking, variables  # noqa: F401 - imported for its cost

    return load_settings()


def _roles() -> dict[str, str]:
    from manyhands.roles.loader import load_roles

    return {name: role.summary for name, role in load_roles().items()}
