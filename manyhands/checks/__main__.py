"""`python -m manyhands.checks < cases.jsonl`: one case per line in, one verdict per line out."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any

import anyio
import anyio.to_thread

from manyhands.checks.kinds import Checker
from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.checks.programs.battery import battery
from manyhands.checks.sandbox.contracts import SandboxPolicy
from manyhands.errors import ManyhandsError
from manyhands.settings import load_settings

__all__ = ["main"]

_LONGEST_LINE = 16 * 1024 * 1024
#: From so many of these cases on, their programs start from processes with the libraries loaded.
_BATTERY = 2
_USAGE = (
    "usage: python -m manyhands.checks < cases.jsonl\n"
    "Reads JSON lines from standard input, one case in each, and writes a verdict for each line.\n"
    "There are no arguments; `manyhands check` judges single cases and files."
)
_PROGRAMS = (b'"figure"', b'"table_claim"', b'"differential"')


def main(arguments: Sequence[str] = ()) -> int:
    """Read cases from standard input until it ends; the exit code is 0 whatever they say.

    The `[sandbox]` settings hold; where they cannot be read nothing is. Any argument is wrong usage
    (2), except `--help`.
    """
    if arguments:
        helps = set(arguments) <= {"-h", "--help"}
        print(_USAGE, file=sys.stdout if helps else sys.stderr)
        return 0 if helps else 2
    try:
        policy = load_settings().sandbox.policy()
    except ManyhandsError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    try:
        # half a surrogate pair, which JSON may hold, becomes the escape that it is in JSON
        with open(
            sys.stdout.fileno(), "w", encoding="utf-8", errors="backslashreplace", closefd=False
        ) as out:
            anyio.run(_answer_all, sys.stdin.buffer, out, policy)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return 0


async def _answer_all(lines: Iterable[bytes], out: IO[str], policy: SandboxPolicy) -> None:
    pending = iter(lines)
    programs = 0
    async with Checker(policy) as checker, contextlib.AsyncExitStack() as stack:
        while (line := await anyio.to_thread.run_sync(next, pending, None)) is not None:
            if not line.strip():
                continue
            if any(kind in line for kind in _PROGRAMS):
                programs += 1
                if programs == _BATTERY:
                    with contextlib.suppress(ManyhandsError):  # then each check says why
                        await stack.enter_async_context(battery(policy))
            out.write(await _answer(line, checker) + "\n")
            out.flush()


async def _answer(line: bytes, checker: Checker) -> str:
    name: Any = None
    try:
        case = _case(line)
        name = case.get("id")
        outcome = await checker.check(case)
    except ValueError as error:
        outcome = CheckOutcome(Verdict.UNDETERMINED, f"no case: {error}")
    except Exception as error:  # one case must not end the others
        said = f"the check itself failed: {type(error).__name__}: {error}"[:500]
        outcome = CheckOutcome(Verdict.UNDETERMINED, said)
    reply = {
        "id": _echo(name),
        "verdict": str(outcome.verdict),
        "evidence": _plain({"summary": outcome.summary, **outcome.evidence}),
        "seconds": round(outcome.seconds, 6),
    }
    return json.dumps(reply, ensure_ascii=False, allow_nan=False)


def _case(line: bytes) -> dict[str, Any]:
    """The case of a line. Raises ValueError that says what is wrong with it."""
    if len(line) > _LONGEST_LINE:
        raise ValueError("the line is longer than 16 MiB")
    try:
        case = json.loads(line.decode("utf-8-sig"))  # editors put a mark before the first line
    except RecursionError as error:
        raise ValueError("the line is nested too deeply") from error
    if not isinstance(case, dict):
        raise ValueError("the line is not a JSON object")
    return case


def _echo(name: Any) -> Any:
    """An id as it came; as text where strict JSON has no word for it (`1e400`, `NaN`)."""
    try:
        json.dumps(name, allow_nan=False)
    except (ValueError, RecursionError):
        return _plain(name)
    return name


def _plain(value: Any, depth: int = 0) -> Any:
    """What strict JSON can say: numbers that are not finite become text."""
    if isinstance(value, dict) and depth < 20:
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple) and depth < 20:
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value).encode("utf-8", "replace").decode("utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
