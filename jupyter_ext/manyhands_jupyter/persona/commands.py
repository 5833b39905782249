"""The chat's slash commands: what there is, and how a message is read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["COMMANDS", "Name", "Said", "help_text", "read"]


class Name(StrEnum):
    """A slash command; `ask` is a message without one."""

    ASK = "ask"
    COUNCIL = "council"
    HAND = "hand"
    VERIFY = "verify"
    REMEMBER = "remember"
    FORGET = "forget"
    ROLES = "roles"
    STATUS = "status"
    RUNS = "runs"
    SEEN = "seen"
    STOP = "stop"
    RESUME = "resume"
    NEW = "new"
    HELP = "help"
    UNKNOWN = "unknown"


#: Command -> what its arguments are, and what it does.
COMMANDS: dict[Name, tuple[str, str]] = {
    Name.COUNCIL: ("QUESTION", "Several sides answer apart; evidence decides between them"),
    Name.HAND: ("code|math|visualize|verify TASK", "One checked step by one hand"),
    Name.VERIFY: ("CLAIM", "Check a claim against an attached table by two blind programs"),
    Name.REMEMBER: ("TEXT", "Keep a fact on your word"),
    Name.FORGET: ("memory:ID or WORDS", "Forget a memory, or find the one to forget"),
    Name.ROLES: ("", "The roles and what each is for"),
    Name.STATUS: ("", "What runs now, at every door, and which models are loaded"),
    Name.RUNS: ("", "The latest runs of every door, with how each ended"),
    Name.SEEN: ("", "What the last question sent of your notebook"),
    Name.STOP: ("", "Stop the answer that is being worked on"),
    Name.RESUME: ("", "Go on with the last run that was stopped, cut or failed"),
    Name.NEW: ("", "Begin a new conversation in this chat"),
    Name.HELP: ("", "These commands"),
}


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it is meant: its command and the rest of the text."""

    name: Name
    rest: str
    word: str = ""


def read(body: str) -> Said:
    """Read a message; a slash followed by no word (a path, a fraction) is a plain question."""
    text = body.strip()
    if text.rstrip("?").lower() == "what did you see":
        return Said(Name.SEEN, "")
    word, _, rest = text.partition(" ")
    if not text.startswith("/") or not word[1:].isalpha():
        return Said(Name.ASK, text)
    try:
        name = Name(word[1:].lower())
    except ValueError:
        name = Name.UNKNOWN
    if name in (Name.ASK, Name.UNKNOWN):
        return Said(Name.UNKNOWN, rest.strip(), word)
    return Said(name, rest.strip(), word)


def help_text() -> str:
    """The commands as a Markdown list."""
    return "\n".join(
        f"- `/{name}{f' {arguments}' if arguments else ''}`: {what}"
        for name, (arguments, what) in COMMANDS.items()
    )
