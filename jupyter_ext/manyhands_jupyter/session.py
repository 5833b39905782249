"""One kernel's session with the mind: what it asked, what goes on, what it may do."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.util
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manyhands.errors import InputError, ManyhandsError, Unreachable, fault_in
from manyhands_jupyter.context.outputs import Ran, Recorder
from manyhands_jupyter.kernel import CellFault, cells_wait, has_person, main_loop
from manyhands_jupyter.magics.words import Words
from manyhands_jupyter.working import Work, Workshop

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from manyhands.broker.contracts import Approver
    from manyhands.mind.frame import PlanStep
    from manyhands.mind.mind import Mind
    from manyhands.settings import Settings
    from manyhands_jupyter.acting.hands import Acting
    from manyhands_jupyter.context.gather import Gathered
    from manyhands_jupyter.rehearsing import Rehearsal
    from manyhands_jupyter.views.reply import Reply
    from manyhands_jupyter.views.shows import Show

__all__ = ["Session"]

#: Cells that speak to the mind; they are in its conversation, not in its context.
_OWN = re.compile(r"^\s*%%?(?:mind|hand|load_ext manyhands)\b")
_SETTLE_S = 5.0


class Session:
    """What the magics and panels of one kernel share.

    Attributes:
        conversation_id: continued by the next question; empty for a fresh one.
        reply: the newest answer.
        rehearsal: scripted models, while they play.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.recorder = Recorder(shell)
        self.workshop = Workshop()
        self.conversation_id = ""
        self.reply: Reply | None = None
        self.rehearsal: Rehearsal | None = None
        self.main_loop = main_loop(shell)
        self._acting: Acting | None = None

    @property
    def settings(self) -> Settings:
        """The user's, read anew for each question; while models are rehearsed, theirs."""
        from manyhands.settings import load_settings

        return self.rehearsal.settings if self.rehearsal is not None else load_settings()

    @property
    def acting(self) -> Acting:
        """What this session may do to the notebook."""
        if self._acting is None:
            from manyhands_jupyter.acting.hands import Acting

            self._acting = Acting(self)
        return self._acting

    def mind(self, approve: Approver) -> Mind:
        from manyhands.mind.mind import Mind

        return Mind(
            self.settings,
            door="notebook",
            simulated=self.rehearsal is not None,
            approve=approve,
        )

    def rehearse(self, script: Path) -> None:
        """Have a script play every model; a new conversation begins."""
        from manyhands_jupyter.rehearsing import Rehearsal

        begun = Rehearsal(self.settings, script)
        self.end_rehearsal()
        self.rehearsal = begun

    def end_rehearsal(self) -> bool:
        """Go back to the user's own models; whether a script was playing."""
        ended, self.rehearsal = self.rehearsal, None
        self.conversation_id = ""
        if ended is not None:
            ended.end()
        return ended is not None

    def close(self) -> None:
        self.recorder.end()
        self.workshop.close()
        self.end_rehearsal()

    # --- asking --------------------------------------------------------------------------------

    def ask(self, words: Words, *, about: Ran | None = None, mends: bool = False) -> None:
        """Ask the mind; the cell ends at once, or waits as `words` and the kernel want it.

        Args:
            about: the execution that the question is about.
            mends: the answer's program is meant for the place of that cell.

        Raises:
            CellFault: what a waiting cell shows instead of an answer.
        """

        def prepare() -> Gathered:
            from manyhands_jupyter.context.gather import gather

            if not words.text.strip():
                raise InputError("The question is empty.", hint="Ask something in plain words.")
            return gather(
                self.shell,
                self.recorder,
                words.text,
                data=words.data,
                around=words.context,
                about=about,
                keep=self.keep_picture,
                own=_OWN,
            )

        async def make(given: Gathered, show: Show) -> Reply:
            from manyhands_jupyter.answering import answer

            return await answer(self, given, words, show, about if mends else None)

        self._begin(words, prepare, make)

    def hand(self, name: str, words: Words) -> None:
        """Have one hand work; like `ask`. It gets the data that its words name or mention."""
        from manyhands_jupyter.magics.single import handed_over, step_of

        def prepare() -> tuple[PlanStep, Gathered]:
            from manyhands_jupyter.context.gather import gather

            given = gather(self.shell, self.recorder, words.text, data=words.data, around=False)
            task = given.question
            if given.context and name in ("code", "math"):
                # A hand sees its task and its data; what it mentions beside goes into the task.
                task += "\n\n" + "\n".join(given.context.values())
            return step_of(name, words, task, handed_over(words, self), given.data), given

        async def make(given: tuple[PlanStep, Gathered], show: Show) -> Reply:
            from manyhands_jupyter.answering import work_hand

            return await work_hand(self, *given, show)

        self._begin(words, prepare, make)

    def resume(self, run_id: str, words: Words) -> None:
        """Go on with a run that was cut or stopped, of whatever door."""

        async def make(given: str, show: Show) -> Reply:
            from manyhands_jupyter.answering import go_on

            return await go_on(self, given, show)

        self._begin(words, lambda: run_id, make)

    def _begin(
        self,
        words: Words,
        prepare: Callable[[], Any],
        make: Callable[[Any, Show], Coroutine[Any, Any, Reply]],
    ) -> None:
        waits = words.wait or not has_person(self.shell) or self.main_loop is None
        waits = waits or cells_wait(self.shell)
        begun: list[Work[Reply]] = []
        show = self._show(lambda: begun[0], waits=waits)
        try:
            given = prepare()
        except ManyhandsError as error:
            dismiss = getattr(show, "dismiss", None)
            if dismiss is not None:
                dismiss()
            raise CellFault(str(error)) from None

        def begin(work: Work[Reply]) -> Coroutine[Any, Any, Reply]:
            begun.append(work)
            return self._shown(make(given, show), show)

        work = self.workshop.begin(begin)
        if waits:
            reply = self._wait(work)
            if words.to:
                self.shell.user_ns[words.to] = reply

    def _show(self, work: Callable[[], Work[Any]], *, waits: bool) -> Show:
        if has_person(self.shell) and self.main_loop is not None:
            if importlib.util.find_spec("anywidget") is not None:
                from manyhands_jupyter.views.panel import PanelShow

                return PanelShow(self, work, waits=waits)
            if not waits:
                from manyhands_jupyter.views.shows import TextShow

                return TextShow()
        from manyhands_jupyter.views.shows import PrintShow

        return PrintShow(work, asks=has_person(self.shell))

    async def _shown(self, answering: Coroutine[Any, Any, Reply], show: Show) -> Reply:
        """The work with its end told to the view, whatever the end is."""
        tree = show.tree
        try:
            reply = await answering
        except asyncio.CancelledError:
            show.failed(stopped_text(tree.run_id), tree)
            raise
        except BaseException as error:
            fault = fault_in(error)
            if isinstance(fault, Unreachable):
                fault.hint += " Without a server, `%mind rehearse SCRIPT` plays a dry run."
            said = str(fault) if fault is not None else f"{type(error).__name__}: {error}"
            show.failed(said, tree)
            raise fault or error from None
        self.reply = reply
        self.shell.user_ns["_mind"] = reply
        show.finished(reply)
        return reply

    def _wait(self, work: Work[Reply]) -> Reply:
        try:
            return work.wait()
        except KeyboardInterrupt:
            work.stop()
            work.settle(_SETTLE_S)
            raise CellFault("Stopped. `%mind resume` goes on with it.") from None
        except concurrent.futures.CancelledError:
            raise CellFault("Stopped. `%mind resume` goes on with it.") from None
        except ManyhandsError as error:
            raise CellFault(str(error)) from None

    # --- what goes on --------------------------------------------------------------------------

    def stop(self) -> int:
        """Stop all that this kernel asked for; how much that was."""
        works = self.workshop.working()
        for work in works:
            work.stop()
        return len(works)

    def last_error(self) -> Ran:
        """The newest cell that failed, other than the mind's own; raises `InputError`."""
        found = (ran for ran in reversed(self.recorder.cells()) if ran.error)
        ran = next((ran for ran in found if not _OWN.match(ran.source)), None)
        if ran is None:
            raise InputError(
                "No cell of this kernel has failed since %load_ext manyhands.",
                hint="Run the cell that fails, then %mind fix.",
            )
        return ran

    def last_output(self) -> Ran:
        """The newest cell with something to look at; raises `InputError`."""
        for ran in reversed(self.recorder.cells()):
            if ran.finished and not _OWN.match(ran.source) and (ran.output or ran.error):
                return ran
        raise InputError(
            "No cell of this kernel has shown anything since %load_ext manyhands.",
            hint="Run a cell with an output, then %mind explain.",
        )

    def keep_picture(self, content: bytes) -> str:
        """Keep a picture of an output as a file beside the journal; its path."""
        from manyhands_jupyter.context.cells import keep_in

        return keep_in(self.settings.journal.path.parent / "pictures")(content)

    def rate(self, run_id: str, good: bool, reason: str) -> None:
        """Write what a person thinks of an answer into its run."""
        from manyhands_jupyter.afterwards import rate
        from manyhands_jupyter.telling import wait_for

        wait_for(self, rate(self.settings.journal.path, run_id, good, reason, "notebook"))


def stopped_text(run_id: str) -> str:
    return f"Stopped. `%mind resume {run_id}` goes on with it." if run_id else "Stopped."
