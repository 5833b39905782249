# ruff: noqa: PTH207, PTH208
"""Each trap that was found by running sandboxes: what goes wrong in a naive one does not here."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from glob import glob
from pathlib import Path

import anyio
import pytest
from helpers_sandbox import both_tiers, needs_bubblewrap

from manyhands.checks.sandbox import (
    ForkServer,
    Limits,
    SandboxPolicy,
    SandboxResult,
    SandboxRun,
    WarmPool,
    run,
)
from manyhands.checks.sandbox.inside.watch import descendants
from manyhands.errors import InputError, NoIsolation

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("hands")]

MiB = 1 << 20
SMALL = Limits(wall_s=20, cpu_s=10, memory_bytes=256 * MiB)


async def play(tier: str, code: str, limits: Limits = SMALL, **more: object) -> SandboxResult:
    job = SandboxRun(code=code, limits=limits, **more)  # type: ignore[arg-type]
    return await run(job, SandboxPolicy(backend=tier))


def _names(pid: str, folder: Path) -> bool:
    try:
        return str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@needs_bubblewrap
async def test_dev_and_root_of_bubblewrap_take_no_bytes() -> None:
    done = await play("bwrap", """
for path in ("/dev/x", "/x", "/sandbox.launcher/x", "/run/x", "/etc/x"):
    try:
        open(path, "w").write("x"); print("wrote", path)
    except OSError: pass
""")  # fmt: skip
    assert (done.status, done.stdout) == ("ok", "")


@both_tiers
async def test_tmp_and_shm_count_as_disk_of_the_run(tier: str) -> None:
    for folder in ("/dev/shm", "/tmp") if tier == "bwrap" else ("",):
        code = (
            f"import os\nfolder = {folder!r} or os.environ['TMPDIR']\n"
            "for i in range(300_000): open(f'{folder}/{i}', 'w').close()"
        )
        # Slow where many files were deleted in the last minutes: ext4 passes over their inodes.
        done = await play(tier, code, Limits(wall_s=120, cpu_s=60))
        assert (done.status, done.limit) == ("disk", "files=8000"), done


@both_tiers
async def test_reserved_address_space_costs_nothing_and_touched_memory_does(tier: str) -> None:
    reserve = "import mmap; mmap.mmap(-1, 1 << 40, flags=0x4022, prot=0); print('reserved')"
    done = await play(tier, reserve)
    assert (done.status, done.stdout) == ("ok", "reserved\n"), done
    done = await play(tier, "x = bytearray(1 << 30)")
    assert (done.status, done.limit) == ("mem", f"memory_bytes={256 * MiB}"), done


@both_tiers
async def test_memory_of_no_process_cannot_be_had(tier: str) -> None:
    done = await play(tier, "import os; os.memfd_create('x')")
    assert done.status == "error"
    assert "Operation not permitted" in done.stderr


@both_tiers
async def test_memory_counts_over_all_processes(tier: str) -> None:
    done = await play(tier, """
import os, time
for _ in range(6):
    if os.fork() == 0:
        x = bytearray(b"x") * (100 << 20); time.sleep(30)
time.sleep(30)
""")  # fmt: skip
    assert done.status == "mem", done


@both_tiers
async def test_the_limit_on_processes_counts_this_run_only(tier: str) -> None:
    fork = """
import os, time
made = 0
try:
    for _ in range(500):
        if os.fork() == 0: time.sleep(30)
        made += 1
except OSError: pass
print(made, flush=True); os._exit(0)
"""
    done = await play(tier, fork, Limits(wall_s=20, processes=16))
    assert done.status in {"ok", "error"}, done
    assert done.limit in {"", "processes=16"}
    assert not done.stdout or 8 <= int(done.stdout) <= 40, done


@needs_bubblewrap
async def test_no_new_user_namespace_opens_inside_bubblewrap() -> None:
    done = await play("bwrap", """
import ctypes, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
print(libc.unshare(0x10000000), subprocess.run(["unshare", "-U", "true"]).returncode)
""")  # fmt: skip
    assert done.stdout.split()[0] == "-1"
    assert done.stdout.split()[1] != "0"


@both_tiers
async def test_a_daemon_of_two_forks_dies_with_the_run(tier: str) -> None:
    done = await play(tier, """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
os.wait(); print("left")
""")  # fmt: skip
    assert (done.status, done.stdout) == ("ok", "left\n")
    assert not [pid for pid in descendants(os.getpid()) if _sleeps(pid)]


def _sleeps(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"main.py" in command


@both_tiers
async def test_a_grandchild_that_holds_the_pipes_holds_nobody_up(tier: str) -> None:
    code = "import subprocess; subprocess.Popen(['/bin/sleep', '1000']); print('done')"
    with anyio.fail_after(15):
        done = await play(tier, code)
    assert (done.status, done.stdout) == ("ok", "done\n")
    assert done.seconds < 10


@both_tiers
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_a_flood_of_output_ends_the_program_and_keeps_head_and_tail(
    tier: str, stream: str
) -> None:
    code = f"import sys\nsys.{stream}.write('HEAD')\nwhile True: sys.{stream}.write('x' * 65536)"
    limits = Limits(wall_s=60, cpu_s=40, output_kept_bytes=1000, output_kill_bytes=2 * MiB)
    done = await play(tier, code, limits)
    text = getattr(done, stream)
    assert (done.status, done.limit) == ("output", f"output_kill_bytes={2 * MiB} on {stream}")
    assert text.startswith("HEAD")
    assert text.endswith("xxx")
    assert "bytes left out" in text
    assert len(text) < 1200


@both_tiers
async def test_artifacts_are_taken_only_when_they_are_plain_files_of_the_run(tier: str) -> None:
    done = await play(tier, """
import os, socket
open("good.txt", "w").write("good")
os.symlink("/etc/passwd", "link.txt"); os.mkfifo("fifo.txt"); os.mkdir("folder.txt")
os.link("good.txt", "twin.txt"); open(".hidden.txt", "w"); open("-rf.txt", "w")
open("new\\nline.txt", "w"); open("\u202egnp.txt", "w")
with open("bomb.png", "wb") as f:
    f.write(bytes.fromhex("89504e470d0a1a0a0000000d49484452") + b"\\0\\0\\xc3\\x50" * 2 + bytes(40))
os.unlink("good.txt"); open("good.txt", "w").write("good")
""", collect=("*.txt", "*.png"))  # fmt: skip
    assert set(done.files) == {"good.txt", "twin.txt"}, done
    assert done.refused_files["link.txt"] == "symbolic link"
    assert done.refused_files["fifo.txt"] == "not a regular file"
    assert done.refused_files["bomb.png"] == "more than 50000000 pixels"
    assert len(done.refused_files) == 8


@both_tiers
async def test_a_file_with_a_second_name_stays(tier: str) -> None:
    code = "import os; open('a.txt', 'w').write('x'); os.link('a.txt', 'b.txt')"
    done = await play(tier, code, collect=("*.txt",))
    assert done.files == {}
    assert set(done.refused_files.values()) == {"hard link"}


@both_tiers
async def test_no_descriptor_of_the_supervisor_is_there(tier: str) -> None:
    secret, write = os.pipe()
    os.set_inheritable(secret, True)
    os.write(write, b"SECRET")
    try:
        done = await play(tier, """
import os
for fd in range(1024):
    try: os.fstat(fd); print(fd)
    except OSError: pass
""")  # fmt: skip
    finally:
        os.close(secret)
        os.close(write)
    assert done.stdout.split() == ["0", "1", "2"]


@both_tiers
async def test_environment_of_the_supervisor_stays_outside(
    tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    done = await play(tier, """
import os
print(dict(os.environ))
for pid in filter(str.isdigit, os.listdir("/proc")) if os.access("/proc", os.R_OK) else ():
    try: print(open(f"/proc/{pid}/environ").read())
    except OSError: pass
""")  # fmt: skip
    assert done.status in {"ok", "error"}
    assert "hunter2" not in done.stdout
    assert "SECRET_TOKEN" not in done.stdout


@both_tiers
async def test_loopback_of_the_host_is_out_of_reach(tier: str) -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        done = await play(tier, f"""
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    try:
        s = socket.socket(socket.AF_INET, kind); s.connect(("127.0.0.1", {port}))
        s.send(b"x"); print("reached" if kind == socket.SOCK_STREAM else "sent")
    except OSError: print("no")
""")  # fmt: skip
    assert "reached" not in done.stdout


async def test_a_warm_program_that_kills_its_group_kills_itself_alone() -> None:
    async with ForkServer((), SandboxPolicy(limits=SMALL)) as server:
        await server.ready()
        first = await server.run(SandboxRun(code="import os; os.kill(0, 9)"))
        second = await server.run(SandboxRun(code="print(1)"))
    assert first.status == "signal"
    assert (second.status, second.stdout) == ("ok", "1\n")


POOLS: list[Callable[[SandboxPolicy], WarmPool | ForkServer]] = [
    lambda policy: WarmPool((), 1, policy),
    lambda policy: ForkServer((), policy),
]


@both_tiers
@pytest.mark.parametrize("make", POOLS, ids=["single-use", "fork server"])
async def test_a_warm_program_says_what_a_cold_one_says(
    tier: str, make: Callable[[SandboxPolicy], WarmPool | ForkServer]
) -> None:
    cases = [
        "import sys; print(sys.argv, sys.stdin.read(), __name__, open('a.txt').read())",
        "raise ValueError('no')",
        "raise SystemExit('words')",
        "import sys; sys.exit(7)",
        "def f(:",
        "import os; os.abort()",
        "open('out.txt', 'w').write('x'); print('\\x1b[31mred')",
        "import threading, time\nthreading.Thread(target=lambda: print('late')).start()",
        "import atexit; atexit.register(print, 'bye')",
        "import time; time.sleep(60)",
        "x = bytearray(1 << 30)",
        "while True: print('x' * 65536)",
    ]
    limits = Limits(
        wall_s=2, cpu_s=10, memory_bytes=256 * MiB, output_kill_bytes=MiB, output_kept_bytes=2000
    )
    policy = SandboxPolicy(backend=tier, limits=limits)
    async with make(policy) as pool:
        for code in cases:
            job = SandboxRun(
                code=code, args=("a", "b c"), files={"a.txt": b"A"}, stdin=b"in", collect=("*.txt",)
            )
            cold, warm = await run(job, policy), await pool.run(job)
            assert (cold.status, cold.limit) == (warm.status, warm.limit), (code, cold, warm)
            assert cold.files == warm.files, code
            if cold.status in {"ok", "error"} and not cold.limit:
                assert (cold.exit_code, cold.stdout) == (warm.exit_code, warm.stdout), code
                assert cold.stderr.splitlines()[-1:] == warm.stderr.splitlines()[-1:], code


@pytest.mark.parametrize("make", POOLS, ids=["single-use", "fork server"])
async def test_many_warm_programs_at_once_keep_apart(
    make: Callable[[SandboxPolicy], WarmPool | ForkServer],
) -> None:
    results: dict[int, str] = {}
    async with make(SandboxPolicy(limits=SMALL)) as pool:

        async def one(number: int) -> None:
            code = f"import os\nprint({number}, sorted(os.listdir('.')))"
            results[number] = (await pool.run(SandboxRun(code=code))).stdout

        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(one, number)
    assert results == {n: f"{n} ['main.py']\n" for n in range(8)}


@needs_bubblewrap
async def test_a_fork_finds_the_libraries_of_an_environment_below_tmp(
    hands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "environment").symlink_to(hands.parent.parent)
    monkeypatch.setenv("MANYHANDS_HANDS_PYTHON", str(tmp_path / "environment/bin/python"))
    code = f"""
import os, sys
import pandas
try:
    open({str(tmp_path)!r} + "/environment/x", "w")
except OSError as error:
    print(sys.prefix == {str(tmp_path)!r} + "/environment", error.strerror)
"""
    async with ForkServer((), SandboxPolicy("bwrap", limits=SMALL)) as server:
        done = await server.run(SandboxRun(code=code))
    assert (done.stdout, done.stderr) == ("True Read-only file system\n", "")


async def test_a_dead_fork_server_is_started_again() -> None:
    async with ForkServer((), SandboxPolicy(limits=SMALL)) as server:
        await server.run(SandboxRun(code="pass"))
        assert server._server is not None
        server._server.tree.kill()
        await server._server.tree.process.wait()
        done = await server.run(SandboxRun(code="print(2)"))
    assert (done.status, done.stdout) == ("ok", "2\n")


@both_tiers
async def test_cancelling_a_run_ends_its_processes_and_removes_its_folder(
    tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    began = threading.active_count()
    job = SandboxRun(code="import time; open('up', 'w'); time.sleep(1000)")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, job, SandboxPolicy(backend=tier))
        with anyio.fail_after(20):
            while not glob(f"{tmp_path}/manyhands-*/work/up"):  # noqa: ASYNC110 another process
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert os.listdir(tmp_path) == []
    assert not [pid for pid in descendants(os.getpid()) if _sleeps(pid)]
    assert threading.active_count() <= began + 2


@needs_bubblewrap
async def test_a_run_that_is_cancelled_while_it_starts_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    job = SandboxRun(code="import time; time.sleep(1000)")
    for number in range(60):
        with anyio.move_on_after(number % 20 / 1000):
            await run(job, SandboxPolicy(backend="bwrap"))
    assert not [pid for pid in filter(str.isdigit, os.listdir("/proc")) if _names(pid, tmp_path)]


async def test_bad_names_and_missing_backends_are_told() -> None:
    for name in ("../x", "/etc/x", "main.py", ""):
        with pytest.raises(InputError):
            await run(SandboxRun(code="", files={name: b""}))
    with pytest.raises(NoIsolation, match="seatbelt"):
        await run(SandboxRun(code=""), SandboxPolicy(backend="seatbelt"))
