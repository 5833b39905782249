"""Ollama's endpoints that run a model: chat, generate, embed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from manyhands.rehearsal.answering import (
    Refusal,
    count_tokens,
    fit_messages,
    prompt_of,
    refusal_of,
    speak,
)
from manyhands.rehearsal.breaking import break_it
from manyhands.rehearsal.embedding import embed_text
from manyhands.rehearsal.profile import Profile
from manyhands.rehearsal.runners import Runners
from manyhands.rehearsal.script import ScriptedRequest
from manyhands.rehearsal.store import Store, StoredModel, now
from manyhands.web.listener import NDJSON, Connection, dumped

if TYPE_CHECKING:
    from manyhands.rehearsal.answering import Spoken
    from manyhands.rehearsal.server import Exchange

__all__ = ["Answers"]

#: A load of resident weights was measured at about a millisecond.
_RESIDENT_NS = 1_000_000


class Answers:
    """The endpoints that run a model of the store, on the runners of a declared machine."""

    def __init__(self, store: Store, runners: Runners, profile: Profile) -> None:
        self._store = store
        self._runners = runners
        self._profile = profile
        self._calls: dict[str, int] = {}

    def _wanted(self, body: dict[str, Any], missing: str = "model '{name}' not found") -> Any:
        name = str(body.get("model") or "")
        if not name:
            raise Refusal(400, "model is required")
        model = self._store.find(name)
        if model is None:
            raise Refusal(404, missing.format(name=name))
        return model

    async def generate(
        self, body: dict[str, Any], connection: Connection, exchange: Exchange
    ) -> None:
        """Only what loads and unloads: an empty prompt."""
        model: StoredModel = self._wanted(body)
        if body.get("prompt"):
            messages = [{"role": "user", "content": body["prompt"]}]
            await self.chat({**body, "messages": messages}, connection, exchange)
            return
        unload = "keep_alive" in body and body["keep_alive"] == 0
        if not unload and "completion" not in model.base.capabilities:
            raise Refusal(400, f'"{body["model"]}" does not support generate')
        if unload:
            await self._runners.unload(model)
        else:
            async with self._runners.use(model, body):
                pass
        await connection.json(
            {
                "model": body["model"],
                "created_at": now(),
                "response": "",
                "done": True,
                "done_reason": "unload" if unload else "load",
            }
        )

    async def chat(self, body: dict[str, Any], connection: Connection, exchange: Exchange) -> None:
        model: StoredModel = self._wanted(body)
        name = str(body["model"])
        refused = refusal_of(model, name, body)
        if refused is not None:
            raise refused
        if body.get("_debug_render_only"):
            rendered = prompt_of(model, body.get("messages") or [])
            await connection.json(
                {
                    "model": name,
                    "created_at": now(),
                    "message": {"role": "", "content": ""},
                    "done": False,
                    "_debug_info": {"rendered_template": rendered},
                }
            )
            return
        started = time.monotonic()
        async with self._runners.use(model, body) as (runner, load_s):
            num_ctx = int(dict(runner.key.options)["num_ctx"])
            messages, tokens = fit_messages(model, body, num_ctx)
            self._calls[model.base.name] = self._calls.get(model.base.name, 0) + 1
            request = ScriptedRequest(
                model=name,
                messages=messages,
                number=self._calls[model.base.name],
                format=body.get("format"),
                tools=body.get("tools") or [],
                think=body.get("think"),
                options={**model.parameters, **(body.get("options") or {})},
                own_system=model.system,
            )
            spoken = speak(model, request, num_ctx - tokens)
            await self._pause(self._profile.prefill_s(tokens))
            timing = self._timing(started, load_s, tokens, spoken)
            lines = _lines(name, spoken, timing)
            if spoken.reply.fault is not None:
                await break_it(spoken.reply.fault, [dumped(line) for line in lines], connection)
            elif body.get("stream", True):
                await self._stream(lines, spoken, connection, exchange)
            else:
                await self._pause(self._profile.decode_s(spoken.tokens))
                await connection.json(_joined(lines, body))

    async def _pause(self, seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds * self._profile.clock_scale)

    def _timing(self, started: float, load_s: float, tokens: int, spoken: Spoken) -> dict[str, int]:
        prompt_s = self._profile.prefill_s(tokens)
        eval_s = self._profile.decode_s(spoken.tokens)
        spent = time.monotonic() - started
        return {
            "total_duration": int((spent + load_s + prompt_s + eval_s) * 1e9) + _RESIDENT_NS,
            "load_duration": int(load_s * 1e9) or _RESIDENT_NS,
            "prompt_eval_count": tokens,
            "prompt_eval_duration": int(prompt_s * 1e9) or 1000,
            "eval_count": spoken.tokens,
            "eval_duration": int(eval_s * 1e9) or 1000,
        }

    async def _stream(
        self,
        lines: list[dict[str, Any]],
        spoken: Spoken,
        connection: Connection,
        exchange: Exchange,
    ) -> None:
        await connection.begin(NDJSON)
        pause = self._profile.decode_s(1) + spoken.reply.pace_s
        for line in lines[:-1]:
            await self._pause(pause)
            await connection.chunk(dumped(line))
            exchange.tokens += 1
        await connection.chunk(dumped(lines[-1]))
        await connection.end()

    async def embed(self, body: dict[str, Any], connection: Connection, _: Exchange) -> None:
        model: StoredModel = self._wanted(body, 'model "{name}" not found, try pulling it first')
        if "embedding" not in model.base.capabilities:
            message = "This server does not support embeddings. Start it with `--embeddings`"
            raise Refusal(501, message)
        given = body.get("input", [])
        texts = [given] if isinstance(given, str) else list(given)
        if not texts:
            async with self._runners.use(model, body):
                await connection.json({"model": body["model"], "embeddings": []})
            return
        started = time.monotonic()
        async with self._runners.use(model, body) as (_runner, load_s):
            vectors = [
                embed_text(text, model.base.dimensions, body.get("dimensions")) for text in texts
            ]
            load_ns = int(load_s * 1e9) or _RESIDENT_NS
            await connection.json(
                {
                    "model": body["model"],
                    "embeddings": vectors,
                    "total_duration": int((time.monotonic() - started) * 1e9) + load_ns,
                    "load_duration": load_ns,
                    "prompt_eval_count": sum(count_tokens(text) for text in texts),
                }
            )


def _lines(name: str, spoken: Spoken, timing: dict[str, int]) -> list[dict[str, Any]]:
    """The lines of a streamed answer; tool calls stand in the last one."""

    def line(message: dict[str, Any], **rest: Any) -> dict[str, Any]:
        shown = {"role": "assistant", **message}
        return {"model": name, "created_at": now(), "message": shown, "done": False, **rest}

    lines = [line({"content": "", "thinking": piece}) for piece in spoken.thinking]
    lines += [line({"content": piece}) for piece in spoken.content]
    calls = spoken.tool_calls()
    last: dict[str, Any] = {"content": "", **({"tool_calls": calls} if calls else {})}
    lines.append(line(last, **{"done": True, "done_reason": spoken.done_reason, **timing}))
    return lines


def _joined(lines: list[dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
    """The answer of a call that does not stream."""
    last = lines[-1]
    pieces = [line["message"]["content"] for line in lines]
    thinking = "".join(line["message"].get("thinking", "") for line in lines)
    message: dict[str, Any] = {"role": "assistant", "content": "".join(pieces)}
    if thinking:
        message["thinking"] = thinking
    if "tool_calls" in last["message"]:
        message["tool_calls"] = last["message"]["tool_calls"]
    joined = {**last, "message": message}
    if body.get("logprobs"):
        top = int(body.get("top_logprobs") or 0)
        spoken = [piece for piece in pieces if piece]
        joined["logprobs"] = [
            _logprob(piece, top, first=at == 0) for at, piece in enumerate(spoken)
        ]
    return joined


def _logprob(piece: str, top: int, *, first: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"token": piece, "logprob": 0, "bytes": list(piece.encode())}
    if top:
        # What comes second to a scripted token: at the start another word, as a real model weighs
        # one there; later nothing, which is an empty token without bytes.
        word = {"token": "The", "logprob": -23.5, "bytes": list(b"The")}
        nothing = {"token": "", "logprob": -84.7}
        others = [dict(word if first and not at else nothing) for at in range(top - 1)]
        entry["top_logprobs"] = [dict(entry), *others]
    return entry
