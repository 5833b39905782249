r"""LaTeX to the notation of `notation.read`: \frac, \sqrt, powers, functions, bars, cases."""

from __future__ import annotations

import re

from vocabulary import GREEK, INVERSE

_WORDS = {
    "cdot": "*", "times": "*", "ast": "*", "div": "/", "infty": " oo ", "left": "", "right": "",
    "displaystyle": "", "quad": " ", "qquad": " ", "rm": "", "lvert": "|", "rvert": "|",
    "vert": "|", "mid": "|", "lfloor": " floor(", "rfloor": ")", "lceil": " ceiling(",
    "rceil": ")", "le": "<=", "leq": "<=", "ge": ">=", "geq": ">=", "ne": "!=", "neq": "!=",
    "lt": "<", "gt": ">", "land": " and ", "lor": " or ", "bmod": "%", "limits": "",
    "lVert": "|", "rVert": "|", "lbrace": "(", "rbrace": ")", "middle": "", "textstyle": "",
    "dots": "…", "ldots": "…", "cdots": "…",
}  # fmt: skip
#: Commands that are names or constants.
_LETTERS = {
    *GREEK.values(), "lambda", "Lambda", "varepsilon", "vartheta", "varphi", "varrho", "varsigma",
    "varpi", "varkappa", "omicron", "ell", "hbar", "imath", "jmath", "e", "i", "d", "oo", "inf",
}  # fmt: skip
_SIZES = {"big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr"}
_SAME = {"ln": "log", "Gamma": "gamma", "arcsin": "asin", "arccos": "acos", "arctan": "atan"}
_FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "log", "exp", "asin",
    "acos", "atan", "erf", "sech", "csch", "arccot", "arcsec", "arccsc", "arcsinh",
    "arccosh", "arctanh", "arsinh", "arcosh", "artanh", "sgn", "sign", "erfc", "lg", "max", "min",
    "asinh", "acosh", "atanh", "Re", "Im",
}  # fmt: skip
_ENDS_OPERAND = re.compile(
    r"\\(?:cdot|times|div|right|operatorname|le|leq|ge|geq|ne|neq|quad|pm|mp|rvert|"
    + "|".join(sorted(_FUNCTIONS | _SAME.keys()))
    + r")(?![A-Za-z])"
)
#: Names of functions that many write without the backslash.
_PLAIN_WORDS = (_FUNCTIONS | _SAME.keys()) - {"Re", "Im", "max", "min", "Gamma"}
_PLAIN_WORD = re.compile(
    f"(?:{'|'.join(sorted(_PLAIN_WORDS, key=len, reverse=True))}|sqrt|pi|oo|inf)(?![A-Za-z])"
)
_SLOPE = re.compile(
    r"\\frac\s*\{\s*(?:\\mathrm\{d\}|\\partial|d)\s*(?:\^\s*\{?\s*(\d)\s*\}?)?\s*\}"
    r"\s*\{\s*(?:\\mathrm\{d\}|\\partial|d)\s*(\\?[A-Za-z]+)\s*(?:\^\s*\{?\s*\d\s*\}?)?\s*\}"
)
_FOLDED = re.compile(r"\s*_\s*\{\s*(\\?[A-Za-z]+)\s*=([^{}]*)\}\s*\^")
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|\\degree(?![A-Za-z])")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:(?:\{,\}|\\,)\d{3})+(?![\d{])")
_MIXED = re.compile(r"(?<![\w^_}.)\]\\])(\d+)\s*\\frac\s*(?:\{(\d+)\}|(\d))\s*(?:\{(\d+)\}|(\d))")
_GAP = "\u2009"
_DEEPEST = 60


class NotLatex(ValueError):
    """A construct that this reader does not know; the message names it."""


def looks_like_latex(text: str) -> bool:
    """Whether a text is written in LaTeX rather than in Python's notation."""
    return "\\" in text or bool(re.search(r"[\^_]\{|\{.*\}", text))


def to_python(text: str, depth: int = 0) -> str:
    """The same expression in Python's notation; unknown words stay and fail there.

    Raises:
        NotLatex: nested too deeply, or a command without meaning for an expression.
    """
    if depth > _DEEPEST:
        raise NotLatex("nested too deeply")
    text = _THOUSANDS.sub(lambda match: re.sub(r"\D", "", match[0]), text)
    text = re.sub(r"(?<!\\)\\(?:[,;:!>]| )|~", " ", text)
    text = text.replace(r"\{", "(").replace(r"\}", ")").replace(r"\|", "|")
    text = re.sub(r"\\[dtc]frac(?![A-Za-z])", r"\\frac", text)
    return _Reader(_MIXED.sub(_mixed, text), depth).all()


def _mixed(match: re.Match[str]) -> str:
    r"""A mixed number `3\frac12` as a sum. Raises NotLatex where it may be a product."""
    whole, above, below = match[1], match[2] or match[3], match[4] or match[5]
    if int(above) >= int(below):
        return match[0]
    rest = match.string[match.end() :].lstrip()
    if rest and not re.match(r"[-+=<>,)\]}&]|\\(?:right|cdot|times|le|ge|lt|gt|ne)", rest):
        raise NotLatex(f"{match[0]} may be a mixed number or a product")
    return rf"({whole}+\frac{{{above}}}{{{below}}})"


class _Reader:
    """One pass from left to right; `{}` groups become brackets."""

    def __init__(self, text: str, depth: int) -> None:
        self._text = text
        self._at = 0
        self._depth = depth

    def all(self) -> str:
        out: list[str] = []
        while self._at < len(self._text):
            out.append(self._next())
        return "".join(out)

    def _inner(self, text: str) -> str:
        return to_python(text, self._depth + 1)

    def _next(self) -> str:
        char = self._text[self._at]
        if char == "\\" and not _DEGREES.match(self._text, self._at):
            return self._command()
        if char == "{":
            return f"({self._group()})"
        word = _PLAIN_WORD.match(self._text, self._at) if char.isalpha() else None
        if word and not self._text[self._at - 1 : self._at].isalpha():
            self._at = word.end()
            name = _SAME.get(word[0], word[0])
            return self._function(name) if name in _FUNCTIONS else f" {name}"
        if degrees := _DEGREES.match(self._text, self._at):
            self._at = degrees.end()
            return "*(pi/180)"
        self._at += 1
        if char == "^":
            return f"**({self._argument(digits=True)})"
        if char == "_":
            return "_" + re.sub(r"\W", "", self._argument(digits=True))
        if char == _GAP:
            return " "
        if char in "[]":
            return "(" if char == "[" else ")"
        if char.isalpha():
            return f" {char}"
        return "" if char in "}&" else char

    def _command(self) -> str:
        match = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL).match(self._text, self._at)
        if match is None:
            raise NotLatex("a lone backslash")
        slope = _SLOPE.match(self._text, self._at)
        if slope:
            self._at = slope.end()
            return f" diff({self._product()}, {slope[2].lstrip(chr(92))}, {slope[1] or 1})"
        self._at = match.end()
        word = match.group(1)
        if word in ("sum", "prod") and (folded := _FOLDED.match(self._text, self._at)):
            self._at = folded.end()
            first, last = self._inner(folded[2]), self._argument(digits=True)
            ends = f"({folded[1].lstrip(chr(92))}, {first}, {last})"
            return f" {'Sum' if word == 'sum' else 'Product'}({self._product()}, {ends})"
        if word in ("frac", "binom", "dbinom", "tbinom"):
            above, below = self._argument(), self._argument()
            return f"(({above})/({below}))" if word == "frac" else f" binomial({above}, {below})"
        if word == "sqrt":
            return self._root()
        if word == "begin":
            return self._cases()
        if word in ("mathrm", "operatorname", "text", "mathit", "mathbf", "textrm"):
            star = self._text[self._at : self._at + 1] == "*"
            self._at += star
            name = re.sub(r"[^A-Za-z0-9]", "", self._raw())
            name = _SAME.get(name, name)
            return self._function(name) if name in _FUNCTIONS else f" {name} "
        if word in _SIZES:
            return ""
        if word in ("pm", "mp", "int", "sum", "lim", "prod", "partial", "end", "\\", "to"):
            raise NotLatex(f"\\{word} is no part of one expression")
        word = _SAME.get(word, word)
        if word in _FUNCTIONS:
            return self._function({"Re": "re", "Im": "im"}.get(word, word))
        if word in _WORDS:
            return _WORDS[word]
        if word.isalpha() and word not in _LETTERS:
            raise NotLatex(f"\\{word} is not known")
        return f" {word} "

    def _root(self) -> str:
        degree = ""
        self._blank()
        if self._text[self._at : self._at + 1] == "[":
            end = self._text.find("]", self._at)
            if end < 0:
                raise NotLatex("a root whose degree does not end")
            degree = self._inner(self._text[self._at + 1 : end])
            self._at = end + 1
        inside = self._argument()
        return f" root({inside}, {degree})" if degree else f" sqrt({inside})"

    def _cases(self) -> str:
        r"""`\begin{cases} value & condition \\ … \end{cases}` as a Piecewise."""
        if self._raw() != "cases":
            raise NotLatex("an environment other than cases")
        end = self._text.find(r"\end{cases}", self._at)
        if end < 0:
            raise NotLatex("cases without an end")
        rows = self._text[self._at : end].split(r"\\")
        self._at = end + len(r"\end{cases}")
        branches = []
        for row in filter(str.strip, rows):
            inside, _, condition = row.partition("&")
            condition = re.sub(r"\\(?:text|mathrm)\{\s*(?:if|for|when)\s*\}", " ", condition)
            otherwise = re.search(r"otherwise|else", condition)
            told = "True" if otherwise else self._inner(condition).replace(" if ", " ")
            branches.append(f"({self._inner(inside).strip().rstrip(',')}, {told.strip()})")
        return f" Piecewise({', '.join(branches)})"

    def _function(self, name: str) -> str:
        r"""`\sin x`, `\sin^2 x`, `\log_2 x` and `\sin(x)`."""
        power = base = ""
        while True:
            self._blank()
            mark = self._text[self._at : self._at + 1]
            if mark == "^" and not power:
                self._at += 1
                power = self._argument(digits=True)
            elif mark == "_" and not base:
                self._at += 1
                base = self._argument(digits=True)
            else:
                break
        inside = self._operand()
        if power.strip() == "-1" and name in INVERSE:
            name, power = INVERSE[name], ""
        call = f" {name}({inside}, {base})" if base else f" {name}({inside})"
        return f"({call})**({power})" if power else call

    def _operand(self) -> str:
        """What a function without brackets is applied to: the product that follows."""
        self._blank()
        opening = re.compile(r"\\(?:left|[bB]igg?l?)\s*(?=\(|\[|\\?\{)").match(self._text, self._at)
        if opening:
            self._at = opening.end()
        if self._text[self._at : self._at + 1] in ("(", "["):
            return self._bracket()
        if self._text[self._at : self._at + 1] == "{":
            return self._group()
        out: list[str] = []
        bars = 0
        while self._at < len(self._text):
            rest = self._text[self._at :]
            bar = re.match(
                r"\\left\s*\||\\lvert(?![A-Za-z])|\\right\s*\||\\rvert(?![A-Za-z])|\|", rest
            )
            if bar:
                if bars == 0 and out and "".join(out).strip():
                    break
                bars += 1
                out.append("|")
                self._at += bar.end()
                if bars == 2:
                    break
                continue
            begun = bool(re.search("[A-Za-z]", "".join(out)))
            if not bars and begun and (rest[0] == _GAP or re.match(r"e\s*\^", rest)):
                break  # sin x e^x is a product
            if not bars and (
                (rest[0] in "+-=),]}<>&*/" and (rest[0] != "-" or "".join(out).strip()))
                or _ENDS_OPERAND.match(rest)
            ):  # fmt: skip
                if not "".join(out).strip() and _ENDS_OPERAND.match(rest):
                    out.append(self._next())
                break
            out.append(self._next())
        return "".join(out)

    def _product(self) -> str:
        """The term that follows, up to a sum, a relation or the end of the bracket."""
        depth, start = 0, self._at
        while self._at < len(self._text):
            char = self._text[self._at]
            depth += (char in "([{") - (char in ")]}")
            begun = bool(self._text[start : self._at].strip())
            if depth < 0 or (not depth and begun and char in "+-=<>,"):
                break
            self._at += 1
        return self._inner(self._text[start : self._at])

    def _bracket(self) -> str:
        depth, start = 0, self._at
        for index in range(self._at, len(self._text)):
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(self._text[index], 0)
            if not depth:
                self._at = index + 1
                return self._inner(re.sub(r"\\right\s*$", "", self._text[start + 1 : index]))
        raise NotLatex("a bracket that does not close")

    def _argument(self, *, digits: bool = False) -> str:
        """The group, command or character that follows; `digits`: a whole number counts as one."""
        self._blank()
        if self._at >= len(self._text):
            raise NotLatex("an argument is missing")
        if self._text[self._at] == "{":
            return self._group()
        if self._text[self._at] == "\\":
            return self._command()
        number = re.compile(r"\d+").match(self._text, self._at) if digits else None
        self._at = number.end() if number else self._at + 1
        return number.group() if number else self._text[self._at - 1]

    def _group(self) -> str:
        return self._inner(self._raw())

    def _raw(self) -> str:
        """The inside of the braces that begin here."""
        self._blank()
        if self._text[self._at : self._at + 1] != "{":
            raise NotLatex("braces are missing")
        depth, start = 0, self._at + 1
        for index in range(self._at, len(self._text)):
            depth += {"{": 1, "}": -1}.get(self._text[index], 0)
            if not depth:
                self._at = index + 1
                return self._text[start:index]
        raise NotLatex("braces that do not close")

    def _blank(self) -> None:
        while self._text[self._at : self._at + 1] in (" ", _GAP):
            self._at += 1
