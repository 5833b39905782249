"""How long a call may wait and how much it may say, by what is known of the client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from manyhands.mind.condense import estimate_tokens

__all__ = ["TEXT_TOKENS", "Limits", "cut_middle"]

#: A result's text is at most so long, in estimated tokens; the rest is behind a link.
TEXT_TOKENS = 8_000
_CHARS_PER_TOKEN = 3.2

#: Clients (by a part of their name) whose own limit on a tool call is known to be 60 s or more.
#: What their documentation and threads say, not tried in the applications; see `docs/mcp.md`.
_KNOWN = (
    "claude",
    "codex",
    "continue",
    "cursor",
    "lm studio",
    "lmstudio",
    "manyhands",
    "visual studio code",
    "vscode",
    "windsurf",
    "zed",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Waiting, in seconds.

    Attributes:
        known_s: for a client that is known to wait a minute.
        unknown_s: for any other.
        by_client: a part of a client's name, in lower case -> seconds; goes before both.
        progress_s: progress is told at least so often.
        detach: a call that its client gives up leaves its job running; else it is cancelled.
        text_tokens: the longest text of a result.
    """

    known_s: float = 45.0
    unknown_s: float = 25.0
    by_client: Mapping[str, float] = field(default_factory=dict)
    progress_s: float = 4.0
    detach: bool = True
    text_tokens: int = TEXT_TOKENS

    def wait_s(self, client: str) -> float:
        """How long a call of this client waits before it gets the id of its job."""
        name = client.casefold()
        for part, seconds in self.by_client.items():
            if part.casefold() in name:
                return seconds
        if any(part in name for part in _KNOWN):
            return self.known_s
        return self.unknown_s


def cut_middle(text: str, tokens: int, where: str) -> tuple[str, bool]:
    """The text within `tokens`, its middle left out, and whether something was.

    Args:
        where: the URI of the whole, named in the gap.
    """
    if estimate_tokens(text) <= tokens:
        return text, False
    raw = text.encode("utf-8")
    room = max(0, int(tokens * _CHARS_PER_TOKEN) - 120 - len(where))
    head = raw[: room * 2 // 3].decode("utf-8", errors="ignore")
    tail = raw[len(raw) - room // 3 :].decode("utf-8", errors="ignore") if room else ""
    left = len(text) - len(head) - len(tail)
    return f"{head}\n[… {left:,} characters left out; whole: {where} …]\n{tail}", True
