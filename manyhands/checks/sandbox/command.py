"""`manyhands sandbox`: run a file in the sandbox, see what isolates here, set it up."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from manyhands.checks.sandbox.contracts import SandboxPolicy, SandboxResult, SandboxRun

__all__ = ["command"]

_LEAST_MEMORY = 32 << 20
_MOST_SECONDS = 86_400
_COLLECT = ("*", "*/*", "*/*/*")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class _Size(click.ParamType[int]):
    name = "size"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*([KMG]?)(?:i?B)?", str(value), re.I)
        if match is None:
            self.fail(f"{value!r} is no size; write for example 512M or 1G", param, ctx)
        size = int(float(match[1]) * _UNITS[match[2].upper()])
        if size < _LEAST_MEMORY:
            self.fail(f"{value!r} is too small for an interpreter; give 32M or more", param, ctx)
        return size


class _Seconds(click.ParamType[float]):
    name = "seconds"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= _MOST_SECONDS:
            self.fail(f"{value!r} is no time; give seconds, above 0, up to a day", param, ctx)
        return seconds


@click.group("sandbox")
def command() -> None:
    """Run programs where they can do no harm."""


@command.command("run")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--time", "wall_s", type=_Seconds(), help="Wall time in seconds.")
@click.option("--memory", type=_Size(), help="Of all processes, for example 1G.")
@click.option(
    "--data", multiple=True, type=click.Path(exists=True, readable=True, path_type=Path),
    help="File or folder to copy beside the program; may be repeated.",
)  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Put new files here.")
@click.option(
    "--backend", help="Insist on one isolation.",
    type=click.Choice(["auto", "bwrap", "landlock", "seatbelt", "podman", "monty", "none"]),
)  # fmt: skip
@click.option("--allow-none", is_flag=True, help="Accept limits without isolation.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of plain output.")
def run_command(
    file: Path,
    wall_s: float | None,
    memory: int | None,
    data: tuple[Path, ...],
    out: Path | None,
    backend: str | None,
    allow_none: bool,
    as_json: bool,
) -> None:
    """Run FILE in a fresh folder that holds it and the --data paths, nothing else.

    The `[sandbox]` settings hold, as for hands; what is given here goes before them.

    Exit code 0 when the program ended well, 1 when it did not, 4 when there is no sandbox.
    """
    from manyhands.checks.sandbox.contracts import RunStatus, SandboxRun
    from manyhands.errors import NoIsolation

    policy = _policy(wall_s, memory, backend, allow_none=allow_none)
    job = SandboxRun(code=_source(file), inputs=_inputs(data), collect=_COLLECT)
    try:
        result = _run(job, policy)
    except NoIsolation as error:
        if not as_json:
            raise
        click.echo(json.dumps(_refused(str(error))))
        raise SystemExit(error.exit_code) from None
    if out is not None:
        _write(result, out)
    if as_json:
        click.echo(json.dumps(_shown(result)))
    else:
        _tell(result)
    if result.status is RunStatus.REFUSED:
        raise SystemExit(NoIsolation.exit_code)
    if result.status is not RunStatus.OK:
        raise SystemExit(1)


@command.command("probe")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def probe_command(as_json: bool) -> None:
    """Try each kind of isolation with a program that tries to get out."""
    import anyio

    from manyhands.checks.sandbox.runner import probe

    for layer in anyio.run(probe):
        if as_json:
            shown = {"isolation": layer.isolation, "works": layer.works, "reason": layer.reason}
            click.echo(json.dumps(shown))
        else:
            click.echo(f"{layer.isolation:10} {'works' if layer.works else layer.reason}")


@command.command("setup")
def setup_command() -> None:
    """Build the hands' own Python environment now rather than at the first run."""
    import anyio

    from manyhands.checks.sandbox.environment import build_environment, hands_python

    anyio.run(build_environment, lambda text: click.echo(text, err=True))
    click.echo(str(hands_python()))


def _policy(
    wall_s: float | None, memory: int | None, backend: str | None, *, allow_none: bool
) -> SandboxPolicy:
    """The settings' policy with what was given in its place."""
    from manyhands.settings import load_settings

    policy = load_settings().sandbox.policy()
    limits = policy.limits
    if wall_s is not None:  # who gives a program time means time to work
        limits = replace(limits, wall_s=wall_s, cpu_s=max(1.0, wall_s))
    if memory is not None:
        limits = replace(limits, memory_bytes=memory)
    return replace(
        policy,
        backend=backend or policy.backend,
        allow_none=allow_none or policy.allow_none,
        limits=limits,
    )


def _run(job: SandboxRun, policy: SandboxPolicy) -> SandboxResult:
    import anyio

    from manyhands.checks.sandbox.environment import ensure_environment
    from manyhands.checks.sandbox.runner import run, uses_environment

    async def both() -> SandboxResult:
        if await uses_environment(policy):
            await ensure_environment(lambda text: click.echo(text, err=True))
        return await run(job, policy)

    return anyio.run(both)


def _source(file: Path) -> str:
    from manyhands.errors import InputError

    try:
        code = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        code = "\0"
    except OSError as error:
        raise InputError(
            f"{str(file)!r} cannot be read: {error.strerror}.", hint="Give a readable Python file."
        ) from error
    if "\0" in code:
        raise InputError(f"{str(file)!r} is no UTF-8 text.", hint="Give a Python source file.")
    return code


def _inputs(paths: tuple[Path, ...]) -> dict[str, Path]:
    """Name in the scratch folder -> file; a folder comes with all its files, links left out."""
    from manyhands.errors import InputError

    found: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            base = path.resolve().name
            given = {
                f"{base}/{below.relative_to(path).as_posix()}": below
                for below in sorted(path.rglob("*"))
                if below.is_file() and not below.is_symlink()
            }
        else:
            given = {path.name: path}
        for name, file in given.items():
            if name in found:
                raise InputError(
                    f"{str(found[name])!r} and {str(file)!r} would both be called {name!r}.",
                    hint="Rename one of them.",
                )
            found[name] = file
    return found


def _write(result: SandboxResult, out: Path) -> None:
    from manyhands.errors import StorageError

    try:
        for name, content in result.files.items():
            target = out / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except OSError as error:
        raise StorageError(
            f"A file of the program cannot be written to {str(out)!r}: {error.strerror}.",
            hint="Give --out a folder that you may write.",
        ) from error


def _refused(why: str) -> dict[str, object]:
    return {
        "status": "refused", "exit_code": None, "stdout": "", "stderr": why, "files": {},
        "refused_files": {}, "seconds": 0.0, "isolation": "none", "limit": "",
    }  # fmt: skip


def _shown(result: SandboxResult) -> dict[str, object]:
    return {
        "status": result.status,
        "exit_code": result.exit_code,
        "stdout": result.stdout,
        "stderr": result.stderr,
        "files": {name: len(content) for name, content in result.files.items()},
        "refused_files": result.refused_files,
        "seconds": round(result.seconds, 4),
        "isolation": result.isolation,
        "limit": result.limit,
    }


def _tell(result: SandboxResult) -> None:
    click.echo(result.stdout, nl=False)
    click.echo(result.stderr, nl=False, err=True)
    end = f"{result.status}, {result.seconds:.2f} s, isolation: {result.isolation}"
    click.echo(end + (f", limit: {result.limit}" if result.limit else ""), err=True)
    for name, content in result.files.items():
        click.echo(f"file: {name} ({len(content)} bytes)", err=True)
    for name, reason in result.refused_files.items():
        click.echo(f"not brought out: {name}: {reason}", err=True)
