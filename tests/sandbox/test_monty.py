"""Pure Python runs in monty where no sandbox of the system works, and what it lacks is named."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from manyhands.checks.sandbox import runner
from manyhands.checks.sandbox.contracts import (
    Isolation,
    Limits,
    RunStatus,
    SandboxPolicy,
    SandboxResult,
    SandboxRun,
)
from manyhands.checks.sandbox.forks import ForkServer
from manyhands.checks.sandbox.inside.watch import descendants
from manyhands.checks.sandbox.session import Session
from manyhands.checks.sandbox.warm import WarmPool
from manyhands.cli.findings import Mark
from manyhands.cli.health_here import environment, sandbox
from manyhands.configuration.sections import SandboxBackend, SandboxSettings
from manyhands.errors import NeedsPython
from manyhands.settings import Settings

pytest.importorskip("pydantic_monty", reason="the extra `monty` is not installed")

pytestmark = pytest.mark.anyio

MONTY = SandboxPolicy(backend="monty")
HOSTILE = Path(__file__).resolve().parents[1] / "corpora" / "hostile"
#: Each needs the one thing that it is named for.
LACKING = {
    "yield expressions": "def f():\n    yield 1",
    "class inheritance": "class A(ValueError): pass",
    "'del' statement": "a = [1]\ndel a[0]",
    "the module 'numpy'": "import numpy as np",
    "the module 'subprocess'": "import subprocess",
    "'abc' of 'collections'": "from collections import abc",
    "'sys.exit'": "import sys\nsys.exit(1)",
    "'input'": "input()",
    "'str.translate'": "'a'.translate({})",
    "TextIOWrapper.write'": "import sys\nsys.stdout.write('a')",
    "open('/etc/passwd')": "open('/etc/passwd')",
    "Path.read_text('/etc/passwd')": "from pathlib import Path\nPath('/etc/passwd').read_text()",
    "os.environ": "import os\nos.environ",
    "making an 'object'": "object()",
}


async def run(code: str, limits: Limits | None = None, **job: object) -> SandboxResult:
    return await runner.run(SandboxRun(code=code, limits=limits, **job), MONTY)  # type: ignore[arg-type]


async def test_it_is_the_last_layer_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where podman works it stays so, and is not taken either.
    layers = [layer for layer in await runner.probe() if layer.isolation is not Isolation.PODMAN]
    assert (layers[-1].isolation, layers[-1].works) == (Isolation.MONTY, True), layers
    for layer in layers[:-1]:
        failed = runner.Layer(layer.isolation, False, "not today")
        monkeypatch.setitem(runner._probed, layer.isolation, failed)
    assert await runner.best() is Isolation.MONTY
    assert (await runner.run(SandboxRun(code="print(6 * 7)"))).isolation is Isolation.MONTY


@pytest.mark.parametrize(
    ("code", "limits", "status", "limit"),
    [
        ("print(6 * 7)", Limits(), RunStatus.OK, ""),
        ("raise SystemExit", Limits(), RunStatus.OK, ""),
        ("[].index(1)", Limits(), RunStatus.ERROR, ""),
        ("def f(:", Limits(), RunStatus.ERROR, ""),
        ("raise SystemExit('no')", Limits(), RunStatus.ERROR, ""),
        ("while True: pass", Limits(cpu_s=0.2), RunStatus.TIMEOUT, "cpu_s=0.2"),
        ("import time\ntime.sleep(99)", Limits(wall_s=0.2), RunStatus.TIMEOUT, "wall_s=0.2"),
        (
            "import asyncio\nasyncio.run(asyncio.sleep(99))",
            Limits(wall_s=0.2),
            RunStatus.TIMEOUT,
            "wall_s=0.2",
        ),
        (
            "a = []\nwhile True: a.append('a' * 9999)",
            Limits(memory_bytes=50 << 20),
            RunStatus.MEM,
            f"memory_bytes={50 << 20}",
        ),
        (
            "while True: print('a' * 99999)",
            Limits(output_kill_bytes=1 << 20),
            RunStatus.OUTPUT,
            f"output_kill_bytes={1 << 20} on stdout",
        ),
    ],
)
async def test_each_status_by_a_real_program(
    code: str, limits: Limits, status: RunStatus, limit: str
) -> None:
    ended = await run(code, limits)
    assert (ended.status, ended.limit) == (status, limit), ended
    assert ended.isolation is Isolation.MONTY


async def test_an_error_of_the_program_comes_with_its_traceback() -> None:
    ended = await run("def f(x):\n    return x / 0\n\nf(1)")
    assert ended.status is RunStatus.ERROR
    assert 'File "main.py", line 4' in ended.stderr
    assert ended.stderr.strip().endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("named", LACKING)
async def test_what_monty_lacks_is_refused_by_name_with_the_way_out(named: str) -> None:
    ended = await run(LACKING[named])
    assert (ended.status, ended.exit_code) == (RunStatus.REFUSED, None), ended
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "bubblewrap installed" in ended.stderr or "WSL 2" in ended.stderr


@pytest.mark.parametrize(
    "code",
    [
        "raise AttributeError(\"module 'sys' has no attribute 'exit'\")",
        "raise NotImplementedError('The monty syntax parser does not yet support lies')",
        "eval('this is not python')",
        "[].no_such_method()",
        "no_such_name",
        "sorted([1], nokey=1)",
    ],
)
async def test_a_fault_of_the_program_is_not_laid_to_monty(code: str) -> None:
    ended = await run(code)
    assert ended.status is RunStatus.ERROR, ended


async def test_a_job_with_files_arguments_or_input_is_refused_before_it_runs() -> None:
    for job in ({"files": {"a.csv": b"1"}}, {"args": ("-v",)}, {"stdin": b"1"}):
        ended = await run("print('ran')", **job)
        assert (ended.status, ended.stdout) == (RunStatus.REFUSED, ""), ended


async def test_hostile_programs_reach_nothing(tmp_path: Path) -> None:
    secret, markers = tmp_path / "secret", tmp_path / "markers"
    secret.write_text("5ecre7")
    markers.mkdir()
    os.environ["MONTY_TEST_SECRET"] = "5ecre7"
    given = {
        "secret_file": str(secret), "fake_home": str(tmp_path), "project_dir": str(tmp_path),
        "marker_dir": str(markers), "decoy_pid": os.getpid(), "supervisor_pid": os.getpid(),
        "tcp_port": 9, "tcp6_port": 9, "abstract": "none", "unix_path": str(tmp_path / "none"),
    }  # fmt: skip
    limits = Limits(wall_s=0.5, memory_bytes=256 << 20)
    programs = sorted(HOSTILE.glob("*.py"))
    assert len(programs) > 100
    for program in programs:
        code = re.sub("^C = json.*$", f"C = {given!r}", program.read_text(), flags=re.M)
        ended = await run(code, limits)
        said = ended.stdout + ended.stderr
        assert "ESCAPED:" not in said, (program, ended)
        assert "5ecre7" not in said, (program, ended)
    assert not list(markers.iterdir())
    assert secret.read_text() == "5ecre7"
    del os.environ["MONTY_TEST_SECRET"]


async def test_a_cancelled_run_leaves_no_process() -> None:
    with anyio.fail_after(60):
        for code in ("while True: pass", "import time\ntime.sleep(999)"):
            with anyio.move_on_after(0.3) as scope:
                await run(code, Limits(wall_s=999, cpu_s=999))
            assert scope.cancelled_caught
            assert not [pid for pid in descendants(os.getpid()) if _runs_monty(pid)]


def _runs_monty(pid: int) -> bool:
    try:
        name, state = Path(f"/proc/{pid}/stat").read_text().split()[1:3]
    except OSError:  # gone since
        return False
    return name == "(monty)" and state not in "ZX"


async def test_half_an_installation_is_told_by_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_probed", {})
    monkeypatch.setenv("MONTY_BIN", "/nowhere/monty")
    (layer,) = [one for one in await runner.probe() if one.isolation is Isolation.MONTY]
    assert not layer.works
    assert "/nowhere/monty" in layer.reason


async def test_what_needs_libraries_says_so() -> None:
    for opened in (WarmPool(policy=MONTY), ForkServer(policy=MONTY)):
        with pytest.raises(NeedsPython, match="needs a real interpreter, not monty"):
            await opened.__aenter__()
    async with Session(handler="a:b", policy=MONTY) as session:
        with pytest.raises(NeedsPython, match="needs a real interpreter, not monty"):
            await session.request(1)


async def test_no_environment_is_missed_where_programs_run_in_monty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("MANYHANDS_HANDS_PYTHON", raising=False)
    monty = Settings(sandbox=SandboxSettings(backend=SandboxBackend.MONTY))
    assert (await environment(monty)).mark is Mark.OK
    assert (await environment(Settings())).mark is Mark.PROBLEM
    assert (await sandbox(monty)).mark is Mark.WARNING


def test_at_the_command_line_a_lack_is_one_sentence_and_needs_no_environment(
    tmp_path: Path,
) -> None:
    def command(code: str, *args: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "program.py").write_text(code)
        argv = ("sandbox", "run", str(tmp_path / "program.py"), "--backend", "monty", *args)
        empty = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "MANYHANDS_HANDS_PYTHON": ""}
        return subprocess.run(
            [sys.executable, "-c", "from manyhands.cli.main import main; main()", *argv],
            capture_output=True, text=True, env=empty, check=False,
        )  # fmt: skip

    done = command("print(6 * 7)", "--json")
    told = json.loads(done.stdout)
    assert (told["status"], told["stdout"], told["isolation"]) == ("ok", "42\n", "monty"), told
    done = command("import numpy")
    assert done.returncode == 4
    assert "lacks what this program needs: the module 'numpy' (line 1)" in done.stderr
    assert "Traceback" not in done.stderr
