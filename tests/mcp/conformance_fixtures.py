"""The tools, resources and prompts that the official conformance suite calls by name.

Names, arguments and answers are the suite's; everything around them is the product's. The tools
for tasks are jobs of the door like any other.
"""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

import anyio
from conformance_parts import PNG, WAV, embedded, field_of, form, text
from conformance_rounds import add_several_rounds
from manyhands_mcp.door import Ctx, Door
from manyhands_mcp.tasks import TASKS
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import Message, Prompt, UserMessage
from mcp.server.mcpserver.server import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequiredResult,
    SamplingMessage,
    SetLevelRequestParams,
    TextContent,
)
from pydantic import Field

from manyhands.errors import InputError
from manyhands.jobs.records import QuestionKind
from manyhands.jobs.runner import LiveJob


def add_fixtures(server: MCPServer, door: Door) -> None:
    """Register everything on the product's own instance."""
    add_content(server)
    add_asking(server)
    add_several_rounds(server)
    add_changes(server)
    add_resources_and_prompts(server)
    add_tasks(server, door)

    async def set_level(ctx: Any, params: SetLevelRequestParams) -> EmptyResult:
        return EmptyResult()

    # The product logs to standard error only and offers no level; the suite of 2025 asks for one.
    server._lowlevel_server.add_request_handler(
        "logging/setLevel", SetLevelRequestParams, set_level
    )


def add_content(server: MCPServer) -> None:
    """Each kind of content, progress, logging, and a tool that fails."""
    picture = ImageContent(type="image", data=PNG, mime_type="image/png")

    @server.tool()
    def test_simple_text() -> str:
        """One text."""
        return "This is a simple text response for testing."

    @server.tool()
    def test_image_content() -> list[ImageContent]:
        """One picture."""
        return [picture]

    @server.tool()
    def test_audio_content() -> list[AudioContent]:
        """One sound."""
        return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]

    @server.tool()
    def test_embedded_resource() -> list[EmbeddedResource]:
        """One resource."""
        return [embedded("test://embedded-resource", "This is an embedded resource content.")]

    @server.tool()
    def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        """A text, a picture and a resource."""
        whole = json.dumps({"test": "data", "value": 123})
        return [
            text("Multiple content types test:"),
            picture,
            embedded("test://mixed-content-resource", whole, "application/json"),
        ]

    @server.tool()
    async def test_tool_with_logging(ctx: Ctx) -> str:
        """Three log messages on the way; the 2025 era only."""
        for message in (
            "Tool execution started",
            "Tool processing data",
            "Tool execution completed",
        ):
            await ctx.session.send_log_message("info", message, related_request_id=ctx.request_id)
        return "Tool with logging executed successfully"

    @server.tool()
    async def test_tool_with_progress(ctx: Ctx) -> str:
        """Progress three times."""
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100, f"Completed step {done} of 100")
        return "done"

    @server.tool()
    def test_error_handling() -> str:
        """Fails."""
        raise ToolError("This tool intentionally returns an error for testing")

    @server.tool()
    def test_x_mcp_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "none",
    ) -> str:
        """An argument that stands in a header as well."""
        return f"region={region}"

    @server.tool()
    def test_missing_capability(ctx: Ctx) -> str:
        """Needs a client that samples."""
        declared = ctx.client_capabilities
        if declared is None or declared.sampling is None:
            raise MCPError(
                code=MISSING_REQUIRED_CLIENT_CAPABILITY,
                message="This tool needs the client capability 'sampling'.",
                data={"requiredCapabilities": {"sampling": {}}},
            )
        return "The client samples."


def add_asking(server: MCPServer) -> None:
    """Requests to the client: the 2025 era."""

    @server.tool()
    async def test_sampling(prompt: str, ctx: Ctx) -> str:
        """Ask the client's model."""
        said = await ctx.session.create_message(
            messages=[SamplingMessage(role="user", content=text(prompt))],
            max_tokens=100,
            related_request_id=ctx.request_id,
        )
        assert isinstance(said.content, TextContent)
        return f"LLM response: {said.content.text}"

    async def ask(ctx: Ctx, message: str, fields: dict[str, Any], required: list[str]) -> str:
        schema = {"type": "object", "properties": fields, "required": required}
        said = await ctx.session.elicit_form(message, schema, ctx.request_id)
        return f"action={said.action}, content={json.dumps(said.content or {})}"

    @server.tool()
    async def test_elicitation(message: str, ctx: Ctx) -> str:
        """Ask the user."""
        said = await ask(ctx, message, {"response": {"type": "string"}}, ["response"])
        return f"User response: {said}"

    @server.tool()
    async def test_elicitation_sep1034_defaults(ctx: Ctx) -> str:
        """Ask with a default for each primitive type."""
        fields = {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {
                "type": "string",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            "verified": {"type": "boolean", "default": True},
        }
        return f"Elicitation completed: {await ask(ctx, 'Who are you?', fields, [])}"

    @server.tool()
    async def test_elicitation_sep1330_enums(ctx: Ctx) -> str:
        """Ask with each kind of choice."""

        def titled(*names: str) -> list[dict[str, str]]:
            return [{"const": name, "title": name.title()} for name in names]

        three = ["option1", "option2", "option3"]
        values = ("value1", "value2", "value3")
        fields: dict[str, Any] = {
            "untitledSingle": {"type": "string", "enum": three},
            "titledSingle": {"type": "string", "oneOf": titled(*values)},
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": three}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled(*values)}},
        }
        return f"Elicitation completed: {await ask(ctx, 'Choose.', fields, list(fields))}"


def add_changes(server: MCPServer) -> None:
    """Lists that change while somebody listens."""

    def passing() -> str:
        return "passing"

    @server.tool()
    async def test_trigger_tool_change(ctx: Ctx) -> str:
        """Change the list of tools for a moment."""
        server.add_tool(passing, name="test_dynamic_tool", description="Passing")
        server.remove_tool("test_dynamic_tool")
        await ctx.notify_tools_changed()
        return "changed"

    @server.tool()
    async def test_trigger_prompt_change(ctx: Ctx) -> str:
        """Change the list of prompts for a moment."""
        server.add_prompt(Prompt.from_function(passing, name="test_dynamic_prompt"))
        server.remove_prompt("test_dynamic_prompt")
        await ctx.notify_prompts_changed()
        return "changed"


def add_resources_and_prompts(server: MCPServer) -> None:
    @server.resource("test://static-text", description="A text")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", description="A picture", mime_type="image/png")
    def static_binary() -> bytes:
        return base64.b64decode(PNG)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", description="A text to watch")
    def watched() -> str:
        return "Watched resource content"

    @server.prompt(description="A prompt")
    def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    @server.prompt(description="A prompt with arguments")
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt(description="A prompt with a resource")
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:  # noqa: N803
        found = embedded(resourceUri, "Embedded resource content for testing.")
        return [
            UserMessage(found),
            UserMessage(text("Please process the embedded resource above.")),
        ]

    @server.prompt(description="A prompt with a picture")
    def test_prompt_with_image() -> list[Message]:
        picture = ImageContent(type="image", data=PNG, mime_type="image/png")
        return [UserMessage(picture), UserMessage(text("Please analyze the image above."))]

    @server.prompt(description="A prompt that asks first")
    def test_input_required_result_prompt(ctx: Ctx) -> list[Message] | InputRequiredResult:
        given = ctx.input_responses or {}
        if "user_context" in given:
            words = f"Use this context: {field_of(given['user_context'], 'context')}"
            return [UserMessage(text(words))]
        asked = {"user_context": form("Which context?", context={"type": "string"})}
        return InputRequiredResult(input_requests=asked)


def add_tasks(server: MCPServer, door: Door) -> None:
    """Jobs of the door, as the suite's tasks."""

    @server.tool(structured_output=False)
    def greet(name: str) -> str:
        """Greet at once."""
        return f"Hello, {name}!"

    def done(words: str) -> dict[str, Any]:
        return {"status": "ok", "summary": words}

    @server.tool(structured_output=False)
    async def slow_compute(ctx: Ctx, seconds: float, label: str = "") -> Any:
        """Take so many seconds."""

        async def work(live: LiveJob) -> dict[str, Any]:
            await anyio.sleep(seconds)
            return done(f"Computed for {seconds} s.")

        return await door.call(ctx, "slow_compute", {"seconds": seconds, "label": label}, work)

    @server.tool(structured_output=False)
    async def failing_job(ctx: Ctx) -> Any:
        """Fail after a second; only as a task."""
        require_client_extension(ctx.request_context, TASKS)

        async def work(live: LiveJob) -> dict[str, Any]:
            await anyio.sleep(1)
            raise InputError("It fails as it should.")

        return await door.call(ctx, "failing_job", {}, work)

    @server.tool(structured_output=False)
    async def protocol_error_job(ctx: Ctx) -> Any:
        """Break after a second."""

        async def work(live: LiveJob) -> dict[str, Any]:
            await anyio.sleep(1)
            raise RuntimeError("It breaks as it should.")

        return await door.call(ctx, "protocol_error_job", {}, work)

    @server.tool(structured_output=False)
    async def confirm_delete(ctx: Ctx, filename: str) -> Any:
        """Ask before anything is done."""

        async def work(live: LiveJob) -> dict[str, Any]:
            said = await live.ask(QuestionKind.APPROVAL, f"Delete {filename}?")
            return done(f"Approved: {said}.")

        return await door.call(ctx, "confirm_delete", {"filename": filename}, work)

    @server.tool(structured_output=False)
    async def multi_input(ctx: Ctx) -> Any:
        """Ask two things at the same time."""

        async def work(live: LiveJob) -> dict[str, Any]:
            async with anyio.create_task_group() as tasks:
                for question in ("First?", "Second?"):
                    tasks.start_soon(live.ask, QuestionKind.QUESTION, question)
            return done("Both answered.")

        return await door.call(ctx, "multi_input", {}, work)

    @server.tool(structured_output=False)
    async def test_tool_with_task(ctx: Ctx) -> Any:
        """Ask for a name first, then work as a task."""
        require_client_extension(ctx.request_context, TASKS)
        given = ctx.input_responses or {}
        if "user_name" not in given:
            asked = {"user_name": form("Your name?", name={"type": "string"})}
            return InputRequiredResult(input_requests=asked)
        name = field_of(given["user_name"], "name")

        async def work(live: LiveJob) -> dict[str, Any]:
            await anyio.sleep(1)
            return done(f"Hello, {name}!")

        return await door.call(ctx, "test_tool_with_task", {"name": name}, work)
