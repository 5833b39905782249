"""Reading a reply that was asked for in a given form (the server's `format`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from manyhands.recover.blocks import fenced_blocks
from manyhands.recover.channel import split_thinking
from manyhands.recover.done import repeats
from manyhands.recover.jsonish import How, parse_json
from manyhands.recover.schema import fit
from manyhands.recover.types import JSONSchema, Reason, SentMessage

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["Structured", "read_structured"]


@dataclass(frozen=True)
class Structured:
    """`value` is the validated model (or the mapping, for a schema); None comes with a reason."""

    value: Any
    reason: Reason | None = None
    how: How = How.FAILED
    detail: str = ""


def read_structured(message: SentMessage, shape: type[BaseModel] | JSONSchema) -> Structured:
    """The reply in the wanted form, from the content alone; thinking is never the answer."""
    limited = message.done_reason == "length"
    if message.error:
        return Structured(None, Reason.SERVER_ERROR, detail=message.error[:200])
    thought = split_thinking(message.content)
    text = thought.answer.strip().strip("\x00").strip()
    if not text:
        if message.thinking.strip() or thought.thinking:
            reason = Reason.BUDGET_SPENT_THINKING if limited else Reason.ANSWER_IN_THINKING
            return Structured(None, reason)
        return Structured(None, Reason.TRUNCATED if limited else Reason.EMPTY)
    value, how = _document(text)
    if how is How.CUT or (limited and (how.lossy or value is None)):
        reason = Reason.DEGENERATE_REPETITION if repeats(text, cut=limited) else Reason.TRUNCATED
        return Structured(None, reason, how)
    if value is None and how is How.FAILED:
        return Structured(None, Reason.NOT_STRUCTURED, how)
    if isinstance(shape, type):
        from pydantic import ValidationError  # here, so that importing the room stays cheap

        try:
            return Structured(shape.model_validate(value), None, how)
        except ValidationError as error:
            missing = any(item["type"] == "missing" for item in error.errors())
            detail = "; ".join(
                f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5]
            )
            reason = Reason.MISSING_REQUIRED if missing else Reason.WRONG_TYPE
            return Structured(None, reason, how, detail)
    fitted = fit(value, "", shape)
    if fitted.reason is not None:
        return Structured(None, fitted.reason, how, fitted.detail)
    return Structured(fitted.arguments, None, how)


def _document(text: str) -> tuple[Any, How]:
    """The document that is the message, in its one fence, or after its prose."""
    value, how = parse_json(text)
    if how is not How.FAILED:
        return value, how
    blocks = [block for block in fenced_blocks(text) if block.fenced]
    if blocks:
        return parse_json(blocks[-1].text)
    start = re.search(r"^[ \t]*(?=[{\[])", text, re.MULTILINE)
    return parse_json(text[start.end() :]) if start else (None, How.FAILED)
