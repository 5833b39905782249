"""`manyhands doctor --smoke`: tiny scripted models on the user's own server, checked and removed.

The models have about 1 MB and run on the CPU (`num_gpu` 0), so they evict nothing from the GPU.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import anyio

from manyhands.cli.findings import Finding, Mark
from manyhands.engines.contracts import ChatRequest, Deadlines, Message, Reply
from manyhands.engines.ollama import OllamaEngine
from manyhands.errors import ContextOverflow, EngineError, ManyhandsError, ModelMissing
from manyhands.rehearsal.weights.scripted import Line, embedding_weights, scripted_weights
from manyhands.roles.upload import upload

__all__ = ["PREFIX", "smoke"]

#: Names of the models begin so; what a killed check left is found and removed by it.
PREFIX = "mh-smoke-"

_WINDOW = 2048
_OPTIONS = {"num_gpu": 0}
_DEADLINES = Deadlines(load_s=120, first_token_s=60, gap_s=30, total_s=120)
#: A load was never seen under a quarter of a second, a switch without one takes about 1 ms.
_RELOAD_S = 0.2
_STOP_S = 5.0
_LENGTH = 256

_HELLO = "I am a scripted model and this is all I say."
_THOUGHT, _ANSWER = "First I think about it.", "Then I answer."
_CALL = {"name": "add", "arguments": {"a": 1, "b": 2}}
_LINES = (
    Line(_HELLO),
    Line(f"<think>\n{_THOUGHT}\n</think>\n\n{_ANSWER}", "@think"),
    Line(f"<tool_call>\n{json.dumps(_CALL)}\n</tool_call>", "@tool"),
    Line('{"ok": true}', "@json"),
    Line(" and so on without any end", "@long", loops=True),
    Line("Role one speaks.", "@one"),
    Line("Role two speaks here.", "@two"),
)
_TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}
_SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
_UPDATE = "update Ollama: https://ollama.com/download"


class _Failed(Exception):
    """A check's finding: what was seen, and the next action."""

    def __init__(self, text: str, step: str = _UPDATE) -> None:
        super().__init__(text)
        self.step = step


async def smoke(engine: OllamaEngine) -> AsyncGenerator[Finding]:
    """Check one server, and leave it as it was, also after a failure or a stop.

    Iterate within `contextlib.aclosing`: closing removes the models.
    """
    check = _Smoke(engine)
    try:
        left = await check.sweep()
        if left:
            yield Finding(
                "smoke", Mark.OK, f"removed what an earlier check left: {', '.join(left)}"
            )
        async with aclosing(check.findings()) as found:
            async for one in found:
                yield one
    finally:
        with anyio.move_on_after(60, shield=True):
            await check.remove()
    kept = check.kept
    if kept:
        step = "; ".join(f"ollama rm {name}" for name in kept)
        yield Finding("smoke", Mark.PROBLEM, f"could not remove {', '.join(kept)}", step)
    else:
        yield Finding("smoke", Mark.OK, "its models are removed again")


class _Smoke:
    def __init__(self, engine: OllamaEngine) -> None:
        self._engine = engine
        self._base = f"{PREFIX}{secrets.token_hex(3)}"
        self._embedder, self._one, self._two = (
            f"{self._base}-{part}" for part in ("embed", "one", "two")
        )
        self._made: list[str] = []
        self.kept: list[str] = []

    async def sweep(self) -> list[str]:
        """Remove models of a check that was killed; their names."""
        try:
            old = [name for name in await self._engine.tags() if name.startswith(PREFIX)]
        except EngineError:
            return []  # the first check tells why
        self._made += old
        await self.remove()
        return [name for name in old if name not in self.kept]

    async def remove(self) -> None:
        """Unload and delete what was made; what resists is in `kept`."""
        self.kept = []
        for name in reversed(self._made):
            with suppress(EngineError):  # it was not loaded, or not even made
                await self._engine.unload(name)
            try:
                await self._engine.delete(name)
            except ModelMissing:
                continue
            except EngineError:
                self.kept.append(name)
        self._made = []

    async def findings(self) -> AsyncGenerator[Finding]:
        checks: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
            ("create", self._create),
            ("chat", self._chat),
            ("stream", self._stream),
            ("thinking", self._thinking),
            ("tools", self._tools),
            ("format", self._format),
            ("embedding", self._embed),
            ("role switch", self._switch),
            ("truncate", self._truncate),
            ("cancel", self._cancel),
        )
        for name, check in checks:
            try:
                said = await check()
            except _Failed as failure:
                yield Finding("smoke", Mark.PROBLEM, f"{name}: {failure}", failure.step)
            except ManyhandsError as error:
                yield Finding("smoke", Mark.PROBLEM, f"{name}: {error.message}", error.hint)
            else:
                yield Finding("smoke", Mark.OK, f"{name}: {said}")
                continue
            if name == "create":
                return  # nothing else can be tried

    # --- one check each ---------------------------------------------------------------------

    async def _create(self) -> str:
        await self._made_of(self._base, scripted_weights(_LINES, window=8192))
        await self._made_of(self._embedder, embedding_weights(width=_LENGTH))
        for name, trigger in ((self._one, "@one"), (self._two, "@two")):
            self._made.append(name)
            spec = {"from": self._base, "system": f"You are {trigger} ."}
            async with aclosing(self._engine.create(name, spec)) as steps:
                async for _ in steps:
                    pass
        return f"{len(self._made)} models"

    async def _made_of(self, name: str, weights: bytes) -> None:
        self._made.append(name)
        digest = f"sha256:{hashlib.sha256(weights).hexdigest()}"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.gguf"
            await anyio.Path(file).write_bytes(weights)
            await upload(self._engine.url, file, digest)
        spec = {"files": {"model.gguf": digest}}
        async with aclosing(self._engine.create(name, spec)) as steps:
            async for _ in steps:
                pass

    async def _chat(self) -> str:
        reply = await self._ask("Hello.")
        _same(reply.content, _HELLO)
        if not reply.usage.prompt_tokens or not reply.usage.completion_tokens:
            raise _Failed("the answer is right, but its tokens are not counted")
        return f"the scripted answer, loaded in {reply.usage.load_s:.2f} s"

    async def _stream(self) -> str:
        pieces, said = 0, ""
        async with aclosing(self._engine.stream(self._request("Hello."))) as parts:
            async for part in parts:
                if isinstance(part, Reply):
                    _same(said, part.content)
                else:
                    pieces += 1
                    said += part.content
        _same(said, _HELLO)
        if pieces < 3:
            raise _Failed(f"the answer came in {pieces} pieces", "look for a proxy that buffers")
        return f"{pieces} pieces"

    async def _thinking(self) -> str:
        reply = await self._ask("@think", think=True)
        _same(reply.thinking.strip(), _THOUGHT)
        _same(reply.content.strip(), _ANSWER)
        return "told apart from the answer"

    async def _tools(self) -> str:
        reply = await self._ask("@tool", tools=(_TOOL,))
        calls = [(call.name, call.arguments) for call in reply.tool_calls]
        if calls != [(_CALL["name"], _CALL["arguments"])]:
            shown = calls or reply.content
            raise _Failed(f"the call of a tool came as {shown!r}")
        return "a call with its arguments"

    async def _format(self) -> str:
        reply = await self._ask("@json", format=_SCHEMA)
        try:
            found = json.loads(reply.content, strict=False)
        except ValueError:
            found = None
        if found != {"ok": True}:
            raise _Failed(f"the answer under a schema is {reply.content[:80]!r}")
        return "an answer under a JSON schema"

    async def _embed(self) -> str:
        one, again, other = await self._engine.embed(
            self._embedder,
            ["one text", "one text", "something else"],
            num_ctx=_WINDOW,
            options=_OPTIONS,
        )
        norm = math.sqrt(sum(value * value for value in one))
        if len(one) != _LENGTH or abs(norm - 1) > 0.01:
            raise _Failed(f"a vector of {len(one)} numbers and length {norm:.3f}")
        if math.dist(one, again) > 0.01 or math.dist(one, other) < 0.01:
            raise _Failed("equal texts differ, or different texts do not")
        return f"unit vectors of {_LENGTH} numbers"

    async def _switch(self) -> str:
        loads = []
        for name, said in (
            (self._one, "Role one speaks."),
            (self._two, "Role two speaks here."),
            (self._one, "Role one speaks."),
        ):
            reply = await self._ask("Who are you?", model=name)
            _same(reply.content, said)
            loads.append(reply.usage.load_s)
        slowest = max(loads[1:])
        if slowest > _RELOAD_S:
            raise _Failed(
                f"switching between two roles on one base took {slowest:.2f} s of loading",
                "set OLLAMA_MAX_LOADED_MODELS to 2 or more; look at the server's log",
            )
        return f"two roles on one base, {slowest * 1000:.0f} ms of loading"

    async def _truncate(self) -> str:
        try:
            reply = await self._ask("word " * (4 * _WINDOW))
        except ContextOverflow as error:
            return f"a prompt of {error.prompt_tokens} tokens is refused, not cut"
        raise _Failed(
            f"a prompt over the window was cut to {reply.usage.prompt_tokens} tokens in silence"
        )

    async def _cancel(self) -> str:
        pieces = 0
        async with aclosing(self._engine.stream(self._request("@long"))) as parts:
            async for _ in parts:
                pieces += 1
                if pieces == 5:
                    break
        started = time.monotonic()
        _same((await self._ask("Hello.")).content, _HELLO)
        seconds = time.monotonic() - started
        if seconds > _STOP_S:
            raise _Failed(f"after a stop the next answer took {seconds:.1f} s")
        return f"after a stop the next answer came in {seconds:.2f} s"

    def _request(self, text: str, *, model: str = "", **fields: Any) -> ChatRequest:
        return ChatRequest(
            model=model or self._base,
            messages=(Message(role="user", content=text),),
            num_ctx=_WINDOW,
            sampling={"temperature": 0.0},
            num_predict=_WINDOW - 256,
            deadlines=_DEADLINES,
            runner=_OPTIONS,
            **fields,
        )

    async def _ask(self, text: str, **fields: Any) -> Reply:
        return await self._engine.chat(self._request(text, **fields))


def _same(said: str, expected: str) -> None:
    if said.strip() != expected:
        raise _Failed(f"it said {said[:80]!r}, its script is {expected!r}")
