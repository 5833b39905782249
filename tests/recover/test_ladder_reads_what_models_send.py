"""Every shape, recorded or composed, has its outcome; cuts, noise, nesting make no wrong call."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhands.recover import (
    Kind,
    Outcome,
    Reason,
    SentMessage,
    fenced_blocks,
    read_structured,
    recover,
)
from manyhands.recover.schema_faults import schema_fault

DATA = Path(__file__).parents[1] / "data"
SHARED = json.loads((DATA / "tool_calls.json").read_text(encoding="utf-8"))
MORE = json.loads((DATA / "more_tool_calls.json").read_text(encoding="utf-8"))
TOOLS = SHARED["tools"]
CASES = SHARED["cases"] + MORE["cases"]


def as_expected(outcome: Outcome) -> dict[str, object]:
    got: dict[str, object] = {"outcome": outcome.kind.value}
    if outcome.calls:
        got["calls"] = [{"name": c.name, "arguments": c.arguments} for c in outcome.calls]
    if outcome.reason:
        got["reason"] = outcome.reason.value
    return got


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_each_shape_has_its_outcome(case):
    assert as_expected(recover(SentMessage.from_mapping(case["message"]), TOOLS)) == case["expect"]


def test_every_reason_of_the_ladder_has_a_shape():
    shown = {case["expect"].get("reason") for case in CASES}
    elsewhere = {Reason.BAD_INPUT, Reason.NOT_STRUCTURED}  # the command line and `format` replies
    assert {r.value for r in Reason if r not in elsewhere} <= shown


ARGUMENTS = {"path": "a.py", "content": 'x = {"k": [1]}\nprint("</b>")'}
OBJECT = json.dumps({"name": "write_file", "arguments": ARGUMENTS})
EFFECTS = [
    OBJECT,
    f"<tool_call>\n{OBJECT}\n</tool_call>",
    f"```json\n{OBJECT}\n```",
    f"[TOOL_CALLS][{OBJECT}]",
    f"[TOOL_CALLS]write_file[ARGS]{json.dumps(ARGUMENTS)}",
    "<tool_call><function=write_file>\n<parameter=path>\na.py\n</parameter>\n<parameter=content>\n"
    + ARGUMENTS["content"]
    + "\n</parameter>\n</function></tool_call>",
    '<invoke name="write_file"><parameter name="path">a.py</parameter><parameter name="content">'
    + ARGUMENTS["content"]
    + "</parameter></invoke>",
    "<tool_call>write_file\n<arg_key>path</arg_key><arg_value>a.py</arg_value>\n"
    f"<arg_key>content</arg_key><arg_value>{ARGUMENTS['content']}</arg_value></tool_call>",
    f"[write_file(path='a.py', content={ARGUMENTS['content']!r})]",
    f"Action: write_file\nAction Input: {json.dumps(ARGUMENTS)}",
    f"commentary to=functions.write_file json{json.dumps(ARGUMENTS)}",
    f"<write_file><path>a.py</path><content>{ARGUMENTS['content']}</content></write_file>",
    str({"name": "write_file", "arguments": ARGUMENTS}),
    "<ifm|tool_calls><ifm|tool_call>write_file<ifm|arg_key>path</ifm|arg_key><ifm|arg_value>a.py"
    "</ifm|arg_value><ifm|arg_key>content</ifm|arg_key><ifm|arg_value>"
    f"{ARGUMENTS['content']}</ifm|arg_value></ifm|tool_call></ifm|tool_calls>",
    "<|tool_call:start|>write_file\n<|tool_arg:start|>path<|tool_arg:value|>a.py<|tool_arg:end|>\n"
    f"<|tool_arg:start|>content<|tool_arg:value|>{ARGUMENTS['content']}<|tool_arg:end|>\n"
    "<|tool_call:end|>",
    "<|plamo:begin_tool_requests:plamo|><|plamo:begin_tool_request:plamo|>"
    "<|plamo:begin_tool_name:plamo|>write_file<|plamo:end_tool_name:plamo|>"
    "<|plamo:begin_tool_arguments:plamo|><|plamo:constrain|>json<|plamo:msg|>"
    f"{json.dumps(ARGUMENTS)}<|plamo:end_tool_arguments:plamo|><|plamo:end_tool_request:plamo|>"
    "<|plamo:end_tool_requests:plamo|><|plamo:tag|>",
    f"<dots_function_call>{OBJECT}</dots_function_call>",
    f"<|from|>assistant\n<|recipient|>write_file\n<|content|>{json.dumps(ARGUMENTS)}",
    json.dumps({"functions": [{"name": "write_file", "arguments": ARGUMENTS}]}),
]


@pytest.mark.parametrize("whole", EFFECTS)
@pytest.mark.parametrize("done", ["stop", "length"])
def test_no_cut_changes_what_a_side_effect_is_fed(whole, done):
    full = recover(SentMessage(content=whole), TOOLS)
    assert [call.arguments for call in full.calls] == [ARGUMENTS]
    for end in range(len(whole)):
        outcome = recover(SentMessage(content=whole[:end], done_reason=done), TOOLS)
        assert all(call.arguments == ARGUMENTS for call in outcome.calls), whole[:end]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_any_cut_of_any_shape_is_read_without_an_error(case):
    content = case["message"]["content"]
    writes = [c["arguments"] for c in case["expect"].get("calls", []) if c["name"] == "write_file"]
    for end in range(0, len(content), 3):
        message = SentMessage(content=content[:end], done_reason="length")
        for call in recover(message, TOOLS).calls:
            assert call.name != "write_file" or call.arguments in writes


@given(st.text(max_size=300))
def test_random_text_is_never_a_call(text):
    assert recover(SentMessage(content=text), TOOLS).kind is not Kind.CALL


VALUES = st.text(max_size=60) | st.sampled_from(
    [
        "</tool_call>",
        '{"name": "x"}',
        "```",
        "<think>a</think>",
        "a\nb",
        "\\",
        '"',
        "&lt;",
        "[/TOOL_CALLS]",
    ]
)
JSON_ENVELOPES = [
    "{}",
    "[{}]",
    "<tool_call>\n{}\n</tool_call>",
    "```json\n{}\n```",
    "[TOOL_CALLS][{}]",
    "<TOOLCALL>[{}]</TOOLCALL>",
    "I'll do it now.\n<tool_call>{}</tool_call>",
]


@settings(max_examples=120, deadline=None)
@given(VALUES, VALUES, st.sampled_from(JSON_ENVELOPES), st.integers(0, 400))
def test_no_value_and_no_cut_makes_other_arguments(path, content, envelope, cut):
    meant = {"path": path, "content": content}
    whole = envelope.replace("{}", json.dumps({"name": "write_file", "arguments": meant}))
    for text in (whole, whole[:cut]):
        outcome = recover(SentMessage(content=text), TOOLS)
        assert all(call.arguments == meant for call in outcome.calls), text
        lost = outcome.kind is Kind.TEXT and "placeholder" not in outcome.notes
        assert not lost or len(text) < len(whole), text


@given(VALUES, VALUES, st.integers(0, 200))
def test_no_cut_of_structured_arguments_feeds_a_side_effect(path, content, cut):
    meant = {"path": path, "content": content}
    for text in (json.dumps(meant), json.dumps(meant)[:cut]):
        call = {"function": {"name": "write_file", "arguments": text}}
        outcome = recover(SentMessage(tool_calls=(call,)), TOOLS)
        assert all(made.arguments == meant for made in outcome.calls), text


WRAPPERS = ["arguments", "parameters", "args", "kwargs", "input", "read_file"]


@given(st.lists(st.sampled_from(WRAPPERS), max_size=12))
def test_arguments_are_found_under_any_nesting_of_wrappers(wrappers):
    arguments: dict[str, object] = {"path": "x"}
    for wrapper in wrappers:
        arguments = {wrapper: arguments}
    call = {"function": {"name": "read_file", "arguments": arguments}}
    outcome = recover(SentMessage(tool_calls=(call,)), TOOLS)
    assert [made.arguments for made in outcome.calls] == [{"path": "x"}]


MARKS = ["<tool_call>", "</tool_call>", "{", "}", '"', "[", "]", "```", "<think>", "</think>", "name",  # noqa: E501
         "<function=", ">", "<parameter=", ":", "write_file", "(", ")", "Action:", "\n", "'", "\\", ","]  # fmt: skip  # noqa: E501


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(MARKS), max_size=40).map("".join))
def test_any_nesting_of_marks_is_read_without_an_error(text):
    outcome = recover(SentMessage(content=text, thinking=text[::-1]), TOOLS)
    assert all(call.name != "write_file" for call in outcome.calls)


@pytest.mark.parametrize(
    "unit",
    [
        "{",
        "[",
        "<think>",
        "<tool_call>",
        "```\n",
        '{"name":',
        "\\",
        "<function=a>",
        "<arg_key>",
        "a(",
        "Action: x\n",
        "\n{\n",
    ],
)
def test_a_long_message_of_marks_is_read(unit):
    outcome = recover(SentMessage(content="Look. " + unit * 20_000), TOOLS)
    assert outcome.kind is not Kind.CALL


def test_the_command_line_answers_every_line():
    good = json.dumps({"id": "1", "tools": TOOLS, "message": {"content": OBJECT, "thinking": None}})
    bad_schema = {"id": "5", "tools": {"x": {"properties": 5}}, "message": {"content": OBJECT}}
    lines = good + "\nnot json\n[]\n" + json.dumps({"id": "4", "message": 3}) + "\n"
    lines += f"{json.dumps(bad_schema)}\n{'[' * 100_000}\n{good}\n"
    done = subprocess.run(
        [sys.executable, "-m", "manyhands.recover"],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [a["outcome"] for a in answers] == ["call", *["retry"] * 5, "call"]
    assert [a["reason"] for a in answers] == [None, *["bad_input"] * 5, None]
    told = [answer["detail"] for answer in answers[1:-1]]
    assert told[0].startswith("line 2: no JSON")
    assert told[1:4] == [
        "line 3: a case is an object, not list",
        "line 4: `message` is an object, not int",
        "line 5: the schema of tool 'x': `properties` is an object, not int",
    ]
    assert told[4].startswith("line 6: no JSON")
    assert answers[0]["calls"] == [{"name": "write_file", "arguments": ARGUMENTS}]
    assert answers[3]["id"] == "4"


SHAPE = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}


@pytest.mark.parametrize(
    ("content", "value", "reason"),
    [
        ('{"answer": "4"}', {"answer": "4"}, None),
        ('```json\n{"answer": "4"}\n```', {"answer": "4"}, None),
        ("<think>hm</think>{'answer': '4'}", {"answer": "4"}, None),
        ("It is four.", None, Reason.NOT_STRUCTURED),
        ('{"answer": "fo', None, Reason.TRUNCATED),
        ("{}", None, Reason.MISSING_REQUIRED),
        ("", None, Reason.EMPTY),
    ],
)
def test_a_structured_reply_is_read_or_has_its_reason(content, value, reason):
    read = read_structured(SentMessage(content=content), SHAPE)
    assert (read.value, read.reason) == (value, reason)


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("Here:\n```python\na = 1\n```\nDone.", [("python", "a = 1\n")]),
        ("```py\na = 1", [("py", "a = 1")]),
        ("~~~\na\n~~~", [("", "a\n")]),
        ("````md\n```python\na\n```\n````", [("md", "```python\na\n```\n")]),
        ("import os\nprint(os.name)", [("", "import os\nprint(os.name)\n")]),
        ("There is no code here.", []),
    ],
)
def test_code_is_found_in_prose(text, blocks):
    assert [(block.lang, block.text) for block in fenced_blocks(text)] == blocks


SCHEMAS = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.sampled_from(["string", "integer"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "required", "items", "enum", "anyOf", "x-aliases", "a"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(SCHEMAS)
def test_a_schema_is_read_or_its_fault_is_named(schema):
    fault = schema_fault(schema)
    if fault:
        return
    for arguments in ({"a": "1"}, {"a": [{"a": 1}]}, {"path": None}, "text", None):
        call = {"function": {"name": "x", "arguments": arguments}}
        recover(SentMessage(tool_calls=(call,)), {"x": schema})
