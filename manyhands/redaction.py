"""Secrets out of texts before they reach a prompt, a log or the journal.

Known shapes only (vendors publish the prefixes of their keys so that they can be found), and
values that stand beside a name such as `password` or `api_key`. No guessing by entropy: a hash or
an id that vanishes from a prompt makes answers wrong in a way that nobody can see.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["MARK", "redact", "redact_value"]

MARK = "[secret removed]"

_SHAPES = (
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
    r"(?:-----END (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",  # AWS access key id
    r"\bgh[pousr]_[A-Za-z0-9]{20,255}\b|\bgithub_pat_\w{20,255}\b",  # GitHub
    r"\bgl(?:pat|dt|rt|cbt|ptt|soat)-[\w-]{20,}",  # GitLab
    r"\bsk-(?:ant-|proj-|svcacct-|or-v1-)?[\w-]{20,}",  # Anthropic, OpenAI, OpenRouter
    r"\bhf_[A-Za-z0-9]{30,}\b",  # Hugging Face
    r"\bAIza[\w-]{35}(?![\w-])",  # Google
    r"\bya29\.[\w-]{20,}",  # Google OAuth
    r"\bxox[abposre]-[\w-]{10,}|\bxapp-\d-[\w-]{10,}",  # Slack
    r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}\b",  # Stripe
    r"\bSG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
    r"\bnpm_[A-Za-z0-9]{36}\b|\bpypi-[\w-]{40,}",  # package registries
    r"\bdapi[0-9a-f]{32}\b",  # Databricks
    r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*",  # JSON web token
)
_ANY = re.compile("|".join(_SHAPES))
#: No shape matches a shorter text; the shortest is Slack's.
_SHORTEST = 15
#: `scheme://user:password@host`; only the password goes.
_URL = re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)(?P<value>[^\s/@]+)(?=@)", re.I)
_BEARER = re.compile(
    r"(?P<keep>\bauthorization\b[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token)\s+)"
    r"(?P<value>[\w.~+/=-]{6,})",
    re.I,
)
_NAMED = re.compile(
    r"(?P<keep>(?<![A-Za-z])(?:[\w-]*[_-])?(?:password|passwd|passphrase|pwd|secret|api[_-]?key|"
    r"access[_-]?key|secret[_-]?key|private[_-]?key|auth[_-]?token|access[_-]?token|"
    r"refresh[_-]?token|client[_-]?secret|token)[\"']?\s*(?:=|:)\s*)"
    r"(?:(?P<quote>[\"'])(?P<quoted>[^\"'\n]{4,})(?P=quote)|(?P<bare>[^\s\"',;(){}\[\]<>]{6,}))",
    re.I,
)
#: What stands on the right of such a name in code without being a secret.
_CODE = re.compile(
    r"^(?:None|null|True|False|str|int|bytes|os\.\w.*|getpass\w*|self\.\w+|[a-z_]+\.[\w.]+|"
    r"\$\{?\w+\}?|%\w+%|\*+|\.{3,}|x{4,}|\d+(?:\.\d+)?)$",
    re.I,
)


def redact(text: str) -> str:
    """The text with every recognised secret replaced by `MARK`."""
    named = ":" in text or "=" in text
    if len(text) < _SHORTEST and not named:
        return text
    cleaned = _ANY.sub(MARK, text)
    if not named:
        return cleaned  # what follows looks at what stands behind one of these signs
    cleaned = _URL.sub(rf"\g<keep>{MARK}", cleaned)
    cleaned = _BEARER.sub(rf"\g<keep>{MARK}", cleaned)
    return _NAMED.sub(_named, cleaned)


def _named(match: re.Match[str]) -> str:
    value = match["quoted"] or match["bare"] or ""
    if MARK in value or value.startswith("[secret") or (match["bare"] and _CODE.match(value)):
        return match.group()
    quote = match["quote"] or ""
    return f"{match['keep']}{quote}{MARK}{quote}"


def redact_value(value: Any) -> Any:
    """The same for every text inside a JSON value."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list | tuple):
        return [redact_value(item) for item in value]
    if isinstance(value, dict):
        return {key: redact_value(item) for key, item in value.items()}
    return value
