"""The tools of the conformance suite that ask the client in several rounds before they answer."""

from __future__ import annotations

import json
from typing import Any

from conformance_parts import field_of, form, sample
from manyhands_mcp.door import Ctx
from mcp.server import MCPServer
from mcp.types import (
    CreateMessageResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    TextContent,
)


def add_several_rounds(server: MCPServer) -> None:
    """Results that ask for input: the 2026 era."""
    word = {"type": "string"}

    @server.tool()
    def test_input_required_result_elicitation(ctx: Ctx) -> str | InputRequiredResult:
        """Ask the user for a name."""
        given = ctx.input_responses or {}
        if "user_name" in given:
            return f"Hello, {field_of(given['user_name'], 'name')}!"
        return InputRequiredResult(input_requests={"user_name": form("Your name?", name=word)})

    @server.tool()
    def test_input_required_result_sampling(ctx: Ctx) -> str | InputRequiredResult:
        """Ask the client's model."""
        said = (ctx.input_responses or {}).get("capital_question")
        if isinstance(said, CreateMessageResult) and isinstance(said.content, TextContent):
            return f"The model said: {said.content.text}"
        asked = sample("What is the capital of France?")
        return InputRequiredResult(input_requests={"capital_question": asked})

    @server.tool()
    def test_input_required_result_list_roots(ctx: Ctx) -> str | InputRequiredResult:
        """Ask for the client's roots."""
        said = (ctx.input_responses or {}).get("client_roots")
        if isinstance(said, ListRootsResult):
            return f"{len(said.roots)} roots."
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})

    @server.tool()
    def test_input_required_result_request_state(ctx: Ctx) -> str | InputRequiredResult:
        """Ask, and know the state again."""
        if "confirm" in (ctx.input_responses or {}) and ctx.request_state == "the state":
            return "state-ok: the state came back whole."
        asked = {"confirm": form("Please confirm.", ok={"type": "boolean"})}
        return InputRequiredResult(input_requests=asked, request_state="the state")

    @server.tool()
    def test_input_required_result_tampered_state(ctx: Ctx) -> str | InputRequiredResult:
        """Ask; a state that was changed never gets here."""
        if ctx.request_state is not None:
            return f"state-ok: {ctx.request_state}"
        asked = {"confirm": form("Please confirm.", ok={"type": "boolean"})}
        return InputRequiredResult(input_requests=asked, request_state="round 1")

    @server.tool()
    def test_input_required_result_multiple_inputs(ctx: Ctx) -> str | InputRequiredResult:
        """Ask for three things at once."""
        if {"user_name", "greeting", "client_roots"} <= (ctx.input_responses or {}).keys():
            return "All three came."
        return InputRequiredResult(
            input_requests={
                "user_name": form("Your name?", name=word),
                "greeting": sample("Write a greeting."),
                "client_roots": ListRootsRequest(),
            },
            request_state="three",
        )

    @server.tool()
    def test_input_required_result_multi_round(ctx: Ctx) -> str | InputRequiredResult:
        """Ask twice, one after the other."""
        given = ctx.input_responses or {}
        state = json.loads(ctx.request_state or "{}")
        if state.get("round") == 1 and "step1" in given:
            name = field_of(given["step1"], "name")
            return InputRequiredResult(
                input_requests={"step2": form("Your favourite colour?", color=word)},
                request_state=json.dumps({"round": 2, "name": name}),
            )
        if state.get("round") == 2 and "step2" in given:
            return f"{state['name']} likes {field_of(given['step2'], 'color')}."
        return InputRequiredResult(
            input_requests={"step1": form("Your name?", name=word)},
            request_state=json.dumps({"round": 1}),
        )

    @server.tool()
    def test_input_required_result_capabilities(ctx: Ctx) -> InputRequiredResult:
        """Ask only for what the client can give."""
        declared = ctx.client_capabilities
        asked: dict[str, Any] = {}
        if declared is not None and declared.sampling is not None:
            asked["sample"] = sample("Say hello.")
        if declared is not None and declared.elicitation is not None:
            asked["ask"] = form("Your name?", name=word)
        return InputRequiredResult(input_requests=asked, request_state="asked")
