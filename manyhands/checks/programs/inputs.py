"""Seeded inputs for a function, made from its signature and from known calls; pure."""

from __future__ import annotations

import ast
import contextlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from manyhands.checks.programs.static import find_function

__all__ = [
    "Shape",
    "Words",
    "generate",
    "parameter_names",
    "parameters",
    "shape_of_hint",
    "words_of",
]

_TEXT = "aabbcdexyz ABZ0129.,-_()[]{}!?"


@dataclass(frozen=True, slots=True)
class Shape:
    """The kind of a value: `int float str bool none list set tuple dict any`, and its parts."""

    kind: str
    parts: tuple[Shape, ...] = ()


ANY = Shape("any")
# What an argument without a hint may be; calls that the reference cannot take are left out later.
_GUESSES = (
    Shape("int"),
    Shape("list", (Shape("int"),)),
    Shape("str"),
    Shape("float"),
    Shape("list", (Shape("str"),)),
)


@dataclass(frozen=True, slots=True)
class Words:
    """Texts and whole numbers that a program compares with: values on the borders of its cases."""

    texts: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()


def words_of(*sources: str) -> Words:
    """The constants of programs, docstrings left out."""
    texts: dict[str, None] = {}
    numbers: dict[int, None] = {}
    for source in sources:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            continue
        docs = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or id(node) in docs:
                continue
            if isinstance(node.value, str) and 0 < len(node.value) <= 30:
                texts[node.value] = None
            elif type(node.value) is int and abs(node.value) < 10_000:
                numbers[node.value] = None
    return Words(tuple(texts), tuple(numbers))


def _required(source: str, entry_point: str) -> list[ast.arg]:
    try:
        function = find_function(ast.parse(source), entry_point)
    except (SyntaxError, ValueError):
        return []
    if function is None:
        return []
    arguments = [*function.args.posonlyargs, *function.args.args]
    return arguments[: len(arguments) - len(function.args.defaults)] or arguments


def parameters(source: str, entry_point: str) -> tuple[Shape, ...]:
    """Shapes of the required positional parameters; empty when the function is not found."""
    return tuple(shape_of_hint(argument.annotation) for argument in _required(source, entry_point))


def parameter_names(source: str, entry_point: str) -> tuple[str, ...]:
    """Names of the required positional parameters."""
    return tuple(argument.arg for argument in _required(source, entry_point))


def shape_of_hint(node: ast.expr | None) -> Shape:
    """Read a type hint; what is not understood is `any`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return ANY
    if isinstance(node, ast.Constant) and node.value is None:
        return Shape("none")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return Shape("union", (shape_of_hint(node.left), shape_of_hint(node.right)))
    base, inner = node, []
    if isinstance(node, ast.Subscript):
        base = node.value
        inside = node.slice
        inner = list(inside.elts) if isinstance(inside, ast.Tuple) else [inside]
    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
    parts = tuple(
        shape_of_hint(part)
        for part in inner
        if not (isinstance(part, ast.Constant) and part.value is Ellipsis)
    )
    lowered = name.lower()
    if lowered == "optional":
        return Shape("union", (*parts, Shape("none")))
    if lowered == "union":
        return Shape("union", parts)
    if lowered in ("sequence", "iterable", "collection", "mutablesequence"):
        lowered = "list"
    if lowered == "mapping":
        lowered = "dict"
    if lowered == "tuple" and len(inner) != len(parts):
        return Shape("list_tuple", parts)
    known = {"int", "float", "str", "bool", "list", "set", "tuple", "dict"}
    return Shape(lowered, parts) if lowered in known else ANY


def generate(
    shapes: Sequence[Shape],
    examples: Sequence[Sequence[Any]],
    count: int,
    seed: int,
    words: Words = Words(),
) -> list[list[Any]]:
    """`count` argument lists, about half of them perturbed examples, the rest from the shapes.

    The examples limit the domain: where all their numbers are positive (or not negative) or all
    their texts use few characters, so do the new ones.
    """
    dice = random.Random(seed)  # noqa: S311
    width = len(shapes) or (len(examples[0]) if examples else 0)
    usable = [list(e) for e in examples if len(e) == width]
    makers = [
        _Maker(shapes[at] if at < len(shapes) else ANY, [e[at] for e in usable], dice, words)
        for at in range(width)
    ]
    rows: list[list[Any]] = [_copy(e) for e in usable][:count]
    while len(rows) < count and width:
        if usable and dice.random() < 0.5:
            row = _copy(dice.choice(usable))
            for _ in range(dice.choice((1, 1, 2, 3))):
                at = dice.randrange(width)
                row[at] = makers[at].perturb(row[at])
        else:
            row = []
            for maker in makers:
                row.append(maker.related(row) if row and dice.random() < 0.25 else maker.make())
        rows.append(row)
    return rows


def _copy(value: Any) -> Any:
    if isinstance(value, list):
        return [_copy(item) for item in value]
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return set(value) if isinstance(value, set) else value


def _numbers(value: Any) -> list[float]:
    if isinstance(value, bool):
        return []
    if isinstance(value, (int, float)):
        return [value]
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set)):
        return [n for item in value for n in _numbers(item)]
    return []


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set)):
        return [n for item in value for n in _texts(item)]
    return []


def _shape_of(value: Any) -> Shape:
    kind = "none" if value is None else type(value).__name__
    if isinstance(value, tuple):
        return Shape("tuple", tuple(_shape_of(item) for item in value))
    if isinstance(value, (list, set)):
        seen = tuple(dict.fromkeys(_shape_of(item) for item in value))
        return Shape(kind, (Shape("union", seen),) if seen else ())
    if isinstance(value, dict):
        if not value:
            return Shape("dict")
        keys = tuple(dict.fromkeys(_shape_of(item) for item in value))
        values = tuple(dict.fromkeys(_shape_of(item) for item in value.values()))
        return Shape("dict", (Shape("union", keys), Shape("union", values)))
    return Shape(kind) if kind in ("int", "float", "str", "bool", "none") else ANY


class _Maker:
    """Makes values for one parameter."""

    def __init__(self, shape: Shape, seen: list[Any], dice: random.Random, words: Words) -> None:
        self._dice = dice
        self._shape = shape
        if _vague(shape) and seen:
            # Empty examples say nothing about what may be inside.
            full = [s for s in map(_shape_of, seen) if s.parts or s.kind not in ("list", "dict")]
            self._shape = Shape("union", tuple(dict.fromkeys(full or map(_shape_of, seen))))
        numbers = [n for value in seen for n in _numbers(value)]
        self._low = -100
        if numbers and min(numbers) >= 0:
            self._low = 1 if min(numbers) > 0 else 0
        self._big = max([30, *(int(abs(n)) for n in numbers if abs(n) < 1e6)])
        texts = [text for value in seen for text in _texts(value)]
        letters = "".join(texts)
        parts = [part for text in texts for part in re.findall(r"\w+|[^\w\s]+", text)]
        self._tokens = list(dict.fromkeys([*parts, *words.texts]))
        self._glue = " " if any(" " in text for text in texts) or not texts else ""
        self._borders = [n for n in words.numbers if n >= self._low]
        # Three letters or brackets only: the domain is likely closed.
        self._text = letters if letters and not any(c.isalnum() for c in letters) else ""
        self._text = self._text or letters * 2 + _TEXT
        self._upper = 2 + max([len(v) for v in seen if isinstance(v, (list, str))] or [6])

    def make(self) -> Any:
        return self._build(self._shape, 0)

    def related(self, row: list[Any]) -> Any:
        """A value that has to do with an earlier argument: an item, a part, its length."""
        other = self._dice.choice(row)
        options: list[Any] = []
        if isinstance(other, (list, str)) and other:
            at = self._dice.randrange(len(other))
            options += [other[at], other[at:], other[: at + 1], len(other), at]
        options.append(_copy(other))
        fresh = self.make()
        fitting = [value for value in options if type(value) is type(fresh)]
        return self._dice.choice(fitting) if fitting else fresh

    def _int(self) -> int:
        dice = self._dice
        if self._borders and dice.random() < 0.2:
            return max(self._low, dice.choice(self._borders) + dice.choice((-1, 0, 0, 1)))
        spread = dice.choice((3, 3, 10, 10, self._big, self._big, 4 * self._big))
        return dice.randint(max(self._low, -spread), spread)

    def _build(self, shape: Shape, depth: int) -> Any:
        dice, kind, parts = self._dice, shape.kind, shape.parts
        if kind == "union" and parts:
            return self._build(dice.choice(parts), depth)
        if kind == "int":
            return self._int()
        if kind == "float":
            value = dice.choice((float(self._int()), dice.uniform(max(self._low, -10), 20)))
            return round(value, dice.choice((0, 1, 2, 6)))
        if kind == "bool":
            return dice.random() < 0.5
        if kind == "none":
            return None
        if kind == "str" and self._tokens and dice.random() < 0.4:
            return self._glue.join(dice.choice(self._tokens) for _ in range(dice.randint(0, 5)))
        if kind == "str":
            pool = dice.choice((self._text, dice.sample(self._text, min(3, len(self._text)))))
            return "".join(dice.choice(pool) for _ in range(dice.randint(0, self._upper + 4)))
        if kind == "tuple" and parts:
            return tuple(self._build(part, depth + 1) for part in parts)
        if kind in ("list", "set", "list_tuple", "tuple"):
            part = parts[0] if parts else dice.choice(_GUESSES[:1] if depth else _GUESSES)
            return self._sequence(kind, part, depth)
        if kind == "dict":
            key, held = parts if len(parts) == 2 else _DICT
            size = dice.randint(0, 5)
            return {self._build(key, depth + 1): self._build(held, depth + 1) for _ in range(size)}
        return self._build(dice.choice(_GUESSES), depth)

    def _sequence(self, kind: str, part: Shape, depth: int) -> Any:
        dice = self._dice
        items = [self._build(part, depth + 1) for _ in range(dice.randint(0, 7))]
        if items and dice.random() < 0.5:  # repeated items
            items += [_copy(dice.choice(items)) for _ in range(dice.randint(1, 3))]
        if dice.random() < 0.2:
            with contextlib.suppress(TypeError):
                items.sort(reverse=dice.random() < 0.5)
        if kind == "set":
            return set(items)
        return tuple(items) if kind != "list" else items

    def perturb(self, value: Any) -> Any:
        """A value close to `value`, of the same type."""
        dice = self._dice
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            near = value + dice.choice((-2, -1, 1, 2, 10, value, self._int()))
            return max(near, self._low) if self._low >= 0 else dice.choice((near, near, -value))
        if isinstance(value, float):
            near_f = dice.choice(
                (value + 0.5, value * 2, value + dice.uniform(-1, 1), float(int(value)))
            )
            return max(near_f, float(self._low)) if self._low >= 0 else near_f
        if isinstance(value, str):
            return self._other_text(value)
        nested = isinstance(value, list) and any(isinstance(v, list) for v in value)
        if nested and dice.random() < 0.6:
            return self._other_leaf(_copy(value))
        if isinstance(value, list):
            maker = self._item_maker(value)
            return self._shuffle([_copy(item) for item in value], maker)
        if isinstance(value, tuple) and value:
            items = list(value)
            at = dice.randrange(len(items))
            items[at] = self.perturb(items[at])
            return tuple(items)
        if isinstance(value, dict) and value:
            out = dict(value)
            key = dice.choice(list(out))
            if dice.random() < 0.3:
                del out[key]
            else:
                out[key] = self.perturb(out[key])
            return out
        return self.make()

    def _other_text(self, value: str) -> str:
        dice = self._dice
        move = dice.random()
        if move < 0.4 and self._tokens:
            glue = " " if " " in value else self._glue
            parts = value.split(glue) if glue else re.findall(r"\w+|\W+", value)
            return glue.join(self._shuffle(parts, lambda: dice.choice(self._tokens)))
        if move < 0.5 and value:
            at = dice.randrange(len(value))
            return value[:at] + value[at:].swapcase()
        return "".join(self._shuffle(list(value), lambda: dice.choice(self._text)))

    def _other_leaf(self, rows: list[Any]) -> list[Any]:
        """The same nesting: two inner items exchanged, one put over another, or one changed."""
        dice = self._dice
        spots = [(row, at) for row in rows if isinstance(row, list) for at in range(len(row))]
        if not spots:
            return rows
        for _ in range(dice.choice((1, 1, 2, 5))):
            (a, i), (b, j) = dice.choice(spots), dice.choice(spots)
            move = dice.randrange(3)
            if move == 0:
                a[i], b[j] = b[j], a[i]
            else:
                a[i] = _copy(b[j]) if move == 1 else self.perturb(a[i])
        return rows

    def _item_maker(self, value: list[Any]) -> Any:
        if value:
            return lambda: self.perturb(_copy(self._dice.choice(value)))
        made = self.make()
        return lambda: self._dice.choice(made) if isinstance(made, list) and made else 0

    def _shuffle(self, items: list[Any], make: Any) -> list[Any]:
        dice = self._dice
        for _ in range(dice.choice((1, 1, 2, 4))):
            move = dice.randrange(6)
            at = dice.randrange(len(items)) if items else 0
            if move == 0 and items:
                del items[at]
            elif move == 1 and items:
                items.insert(at, _copy(items[at]))
            elif move == 2 and items:
                other = dice.randrange(len(items))
                items[at], items[other] = items[other], items[at]
            elif move == 3:
                items.insert(at, make())
            elif move == 4 and items:
                items[at] = make()
            elif move == 5:
                items.reverse()
        return items


_DICT = (Shape("str"), Shape("int"))


def _vague(shape: Shape) -> bool:
    if shape.kind in ("any", "object"):
        return True
    return shape.kind in ("list", "tuple", "dict", "set") and (
        not shape.parts or any(_vague(part) for part in shape.parts)
    )
