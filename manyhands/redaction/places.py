"""Values that are secret because of where they stand: beside the name of a secret, in a URL, in a
header, after a flag. Literals of Python, JSON, YAML, shells and `.env` files are read as far as it
takes to find their texts; expressions stay.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from manyhands.redaction.shapes import MARK

__all__ = ["names_a_secret", "remove_placed"]

#: A text under one of these names is a secret, whatever it looks like.
_STRONG = (
    r"pass(?:word|wd|phrase|code)s?|(?<![a-z])pwds?|(?<=[_-])pass|(?<=[\"'])pass(?=[\"'])|"
    r"(?:api|access|secret|private|encryption|signing|account|master|service|license|ssh)"
    r"[_-]?keys?|(?:auth|access|refresh|bearer|id|session|bot|user|api|csrf|github|hf|x)"
    r"[_-]tokens?|(?:auth|access|refresh|bearer|session|bot|api)tokens?|client[_-]?secrets?|"
    r"(?<![a-z])credentials?|(?<![a-z])creds"
)
#: These are also the words of language models and ciphers: the text must look like a key, unless
#: it is the only one.
_WEAK = r"secrets?|(?<![a-z])tokens?|(?-i:(?<=[a-z])Tokens?)"
_ENDING = r"(?:[_-]?\d{1,3}|[_-](?:prod|production|dev|test|staging|live|main|old|new))?"
_NAME = rf"(?:{_STRONG}|{_WEAK}){_ENDING}(?!\w)"
_ONLY_NAME = re.compile(rf"(?:^|.*[^A-Za-z])(?:{_STRONG}){_ENDING}", re.I)
#: What stands between a name and its value. An annotation may come first: `password: str = "…"`.
_BETWEEN = (
    r"(?:(?:\\{0,3}[\"'])?\]?\s*"
    r"(?::\s*[A-Za-z_][\w.]{0,80}(?:\[[\w., |\[\]]{0,80}\])?(?:\s*\|\s*\w+){0,3}\s*(?=:?=[^=])|)"
    r"(?P<sign>:=|={1,3}|!=|:|=>)|(?P<word>\s+(?:in|is)\b))(?P<gap>\s*)"
)
_STRONGLY = re.compile(rf"(?:{_STRONG}){_ENDING}(?!\w){_BETWEEN}", re.I)
_WEAKLY = re.compile(rf"(?:{_WEAK}){_ENDING}(?!\w){_BETWEEN}", re.I)
_QUOTE = r"(?P<quote>\\{0,3}(?:\"{3}|'{3}|\"|'))"
_STRING = re.compile(
    rf"(?P<prefix>(?:\b[rbfu]{{1,2}})?)(?:{_QUOTE})(?P<body>(?:\\.|[\s\S])*?)(?:(?P=quote)|\Z)",
    re.I,
)
_REST = re.compile(r"(?P<quote>\\*[\"'])(?P<body>[^\n]*)")
_CLOSING = re.compile(r"\s*(?:%\s*[\w(]|\.format\(|\)|,|\+)")
#: What goes on with a text: `"…" "…"`, `"…" + "…"`, also over an escaped end of line.
_GOES_ON = re.compile(r"[ \t]*(?:\+\s*|\\\n\s*)?(?=[rbfu]{0,2}[\"'])", re.I)
#: Calls that hold a text without changing what it is.
_HOLDER = re.compile(
    r"(?:[\w.]*\.)?(?:Secret(?:Str|Bytes)?|str|bytes|bytearray|fromhex|b64(?:de|en)code|"
    r"quote(?:_plus)?|list|tuple|set|frozenset|dict|deque|iter|cycle|array|Series)(?=\()"
)
_FALLBACK = re.compile(r"[^\n#]{0,120}?(?:\bor\b|\belse\b|\bdefault\s*=)\s*(?=[rbfu]{0,2}[\"'])")
_BARE = re.compile(r"[^\s\"',;(){}\[\]<>\\]{6,}")
#: What stands without quotes behind such a name and is none: code, a type, a number, a place.
_CODE = re.compile(
    r"(?:None|null|True|False|str|int|bytes|string|Optional|SecretStr|os\.\w.*|getpass\w*|"
    r"[A-Za-z_]\w*\.[\w.]+|\$\{?\w+\}?|%\w+%|\*+|\.{3,}|x{4,}|[\d.,:/-]+%?|[~./].*)\Z",
    re.I,
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_]*\Z|[A-Z]\w*\Z|_\w+\Z")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|\$\{?\w+\}?|%\(\w+\)s|<[\w /-]*>|\*+|\.{3,}|x{4,}|…")
_KEY = re.compile(r"\s*:")
_WORD = re.compile(r"[\"']?([^\s\"']+)")
#: A text that a generator of keys makes: long, without spaces, of more than one kind of character.
_KEYLIKE = re.compile(r"(?=\S{8,}\Z)(?=.*\d)(?=.*[A-Za-z])\S+|\S{24,}")
_LEAST = 4
#: Without one of these nothing below can match.
_HINT = re.compile(
    r"pass|pwd|secret|token|key|cred|auth|cookie|basic|bearer|login|://| -u|--u", re.I
)
#: Characters of one bracket that are looked at.
_LONGEST = 50_000

_FIXED = (
    # scheme://user:password@host
    re.compile(
        r"\b[a-z][a-z0-9+.-]{0,20}://[^\s:/@\"']{0,200}:(?P<value>[^\s/@\"']{1,500})(?=@)", re.I
    ),
    # Authorization: Bearer …, Proxy-Authorization: Basic …
    re.compile(
        r"\bauthorization\b\\?[\"']?\]?\s*[:=,]\s*[rbfu]{0,2}\\?[\"']?"
        r"(?:(?:bearer|basic|token|digest|key)\s+)?"
        r"(?P<value>(?!(?:bearer|basic|token|digest|key)\s)[\w.~+/=:-]{6,})",
        re.I,
    ),
    re.compile(r"\b(?:bearer|basic)\s+(?P<value>(?=[\w.~+/-]*\d)[\w.~+/-]{16,}={0,2})", re.I),
    # Cookie: name=…
    re.compile(
        r"\b(?:set-)?cookie\\?[\"']?\s*:\s*\\?[\"']?(?P<value>[^\s\"'\n]+=[^\"'\n]{6,})", re.I
    ),
    # %env API_KEY …, ENV API_KEY …
    re.compile(
        rf"(?:%(?:set_)?env|^ENV)[ \t]+[\w-]*{_NAME}[ \t]+(?P<value>[^\s=$]\S+)", re.I | re.M
    ),
    # --password …, curl -u ada:…
    re.compile(rf"--[\w-]*{_NAME}[ \t=]+[\"']?(?P<value>[^\s\"'$-][^\s\"']+)", re.I),
    re.compile(
        r"\b(?:curl|wget|https?)\b[^\n]*?[ \t](?:-u|--user)[ \t=]*[\"']?[\w.@-]+:"
        r"(?P<value>[^\s\"'$]+)"
    ),
    # setdefault("API_KEY", "…") and what else takes a name and its value
    re.compile(
        rf"\b(?:get|getenv|setdefault|putenv|setenv|set|pop|add_header|put_secret|set_password)"
        rf"\(\s*[\"'][\w-]*{_NAME}[\"'],\s*[rbfu]{{0,2}}[\"'](?P<value>[^\"'\n]{{4,}})[\"']",
        re.I,
    ),
    # (user, password)
    re.compile(
        r"(?:\bauth\s*=\s*|\b(?:HTTP\w*Auth|BasicAuth|login))\(\s*(?:[\"'][^\"'\n]*[\"']|[\w.]+)"
        r"\s*,\s*[rbfu]{0,2}[\"'](?P<value>[^\"'\n]+)[\"']"
    ),
)


def names_a_secret(name: str) -> bool:
    """Whether what stands under this name is secret whatever it looks like."""
    return _ONLY_NAME.fullmatch(name) is not None


def remove_placed(text: str) -> str:
    """The text with every value at the place of a secret replaced by `MARK`."""
    if not _HINT.search(text):
        return text
    for pattern in _FIXED:
        text = pattern.sub(_without_value, text)
    return _without(_without(text, _STRONGLY), _WEAKLY)


def _without(text: str, names: re.Pattern[str]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in _spans(text, names):
        parts += (text[at:start], MARK)
        at = end
    return "".join([*parts, text[at:]]) if parts else text


def _without_value(match: re.Match[str]) -> str:
    whole, (start, end) = match.group(), match.span("value")
    offset = match.start()
    quoted = whole[start - offset - 1] in "\"'"
    if _is_open(match["value"]) or (not quoted and _CODE.match(match["value"])):
        return whole
    return f"{whole[: start - offset]}{MARK}{whole[end - offset :]}"


def _is_open(value: str) -> bool:
    """Whether a text holds no secret: it was removed, or is put in elsewhere."""
    return "[secret" in value or MARK in value or len(_PLACEHOLDER.sub("", value).strip()) < _LEAST


def _spans(text: str, names: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where the secrets are beside these names, in order."""
    at = 0
    while (named := names.search(text, at)) is not None:
        at = yield from _values(text, named)


def _values(text: str, named: re.Match[str]) -> Generator[tuple[int, int], None, int]:
    """The secrets beside one name; gives back how far the text was read."""
    strong, at = named.re is _STRONGLY, named.end()
    bracket = text[at : at + 1] in ("[", "(", "{")
    if named["word"] and not bracket and not _KEYLIKE.fullmatch(_word(text, at)):
        return at
    if holder := _HOLDER.match(text, at):
        at = holder.end()
    if text[at : at + 1] in ("[", "(", "{"):
        return (yield from _in_bracket(text, at, strong))
    if not strong and named["sign"] in ("==", "===", "!="):
        return at  # a parser compares a token with a word
    if _string_at(text, at) is None:
        if (bare := _bare(text, at, named)) is not None:
            yield bare
            return bare[1]
        fallback = _FALLBACK.match(text, at) if strong else None
        if fallback is None:
            return at
        at = fallback.end()
    while (string := _string_at(text, at)) is not None:
        if not _is_open(string["body"]) and (strong or not _special(string["body"])):
            yield string.span("body")
        at = string.end()
        further = _GOES_ON.match(text, at)
        if further is None:
            break
        at = further.end()
    return at


def _string_at(text: str, at: int) -> re.Match[str] | None:
    string = _STRING.match(text, at)
    if string is None:
        return None
    if len(string["quote"].lstrip("\\")) == 1 and "\n" in string["body"]:
        # It is not closed: typed wrongly or cut off. What is left of the line may be the secret.
        string = _REST.match(text, string.start("quote"))
    # The quote may also be the end of a text in which the name stands.
    return None if string is None or _CLOSING.match(string["body"]) else string


def _special(body: str) -> bool:
    """Whether it is a language model's own token, such as `<pad>`."""
    return body[:1] in "<[" and body[-1:] in ">]"


def _in_bracket(text: str, at: int, strong: bool) -> Generator[tuple[int, int], None, int]:
    """The texts of a literal but for the keys of dictionaries; gives back how far it was read."""
    depth, end = 0, min(len(text), at + _LONGEST)
    while at < end:
        sign = text[at]
        if sign in "\"'\\" and (string := _string_at(text, at)) is not None:
            at = max(string.end(), at + 1)
            body = string["body"]
            key = _KEY.match(text, at) is not None
            if not key and not _is_open(body) and (strong or _KEYLIKE.fullmatch(body)):
                yield string.span("body")
            continue
        if sign == "#":
            at = text.find("\n", at)
            if at < 0:
                return end
        depth += (sign in "[({") - (sign in "])}")
        if depth == 0:
            break
        at += 1
    return at


def _word(text: str, at: int) -> str:
    found = _WORD.match(text, at)
    return found[1].rstrip(".,;!?)") if found else ""


def _bare(text: str, at: int, named: re.Match[str]) -> tuple[int, int] | None:
    bare = _BARE.match(text, at)
    if bare is None or _is_open(bare.group()) or _CODE.match(bare.group()):
        return None
    value, after = bare.group(), text[bare.end() : bare.end() + 1]
    if _IDENTIFIER.match(value):
        called = after in ("(", "[")
        argument = after in (",", ")", "}") or text[bare.end() :].lstrip()[:1] in (
            ",",
            ")",
            "|",
            "=",
        )
        spaced = named["sign"] != ":" and named["gap"] != ""
        if called or argument or spaced:
            return None
    if named.re is _WEAKLY and not _KEYLIKE.fullmatch(value):
        return None
    return bare.span()
