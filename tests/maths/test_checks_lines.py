"""`python -m manyhands.checks`: a verdict for each line, in order, and never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys


def _ask(
    lines: list[bytes], **env: str
) -> tuple[list[dict[str, object]], subprocess.CompletedProcess[bytes]]:
    done = subprocess.run(
        [sys.executable, "-m", "manyhands.checks"],
        input=b"\n".join(lines),
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, **env},
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done


def test_each_line_gets_its_verdict_in_order_whatever_it_holds() -> None:
    lines = [
        json.dumps({"id": "a", "kind": "identity", "lhs": "x + x", "rhs": "2*x"}).encode(),
        b"no json",
        b"[1, 2]",
        b'{"id": 4, "kind": "nonsense"}',
        b'{"id": null, "kind": ["identity"]}',
        b'{"id": 6, "kind": "identity", "lhs": NaN, "rhs": 1e999}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"",
        json.dumps({"id": {"n": 1}, "kind": "identity", "lhs": "x", "rhs": "x + 1"}).encode(),
        json.dumps({"id": 10, "kind": "identity", "lhs": "\ud800", "rhs": "\u202e"}).encode(),
        json.dumps(
            {"id": 11, "kind": "differential", "a": "def f(n: int) -> int:\n    return n\n",
             "b": "def f(n: int) -> int:\n    return n + 1\n", "entry_point": "f", "inputs": [[1]]}
        ).encode(),
    ]  # fmt: skip
    found, done = _ask(lines)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert [one["id"] for one in found] == [
        "a",
        None,
        None,
        4,
        None,
        6,
        None,
        None,
        {"n": 1},
        10,
        11,
    ]
    assert [one["verdict"] for one in found] == [
        "supported", *["undetermined"] * 7, "refuted", "undetermined", "refuted",
    ]  # fmt: skip
    assert all(one.keys() == {"id", "verdict", "evidence", "seconds"} for one in found)
    assert all(one["evidence"]["summary"] for one in found)  # type: ignore[index]


def test_an_id_that_json_cannot_say_and_a_byte_order_mark_cost_no_verdict() -> None:
    case = b'"kind": "identity", "lhs": "x", "rhs": "x"}'
    ids = [b"1", b"1e999", b"NaN", rb'"\ud800"', b'["a", 2]']
    lines = [b'{"id": ' + name + b", " + case for name in ids]
    found, done = _ask([b"\xef\xbb\xbf" + lines[0], *lines[1:]])
    assert done.returncode == 0
    assert [one["verdict"] for one in found] == ["supported"] * 5
    assert [one["id"] for one in found] == [1, "inf", "nan", "\ud800", ["a", 2]]


def test_no_lines_give_no_lines() -> None:
    found, done = _ask([])
    assert (found, done.returncode) == ([], 0)


def test_the_sandbox_of_the_settings_is_used_or_nothing_is_judged() -> None:
    line = json.dumps({"id": 1, "kind": "identity", "lhs": "x + x", "rhs": "2*x"}).encode()
    (found,), _ = _ask([line], MANYHANDS_SANDBOX__BACKEND="seatbelt")
    assert found["verdict"] == "undetermined"
    assert "'seatbelt' does not work here" in found["evidence"]["summary"]  # type: ignore[index]
    nothing, done = _ask([line], MANYHANDS_SANDBOX__BACKEND="quark")
    assert (nothing, done.returncode) == ([], 2)
    assert done.stderr.startswith(b"MANYHANDS_SANDBOX__BACKEND: sandbox.backend = 'quark'")


def test_arguments_are_wrong_usage_and_nothing_is_judged() -> None:
    for argument, code in (("cases.jsonl", 2), ("--help", 0)):
        done = subprocess.run(
            [sys.executable, "-m", "manyhands.checks", argument],
            input='{"id": 1, "kind": "identity", "lhs": "x", "rhs": "x"}\n',
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code
        told, other = (done.stdout, done.stderr) if code == 0 else (done.stderr, done.stdout)
        assert told.startswith("usage: python -m manyhands.checks < cases.jsonl\n")
        assert other == ""
