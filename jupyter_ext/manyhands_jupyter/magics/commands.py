"""The magics themselves: each reads its words and hands them to the session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.magic import Magics, line_cell_magic, magics_class

from manyhands.errors import InputError, ManyhandsError
from manyhands_jupyter.kernel import CellFault
from manyhands_jupyter.magics.words import Words, read_words
from manyhands_jupyter.session import Session

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["MindMagics"]

_HELP = """%mind QUESTION            ask; %%mind asks the whole cell
  --data df,x  --role NAME  --no-hands  --council  --no-context  --wait  --to NAME
  {df} or @df in the text brings that variable's schema
%%hand code|math|visualize|verify [options]   one step; its task is the cell
%mind fix [hint]          mend the last cell that failed
%mind explain [question]  explain the last output
%mind see [RUN]           what was sent with the last question
%mind status  stop  runs [N]  trace [RUN]  resume [RUN]  roles [NAME]
%mind memory [WORDS]      what is remembered;  memory add|search|why|show|edit|forget|…  changes it
%mind good|bad [reason]   rate the last answer
%mind allow ask|session|never   running proposed cells;  %mind limit SECONDS  per cell
%mind panel               the control panel
%mind new                 begin a new conversation;  %mind help  all this
%mind rehearse SCRIPT|off scripted models, for a dry run"""
_SAW = ("what did you see", "what did you see?")


@magics_class
class MindMagics(Magics):  # type: ignore[misc]
    """The magics of one shell, with their session."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.session = Session(shell)

    @line_cell_magic  # type: ignore[untyped-decorator]
    def mind(self, line: str, cell: str | None = None) -> None:
        """Ask the mind, or tell it what to do: `%mind help` lists it all."""

        def act() -> None:
            words = read_words(line, cell)
            if words.command:
                getattr(self, f"_{words.command}")(words)
            elif words.text.lower() in _SAW:
                self._see(replace(words, text=""))
            elif not words.text:
                print(_HELP)
            else:
                self.session.ask(words)

        _told(act)

    @line_cell_magic  # type: ignore[untyped-decorator]
    def hand(self, line: str, cell: str | None = None) -> None:
        """Have one hand work: `%%hand math --kind derivative --given f=x**2,var=x`."""

        def act() -> None:
            from manyhands_jupyter.magics.single import hand_words

            name, words = hand_words(line, cell)
            self.session.hand(name, words)

        _told(act)

    # --- questions about the notebook -----------------------------------------------------------

    def _fix(self, words: Words) -> None:
        ran = self.session.last_error()
        hint = f" {words.text}" if words.text else ""
        error = ran.error.splitlines()[0]
        text = (
            f"fix: {error}\n\nThe cell of the notebook that is shown last raised {error}. "
            f"Mend it.{hint} Say in one sentence what was wrong, then give the whole corrected "
            "cell as one fenced python block."
        )
        self.session.ask(replace(words, text=text, hands=False), about=ran, mends=True)

    def _explain(self, words: Words) -> None:
        ran = self.session.last_output()
        asked = words.text or (
            "explain: the last output\n\nExplain the output of the cell that is shown last, in a "
            "few lines."
        )
        self.session.ask(replace(words, text=asked, hands=False), about=ran)

    # --- what goes on and what was -------------------------------------------------------------

    def _help(self, _: Words) -> None:
        print(_HELP)

    def _stop(self, _: Words) -> None:
        count = self.session.stop()
        print(f"Stopping {count} run{'s' if count != 1 else ''}." if count else "Nothing runs.")

    def _new(self, _: Words) -> None:
        self.session.conversation_id = ""
        print("The next question begins a new conversation.")

    def _status(self, _: Words) -> None:
        from manyhands_jupyter.telling import status_lines

        print("\n".join(status_lines(self.session)))

    def _runs(self, words: Words) -> None:
        from manyhands_jupyter.telling import run_lines

        print("\n".join(run_lines(self.session, _count(words.text, 10))))

    def _see(self, words: Words) -> None:
        from manyhands_jupyter.telling import seen_lines

        print("\n".join(seen_lines(self.session, words.text)))

    def _trace(self, words: Words) -> None:
        from manyhands_jupyter.telling import trace_text

        print(trace_text(self.session, words.text))

    def _roles(self, words: Words) -> None:
        from manyhands_jupyter.telling import role_lines

        print("\n".join(role_lines(words.text)))

    def _memory(self, words: Words) -> None:
        from manyhands_jupyter.remembering import is_command, run_command
        from manyhands_jupyter.telling import memory_lines

        if is_command(words.text):
            print(run_command(self.session, words.text))
        else:
            print("\n".join(memory_lines(self.session, words.text)))

    def _resume(self, words: Words) -> None:
        self.session.resume(words.text, words)

    def _good(self, words: Words) -> None:
        self._rate(words, good=True)

    def _bad(self, words: Words) -> None:
        self._rate(words, good=False)

    def _rate(self, words: Words, *, good: bool) -> None:
        reply = self.session.reply
        if reply is None:
            raise InputError("Nothing was answered in this kernel yet.", hint="Ask first.")
        (reply.good if good else reply.bad)(words.text)
        print(f"Kept with run {reply.run_id}.")

    # --- what may be done -----------------------------------------------------------------------

    def _allow(self, words: Words) -> None:
        self.session.acting.allow(words.text)
        print(self.session.acting.told())

    def _limit(self, words: Words) -> None:
        self.session.acting.limit_s = _seconds(words.text, self.session.acting.limit_s)
        print(f"A proposed cell is stopped after {self.session.acting.limit_s:g} s.")

    def _panel(self, _: Words) -> None:
        from manyhands_jupyter.control import show_control

        show_control(self.session)

    def _rehearse(self, words: Words) -> None:
        if words.text in ("", "off", "stop"):
            ended = self.session.end_rehearsal()
            print("Your own models answer again." if ended else "No script is playing.")
            return
        self.session.rehearse(Path(words.text))
        print(
            f"From now on the models are scripted ({words.text}): a rehearsal server on this "
            "machine plays them. Programs, checks, sandbox and journal are real."
        )


def _told(act: Callable[[], None]) -> None:
    """Foreseeable faults as one message without a traceback."""
    try:
        act()
    except ManyhandsError as error:
        raise CellFault(str(error)) from None


def _count(text: str, usual: int) -> int:
    if not text:
        return usual
    if not text.isdigit() or not 0 < int(text) <= 1000:
        raise InputError(f"{text!r} is no number from 1 to 1000.", hint="%mind runs 20")
    return int(text)


def _seconds(text: str, usual: float) -> float:
    if not text:
        return usual
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise InputError(f"{text!r} are no seconds up to 86400.", hint="%mind limit 60")
    return seconds
