"""Playing the script of uploaded scripted weights, as a server that runs them reads their words."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from manyhands.rehearsal.script import Reply, ReplyFn, ScriptedRequest
from manyhands.rehearsal.weights.scripted import Line

__all__ = ["played"]

#: A loop without end is as good as so many rounds: a limit or a stop ends it before.
_ROUNDS = 5000
_PACE_S = 0.002
_THINKING = re.compile(r"\A<think>\n(.*?)\n</think>\s*", re.S)
_CALL = re.compile(r"<tool_call>\n(.*?)\n</tool_call>", re.S)


def played(lines: Sequence[Line]) -> ReplyFn:
    """The answers of a script: the first line whose trigger the prompt holds, else the default."""

    def reply(request: ScriptedRequest) -> Reply:
        prompt = "\n".join([request.system, *(str(one.get("content")) for one in request.messages)])
        line = next((one for one in lines[1:] if one.trigger in prompt), lines[0])
        if line.loops:
            return Reply(line.text * _ROUNDS, pace_s=_PACE_S)
        thinking = _THINKING.match(line.text)
        content = line.text[thinking.end() :] if thinking else line.text
        calls = [json.loads(found) for found in _CALL.findall(content)] if request.tools else []
        return Reply(
            "" if calls else content,
            thinking=thinking[1] if thinking else "",
            tool_calls=tuple((call["name"], call["arguments"]) for call in calls),
        )

    return reply
