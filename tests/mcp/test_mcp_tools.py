"""Every tool over the protocol, in both eras; the models are scripted, the checks are real."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from manyhands_mcp.server import build_server
from mcp import Client

from manyhands.data_files import data_path
from manyhands.hands.contracts import HandName
from manyhands.hands.registry import HANDS

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])
CO2 = "mauna_loa_co2_monthly.csv"

CODE = "```python\ndef solve(n):\n    return n * 2\n```\n"
TESTS = "```python\ndef check(candidate):\n    assert candidate(3) == 6\n```\n"


def doubling(request: Any) -> str:
    asks_tests = "test" in request.messages[0]["content"].casefold()[:400]
    return TESTS if asks_tests else CODE


async def call(client: Client, tool: str, **arguments: Any) -> tuple[dict[str, Any], str, bool]:
    result = await client.call_tool(tool, arguments)
    return (
        dict(result.structured_content or {}),
        str(getattr(result.content[0], "text", "")),
        bool(result.is_error),
    )


@pytest.mark.anyio
@ERAS
async def test_code_is_written_tested_blind_and_comes_as_an_artifact(
    door_on: Any, mode: Any
) -> None:
    async with door_on(doubling) as door, Client(build_server(door), mode=mode) as client:
        got, text, failed = await call(client, "code", task="Double a number.")
        assert not failed
        assert got["status"] == "verified", got
        assert "return n * 2" in got["value"]
        assert any("blind_tests" in line and "isolation" in line for line in got["evidence"])
        assert text.startswith("verified: ")
        assert got["links"][0].startswith("manyhands://artifacts/")


@pytest.mark.anyio
@ERAS
async def test_a_chart_comes_as_a_picture_and_as_a_file(
    door_on: Any, mode: Any, tmp_path: Path
) -> None:
    async with (
        door_on(folders=(data_path("examples"),)) as door,
        Client(build_server(door), mode=mode) as client,
    ):
        result = await client.call_tool(
            "visualize",
            {"task": "The whole record", "data": [CO2], "chart": "line", "x": "Date", "y": "CO2"},
        )
        got = result.structured_content or {}
        assert got["status"] == "verified", got
        kinds = [block.type for block in result.content]
        assert kinds.count("image") == 1
        assert "resource_link" in kinds
        text = result.content[0].text  # type: ignore[union-attr]
        path = Path(text.partition("file: ")[2].split("\n")[0])
        assert (await anyio.Path(path).read_bytes()).startswith(b"\x89PNG")
        assert path.is_relative_to(tmp_path)


@pytest.mark.anyio
async def test_a_claim_is_judged_on_csv_text(door_on: Any) -> None:
    program = "```python\ndef claim(df):\n    return bool(df['a'].sum() == 6)\n```\n"
    async with door_on(lambda r: program) as door, Client(build_server(door)) as client:
        got, _, failed = await call(client, "verify", claim="The sum of a is 6", data=["a\n1\n5\n"])
        assert not failed
        assert got["status"] in ("verified", "unverified"), got
        assert got["evidence"]


@pytest.mark.anyio
async def test_a_check_on_csv_text_is_run_again_when_the_call_is_over(door_on: Any) -> None:
    program = "```python\ndef claim(df):\n    return bool(df['a'].sum() == 6)\n```\n"
    async with door_on(lambda r: program) as door, Client(build_server(door)) as client:
        subject = "def claim(df):\n    return bool(df['a'].sum() == 6)\n"
        got, _, _ = await call(client, "verify", subject=subject, data=["a\n1\n5\n"])
        kept = got["value"].rpartition("manyhands check rerun ")[2].split()[0]
        case = json.loads(door.journal.artifact(kept)[2])
        gone = not await anyio.Path(case["csv"]["path"]).exists()
        assert gone, "the folder of the call"
        again, text, failed = await call(client, "verify", subject=kept)
        assert not failed, text
        assert again["status"] == got["status"] == "verified"


@pytest.mark.anyio
async def test_a_case_reads_no_file_that_its_sender_may_not_read(
    door_on: Any, tmp_path: Path
) -> None:
    shared, secret = tmp_path / "shared", tmp_path / "secret.csv"
    shared.mkdir()
    (shared / "open.csv").write_text("a\n41\n")
    secret.write_text("a\n42\n")
    known = hashlib.sha256(secret.read_bytes()).hexdigest()
    show = "print(open('data.csv').read())"
    async with door_on(folders=(shared,)) as door, Client(build_server(door)) as client:
        for data in (
            str(secret),
            str(shared / ".." / "secret.csv"),
            {"name": "a.csv", "path": str(secret), "sha256": known},
        ):
            case = {"kind": "program", "code": show, "data": data}
            told, text, failed = await call(client, "verify", subject=json.dumps(case))
            assert failed, (data, told)
            assert "There is no file" in text
        case = {"kind": "program", "code": show, "data": "open.csv"}
        told, text, failed = await call(client, "verify", subject=json.dumps(case))
        assert not failed, text


@pytest.mark.anyio
async def test_math_gives_an_expression_and_says_how_it_was_checked(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        got, _, failed = await call(
            client,
            "math",
            task="The derivative of the parabola",
            kind="derivative",
            given={"f": "a + b*t + c*t**2", "var": "t"},
        )
        assert not failed
        assert got["status"] == "verified", got
        assert "2*c*t" in got["value"]


@pytest.mark.anyio
@ERAS
async def test_the_mind_answers_with_its_run_and_conversation(door_on: Any, mode: Any) -> None:
    async with door_on() as door, Client(build_server(door), mode=mode) as client:
        got, text, failed = await call(client, "ask_mind", question="hello")
        assert not failed
        assert got["status"] == "unverified"
        assert got["run_id"].startswith("run_")
        assert got["simulated"] is True
        assert "(simulated models)" in text
        again, _, _ = await call(
            client, "ask_mind", question="and?", conversation_id=got["conversation_id"]
        )
        assert again["conversation_id"] == got["conversation_id"]


@pytest.mark.anyio
async def test_memory_is_empty_then_holds_a_models_word_as_a_proposal(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        empty, _, failed = await call(client, "recall", query="CO2")
        assert (failed, empty["summary"]) == (False, "Nothing is remembered yet.")
        kept, _, _ = await call(client, "remember", text="CO2 rises by 2 ppm a year")
        assert "as a proposal" in kept["summary"]
        found, _, _ = await call(client, "recall", query="CO2")
        assert "CO2 rises by 2 ppm a year" in found["value"]
        assert "proposal · model" in found["value"]


@pytest.mark.anyio
async def test_memory_at_this_door_is_of_the_project_the_server_was_started_in(
    door_on: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        await call(client, "remember", text="CO2 rises by 2 ppm a year")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    async with door_on() as door, Client(build_server(door)) as client:
        found, _, _ = await call(client, "recall", query="CO2")
        assert found["summary"] == "Nothing about that is remembered."
        kept, _, _ = await call(client, "remember", text="CO2 rises by 2 ppm a year")
        assert kept["summary"].startswith("Kept as")
        again, _, _ = await call(client, "remember", text="CO2 rises by 2 ppm a year")
        assert again["summary"].startswith("Known already")


@pytest.mark.anyio
async def test_one_registry_makes_the_plans_steps_and_the_tools(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert set(names) >= {str(name) for name in HANDS}
        assert set(HANDS) == set(HandName) - {HandName.TOOL}
        assert set(names) - set(HANDS) == {"ask_mind", "recall", "remember", "job"}


@pytest.mark.anyio
async def test_input_schemas_are_flat_described_and_without_null(door_on: Any) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        for tool in (await client.list_tools()).tools:
            told = json.dumps(tool.input_schema) + json.dumps(tool.output_schema)
            assert "$ref" not in told
            assert "$defs" not in told
            assert "null" not in told
            assert "anyOf" not in told
            assert tool.description
            assert tool.annotations is not None
            assert len(f"mcp__manyhands__{tool.name}") < 60


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("code", {"task": ""}, "`task`"),
        ("code", {"task": 7}, "`task`"),
        ("code", {"task": "x", "dta": []}, "`dta`"),
        ("code", {"task": "x" * 20_001}, "`task`"),
        ("code", {"task": "x" * 9_000}, "`task`"),
        ("code", {"task": "x", "entry_point": "a b"}, "`entry_point`"),
        ("math", {"task": "x", "kind": "magic"}, "`kind`"),
        ("visualize", {"task": "x", "data": []}, "`data`"),
        ("verify", {"claim": "x", "data": ["/etc/passwd"]}, "There is no file"),
        ("verify", {"claim": "x", "data": ["../../etc/passwd"]}, "There is no file"),
        ("verify", {"claim": "x", "data": ["a\ud800\nb\n"]}, "unicode"),
        ("job", {"job_id": "job_0"}, "There is no job"),
        ("recall", {"query": "x", "most": 0}, "`most`"),
        ("ask_mind", {"question": "x", "role": "nobody"}, "There is no role"),
        ("ask_mind", {"question": "x", "conversation_id": "conv_none"}, "No conversation"),
    ],
)
async def test_a_wrong_call_is_told_in_words_that_help(
    door_on: Any, tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with door_on() as door, Client(build_server(door)) as client:
        _, text, failed = await call(client, tool, **arguments)
        assert failed
        assert said in text
        assert "Traceback" not in text


DOUBLE = 'def double(n: int) -> int:\n    """Twice n.\n\n    >>> double(2)\n    4\n    """\n'


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "status", "word"),
    [("2 * n", "verified", "supported"), ("n * n + 1", "refuted", "refuted")],
)
async def test_a_program_is_judged_without_a_model_and_can_be_run_again(
    door_on: Any, body: str, status: str, word: str
) -> None:
    def silent(_: Any) -> str:
        raise AssertionError("a model was asked")

    async with door_on(silent) as door, Client(build_server(door)) as client:
        subject = f"{DOUBLE}    return {body}\n"
        got, _, failed = await call(client, "verify", subject=subject)
        assert not failed, got
        assert got["status"] == status, got
        assert f"{word}: double does what its 1 examples say" in got["value"]
        kept = got["value"].rpartition("manyhands check rerun ")[2].split()[0]
        again, _, _ = await call(client, "verify", subject=kept)
        assert again["status"] == status, again


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("wanted", "status"), [("candidate(5) == 10", "verified"), ("candidate(5) == 11", "refuted")]
)
async def test_a_claim_about_a_program_is_judged_by_tests_that_are_written_blind(
    door_on: Any, wanted: str, status: str
) -> None:
    prompts: list[str] = []

    def tests(request: Any) -> str:
        prompts.append(str(request.messages))
        return f"```python\ndef check(candidate):\n    assert {wanted}\n```\n"

    async with door_on(tests) as door, Client(build_server(door)) as client:
        subject = "def double(n):\n    secret = 2\n    return secret * n\n"
        got, _, failed = await call(client, "verify", claim="double gives 2n", subject=subject)
        assert not failed, got
        assert got["status"] == status, got
        assert len(prompts) == 2
        assert not any("secret" in prompt for prompt in prompts)


@pytest.mark.anyio
async def test_the_files_and_cells_that_are_verified_lie_below_the_allowed_folders(
    door_on: Any, tmp_path: Path
) -> None:
    cells = [{"cell_type": "code", "source": text} for text in ("x = 2", "assert x == 3")]
    (tmp_path / "book.ipynb").write_text(json.dumps({"cells": cells}))
    async with (
        door_on(folders=(tmp_path,)) as door,
        Client(build_server(door)) as client,
    ):
        first, _, _ = await call(client, "verify", subject="book.ipynb", cell=1)
        assert first["status"] == "unverified", "it runs, which says nothing about its rightness"
        second, _, _ = await call(client, "verify", subject="book.ipynb", cell=2)
        assert second["status"] == "refuted", second
        for subject, said in (
            ("/etc/passwd", "There is no file"),
            ("a" * 64, "No artifact"),
            ("book.ipynb", "Name a code cell"),
        ):
            _, text, failed = await call(client, "verify", subject=subject)
            assert failed
            assert said in text
        _, text, failed = await call(client, "verify")
        assert failed
        assert "subject" in text
