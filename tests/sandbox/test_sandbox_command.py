"""`manyhands sandbox run`: every status by a real program, and bad input told in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = {
    "ok": ("print(6 * 7)", []),
    "error": ("raise ValueError('no')", []),
    "timeout": ("import time; time.sleep(60)", ["--time", "0.5"]),
    "mem": ("x = [bytearray(1 << 20) for _ in range(4000)]", ["--memory", "256M"]),
    "disk": (
        "for i in range(100):\n    open(f'f{i}', 'wb').write(bytes(32 << 20))",
        ["--time", "30"],
    ),
    "output": ("while True: print('x' * 100_000)", ["--time", "60"]),
    "signal": ("import os; os.kill(os.getpid(), 11)", []),
}

pytestmark = pytest.mark.usefixtures("hands")


def manyhands(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from manyhands.cli.main import main; main()", "sandbox", *args],
        capture_output=True, text=True, env={**os.environ, **(env or {})}, check=False,
    )  # fmt: skip


def run(folder: Path, code: str, *args: str, env: dict[str, str] | None = None) -> Any:
    (folder / "program.py").write_text(code)
    return manyhands("run", str(folder / "program.py"), *args, env=env)


@pytest.mark.parametrize("status", PROGRAMS)
def test_each_status_is_told_by_json_and_by_the_exit_code(tmp_path: Path, status: str) -> None:
    code, args = PROGRAMS[status]
    done = run(tmp_path, code, *args, "--json")
    told = json.loads(done.stdout)
    assert told["status"] == status, told
    assert done.returncode == (0 if status == "ok" else 1)
    assert set(told) == {
        "status", "exit_code", "stdout", "stderr", "files", "refused_files", "seconds",
        "isolation", "limit",
    }  # fmt: skip
    assert bool(told["limit"]) == (status in {"timeout", "mem", "disk", "output"}), told
    assert told["isolation"] in {"bwrap", "landlock"}
    assert len(done.stdout) < 3 << 20


def test_without_a_sandbox_the_run_is_refused_with_the_fix(tmp_path: Path) -> None:
    done = run(tmp_path, "print(1)", "--backend", "seatbelt", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"], told["isolation"]) == (4, "refused", "none")
    assert "seatbelt" in told["stderr"]
    plain = run(tmp_path, "print(1)", "--backend", "seatbelt")
    assert plain.returncode == 4
    assert "→" in plain.stderr
    assert plain.stdout == ""


def test_backend_none_is_refused_unless_it_is_asked_for_explicitly(tmp_path: Path) -> None:
    assert run(tmp_path, "print(1)", "--backend", "none", "--json").returncode == 4
    done = run(tmp_path, "print(1)", "--backend", "none", "--allow-none", "--json")
    told = json.loads(done.stdout)
    assert (told["status"], told["isolation"], told["stdout"]) == ("ok", "none", "1\n")


def test_the_settings_hold_and_options_go_before_them(tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    here = json.loads(run(tmp_path, "print(1)", "--json").stdout)["isolation"]
    config.write_text(f'[sandbox]\nbackend = "{here}"\nwall_s = 0.5\ndisk_mib = 1\n')
    env = {"MANYHANDS_CONFIG": str(config)}
    sleeps = run(tmp_path, "import time; time.sleep(60)", "--json", env=env)
    told = json.loads(sleeps.stdout)
    assert (told["isolation"], told["limit"]) == (here, "wall_s=0.5")
    big = "open('big', 'wb').write(bytes(2 << 20))"
    told = json.loads(run(tmp_path, big, "--time", "60", "--json", env=env).stdout)
    assert (told["status"], told["limit"]) == ("disk", "disk_bytes=1048576")
    other = run(tmp_path, "print(1)", "--time", "60", "--backend", "seatbelt", "--json", env=env)
    assert other.returncode == 4
    config.write_text('[sandbox]\nbackend = "none"\nallow_none = true\n')
    assert json.loads(run(tmp_path, "print(1)", "--json", env=env).stdout)["isolation"] == "none"


def test_only_the_file_and_the_data_are_seen(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a\n1\n")
    folder = tmp_path / "more"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "b.txt").write_text("b")
    (folder / "link").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "secret.txt").write_text("secret")
    code = "import os\nfor d, _, f in sorted(os.walk('.')):\n    print(d, sorted(f))"
    args = ("--data", str(tmp_path / "data.csv"), "--data", str(folder))
    done = run(tmp_path, code, *args)
    assert done.stdout.splitlines() == [
        ". ['data.csv', 'main.py']", "./more []", "./more/deep ['b.txt']",
    ]  # fmt: skip


def test_new_files_come_out_and_inputs_stay(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("in")
    code = (
        "import os\nopen('out.txt', 'w').write('new')\nopen('in.txt', 'a').write('!')\n"
        "os.symlink('/etc/passwd', 'link.txt')"
    )
    out = tmp_path / "out"
    args = ("--data", str(tmp_path / "in.txt"), "--out", str(out), "--json")
    told = json.loads(run(tmp_path, code, *args).stdout)
    assert told["files"] == {"out.txt": 3}
    assert told["refused_files"] == {"link.txt": "symbolic link"}
    assert [path.name for path in out.iterdir()] == ["out.txt"]
    assert (tmp_path / "in.txt").read_text() == "in"


@pytest.mark.parametrize(
    ("name", "content"),
    [("binary.py", b"\x7fELF\xff\xfe"), ("nul.py", b"print(1)\0")],
)
def test_what_is_no_text_is_refused_before_anything_runs(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    done = manyhands("run", str(tmp_path / name))
    assert done.returncode == 2
    assert f"{name}' is no UTF-8 text" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_files_folders_and_bad_values_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text("print(1)")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "x.csv").touch()
    (tmp_path / "b" / "x.csv").touch()
    program = str(tmp_path / "p.py")
    for args, said in [
        ((str(tmp_path / "none.py"),), "does not exist"),
        ((str(tmp_path),), "is a directory"),
        ((program, "--data", str(tmp_path / "none.csv")), "does not exist"),
        ((program, "--time", "0"), "is no time"),
        ((program, "--time", "nan"), "is no time"),
        ((program, "--memory", "much"), "is no size"),
        ((program, "--memory", "1K"), "too small"),
        ((program, "--backend", "magic"), "is not one of"),
        (
            (program, "--data", str(tmp_path / "a/x.csv"), "--data", str(tmp_path / "b/x.csv")),
            "would both be called 'x.csv'",
        ),
    ]:
        done = manyhands("run", *args)
        assert done.returncode == 2, (args, done)
        assert said in done.stderr, (args, done.stderr)
        assert "Traceback" not in done.stderr


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, stage: Any) -> None:
    closed = tmp_path / "closed.py"
    closed.write_text("print(1)")
    closed.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    script = tmp_path / "call.py"
    script.write_text(
        "import sys\nfrom manyhands.cli.main import main\n"
        f"sys.argv = ['manyhands', 'sandbox', 'run', {str(closed)!r}]\nmain()\n"
    )
    script.chmod(0o644)
    process = stage.start(script)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert "not readable" in said
    assert "Traceback" not in said


def test_probe_tells_every_layer_as_json() -> None:
    lines = [json.loads(line) for line in manyhands("probe", "--json").stdout.splitlines()]
    assert {line["isolation"] for line in lines} >= {"bwrap", "landlock", "monty"}
    assert all(line["works"] or line["reason"] for line in lines)
