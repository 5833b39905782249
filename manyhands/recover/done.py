"""Signs in the message as a whole: repetition, announcements without a call, documentation."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = [
    "announces", "documents", "hints_at_documents", "intends", "quoted_payload", "repeats",
]  # fmt: skip

_DOC = re.compile(
    r"\b(?:for example|for instance|an example|example (?:call|of|request|output|format|usage|tool)|e\.g\.|"  # noqa: E501
    r"(?:the|this|following|correct|expected|json|right|proper|call|tool)[- ](?:call )?(?:format|syntax|schema|structure|shape|form)\b|"  # noqa: E501
    r"(?:would|should|might|could|can|must|will) (?:use|look|be|write|call|send|emit|have|output|generate|take|contain|do|invoke)|"  # noqa: E501
    r"looks? (?:like|as)|such as|you (?:can|could|would|should|may|must)|never (?:run|use|execute|call)|"  # noqa: E501
    r"(?:do not|don't) (?:run|use|execute|call)|"
    r"docs? (?:say|show)s?\b[^.]{0,40}:|template|placeholder|"
    r"to (?:call|use|invoke|run) (?:a|the|this) (?:tool|function)|is called|are called|written (?:as|like)|"  # noqa: E501
    r"user (?:wrote|sent|pasted)|you (?:wrote|sent|pasted)|(?:log|file) (?:says|shows|contains)|"
    r"example|quot(?:e|ed|ing)|prompt injection|emits?|"
    r"the (?:model|host|client|system prompt) (?:emits|writes|sends|says|said)|"
    r"(?:system )?prompt (?:says|said|contained|asks)|"
    r"(?:do not|don't|never) (?:do|write|send|emit|copy))",
    re.I,
)
#: Words that often stand before a quotation and sometimes before a call that is meant.
_MAYBE_DOC = re.compile(
    r"\b(?:documentation|docs? (?:say|show)|sample|user (?:said|asked)|previous(?:ly)?|earlier|"
    r"instead of|usage|how (?:to|it|the|a))",
    re.I,
)
_INTENT = re.compile(
    r"\b(?:I'll|I’ll|I will|let me|let's|let’s|I am going to|I'm going to|I’m going to|going to|"
    r"calling|now I|I need to|I should|I must|we need to|we should|first,|next,|I want to|running|"
    r"using the|invoking|executing|time to|we will|we'll|I can)\b",
    re.I,
)
_IF = re.compile(
    r"\b(?:if|when|once|unless|after you|would you|should I|shall I|do you want|let me know|"
    r"let me explain|let me summari[sz]e|feel free|could|would|in short|you can|will not|"
    r"won't|cannot)\b",
    re.I,
)
_VERB = re.compile(
    r"\b(?:call|calling|use|using|run|running|invoke|invoking|execute|executing|tool|function)\b",
    re.I,
)
#: What needs a tool to be done: an answer that ends with such a promise is not one yet.
_DOING = re.compile(
    r"\b(?:I'll|I’ll|I will|let me|let's|let’s|going to)\s+"
    r"(?:now |first |just |quickly |then |start by )*"
    r"(?:check|look at|look up|read|open|run|execute|inspect|verify|search|fetch|load|plot|compute|"
    r"calculate|test|query|list|reading|running|checking|opening|loading)\b",
    re.I,
)
_PLACEHOLDER = re.compile(
    r"\s*(?:\.{3,}|…|<[a-z_ -]{2,40}>|\{\{?[a-z_ ]+\}?\}|(?:your|the)[ _-]\w+[ _-]here)\s*", re.I
)


def hints_at_documents(before: str) -> bool:
    """Whether the sentence before a call may introduce a quotation, or may not."""
    return bool(_MAYBE_DOC.search(_nearest(before)))


def _nearest(before: str) -> str:
    parts = re.split(r"(?<=[.!?])\s+|\n\s*\n", before[-600:].strip())
    kept = [part for part in parts if part.strip()]
    return kept[-1] if kept else ""


def documents(before: str, after: str) -> bool:
    """Whether the prose around a call says that the call is an example or a quotation."""
    nearest = _nearest(before)
    if _DOC.search(nearest) and not (
        _INTENT.match(nearest.strip()) and "example" not in nearest.lower()
    ):
        return True
    return bool(
        re.search(
            r"\b(?:only use it|only when|that is (?:the|how)|this is (?:the|how|an? example)|"
            r"for example|replace|placeholder|is the (?:format|syntax|whole)|in your own|"
            r"as an example|you (?:can|should|must|would)|when needed|don't (?:run|use|execute)|"
            r"never (?:run|use|execute)|I (?:will|would|did|do) not|I won't|I refuse|"
            r"the (?:host|client|server|system) (?:runs|reads|answers)|was (?:rejected|refused))\b",
            after[:300],
            re.I,
        )
    )


def intends(before: str) -> bool:
    """Whether the prose before a call says in the first person that it is about to happen."""
    return bool(_INTENT.search(before[-400:]))


def quoted_payload(arguments: object) -> bool:
    """Whether every text in the arguments is a placeholder such as "..." or "<path>"."""
    if not isinstance(arguments, dict):
        return isinstance(arguments, str) and bool(_PLACEHOLDER.fullmatch(arguments))
    texts = [value for value in arguments.values() if isinstance(value, str)]
    return bool(texts) and all(_PLACEHOLDER.fullmatch(text) for text in texts)


def announces(text: str, tools: Collection[str]) -> bool:
    """Whether the message ends by saying that a tool will be used, and then uses none."""
    body = text.strip()[-400:].strip()
    parts = [p for p in re.split(r"(?<=[.!?…])\s+(?=[A-Z\[*<`])|\n+", body) if p.strip(" `*")]
    if not parts:
        return False
    last = parts[-1].strip().strip("*_ ")
    if last.endswith("?") or _IF.search(last):
        return False
    words = re.findall(r"[a-z0-9]+", last.lower())
    named = any(
        tool.lower() in last.lower()
        or (len(split := re.split(r"[_\-.]+", tool.lower())) > 1 and all(w in words for w in split))
        for tool in tools
    )
    if re.match(
        r"[\[(*`]*\s*(?:calls?|calling|using|running|invoking|executing|tool(?: call)?:?)\b",
        last,
        re.I,
    ):
        return named or bool(re.search(r"\btool\b|\bfunction\b", last, re.I))
    if not re.search(
        r"\b(?:I'll|I’ll|I will|let me|let's|let’s|(?:I'm|I’m|am) going to|I need to|I should|I must|"  # noqa: E501
        r"we (?:need|should|will)|we'll|now,? I|time to)\b",
        last,
        re.I,
    ):
        return False
    return (
        last.endswith((":", "...", "…"))
        or named
        or (len(words) <= 25 and not re.search(r"[\d=:]", last) and bool(_DOING.search(last)))
        or bool(re.search(r"\b(?:the|a|this|my) (?:\S+ )?(?:tool|function)\b", last, re.I))
        or bool(re.search(r"\b(?:call|invoke) it\b", last, re.I))
    )


def repeats(text: str, *, cut: bool) -> bool:
    """Whether the end of the text is one unit again and again.

    At least 8 repeats that make up 200 characters of a cut message, or 600 characters and four
    fifths of a finished one.
    """
    tail = text[-6000:].rstrip()
    if len(tail) < 40 or not tail.strip():
        return False
    least = 120 if cut else 300
    for size in (*range(1, 65), *range(65, min(600, len(tail) // 5) + 1)):
        unit = tail[-size:]
        if not unit.strip():
            continue
        count = 1
        at = len(tail) - size
        while at >= size and tail[at - size : at] == unit:
            count += 1
            at -= size
        covered = len(tail) - at
        if count >= 6 and covered >= least and (cut or covered >= 0.6 * len(tail)):
            return bool(re.search(r"\w|@|!|\?|[^\s=\-*_#|+.]", unit)) or cut
    return False
