r"""LaTeX to the notation of `notation.read`: \frac, \sqrt, powers, Greek, functions, bars."""

from __future__ import annotations

import re

_WORDS = {
    "cdot": "*", "times": "*", "div": "/", "pi": " pi ", "infty": " oo ", "ln": " log",
    "arcsin": " asin", "arccos": " acos", "arctan": " atan", "left": "", "right": "", "big": "",
    "Big": "", "bigl": "", "bigr": "", "displaystyle": "", "quad": " ", "qquad": " ",
    "mathrm": "", "operatorname": "", "text": "", "rm": "", "mathit": "", "dfrac": r"\frac",
    "tfrac": r"\frac", "exp": " exp", "Gamma": " gamma",
}  # fmt: skip
_FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "log", "exp", "asin",
    "acos", "atan", "gamma", "erf",
}  # fmt: skip


def looks_like_latex(text: str) -> bool:
    """Whether a text is written in LaTeX rather than in Python's notation."""
    return "\\" in text or bool(re.search(r"[\^_]\{|\{.*\}", text))


def to_python(text: str) -> str:
    """The same expression in Python's notation; what is not known stays and fails there."""
    text = re.sub(r"\\[,;:!>]|\\ |~|&", " ", text)
    text = text.replace(r"\{", "(").replace(r"\}", ")").replace(r"\|", "|")
    text = re.sub(r"\\(dfrac|tfrac)", r"\\frac", text)
    return _Reader(text).all()


class _Reader:
    """One pass from left to right; `{}` groups become brackets."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._bars = 0

    def all(self) -> str:
        out: list[str] = []
        while self._at < len(self._text):
            out.append(self._next())
        return "".join(out)

    def _next(self) -> str:
        char = self._text[self._at]
        if char == "\\":
            return self._command()
        if char == "{":
            return f"({self._group()})"
        self._at += 1
        if char == "^":
            return f"**({self._argument()})"
        if char == "_":
            inside = re.sub(r"\W", "", self._argument())
            return f"_{inside}"
        if char == "|":
            self._bars += 1
            return " Abs(" if self._bars % 2 else ")"
        if char in "[]":
            return "(" if char == "[" else ")"
        if char.isalpha():
            return f" {char}"
        return "" if char == "}" else char

    def _command(self) -> str:
        match = re.compile(r"\\([A-Za-z]+|.)").match(self._text, self._at)
        if match is None:
            self._at += 1
            return ""
        self._at = match.end()
        word = match.group(1)
        if word == "frac":
            return f"(({self._argument()})/({self._argument()}))"
        if word == "sqrt":
            degree = ""
            if self._text[self._at : self._at + 1] == "[":
                end = self._text.find("]", self._at)
                degree = to_python(self._text[self._at + 1 : end])
                self._at = end + 1
            inside = self._argument()
            return f" root({inside}, {degree})" if degree else f" sqrt({inside})"
        if word == "binom":
            return f" binomial({self._argument()}, {self._argument()})"
        if word in ("mathrm", "operatorname", "text", "mathit"):
            return f" {re.sub(r'[^A-Za-z0-9]', '', self._raw())}"
        name = _WORDS.get(word, f" {word}")
        return self._function(name.strip()) if name.strip() in _FUNCTIONS else name

    def _function(self, name: str) -> str:
        r"""`\sin x`, `\sin^2 x`, `\log_2 x` and `\sin(x)`."""
        power = base = ""
        while True:
            self._blank()
            mark = self._text[self._at : self._at + 1]
            if mark == "^" and not power:
                self._at += 1
                power = self._argument()
            elif mark == "_" and not base:
                self._at += 1
                base = self._argument()
            else:
                break
        inside = self._operand()
        inverse = {"sin": "asin", "cos": "acos", "tan": "atan"}
        if power.strip() == "-1" and name in inverse:
            name, power = inverse[name], ""
        call = f" {name}({inside}, {base})" if base else f" {name}({inside})"
        return f"({call})**({power})" if power else call

    def _operand(self) -> str:
        """What a function without brackets is applied to: the product that follows."""
        self._blank()
        if self._text[self._at : self._at + 5] == "\\left":
            self._at += 5
            self._blank()
        if self._text[self._at : self._at + 1] == "(":
            return self._bracket()
        if self._text[self._at : self._at + 1] == "|":
            end = self._text.find("|", self._at + 1)
            inside = self._text[self._at + 1 : end]
            self._at = end + 1 if end >= 0 else len(self._text)
            return f"Abs({to_python(inside)})"
        out: list[str] = []
        while self._at < len(self._text):
            rest = self._text[self._at :]
            if rest[0] in "+-=),|]}" or re.match(
                r"\\(?:sin|cos|tan|ln|log|exp|cdot|times|right|cosh|sinh)\b", rest
            ):
                break
            out.append(self._next())
        return "".join(out)

    def _bracket(self) -> str:
        depth, start = 0, self._at
        for index in range(self._at, len(self._text)):
            depth += {"(": 1, ")": -1}.get(self._text[index], 0)
            if not depth:
                self._at = index + 1
                inside = self._text[start + 1 : index]
                return to_python(re.sub(r"\\right\s*$", "", inside))
        self._at = len(self._text)
        return to_python(self._text[start + 1 :])

    def _argument(self) -> str:
        self._blank()
        if self._at >= len(self._text):
            return ""
        if self._text[self._at] == "{":
            return self._group()
        if self._text[self._at] == "\\":
            return self._command()
        self._at += 1
        return self._text[self._at - 1]

    def _group(self) -> str:
        return to_python(self._raw())

    def _raw(self) -> str:
        """The inside of the braces that begin here."""
        self._blank()
        if self._text[self._at : self._at + 1] != "{":
            return ""
        depth, start = 0, self._at + 1
        for index in range(self._at, len(self._text)):
            depth += {"{": 1, "}": -1}.get(self._text[index], 0)
            if not depth:
                self._at = index + 1
                return self._text[start:index]
        self._at = len(self._text)
        return self._text[start:]

    def _blank(self) -> None:
        while self._text[self._at : self._at + 1] == " ":
            self._at += 1
