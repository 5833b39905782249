"""The registry of hands: plans, tools and doors are all made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from manyhands.hands.code import CodeHand
from manyhands.hands.contracts import HandName
from manyhands.hands.maths import MathHand
from manyhands.hands.verify import VerifyHand
from manyhands.hands.visualize import VisualizeHand
from manyhands.hands.work import Hand

__all__ = ["HANDS"]

HANDS: Mapping[HandName, Callable[[], Hand[Any]]] = {
    HandName.CODE: CodeHand,
    HandName.MATH: MathHand,
    HandName.VISUALIZE: VisualizeHand,
    HandName.VERIFY: VerifyHand,
}
