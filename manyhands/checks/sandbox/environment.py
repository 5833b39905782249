"""The hands' own pinned Python environment: where it is, whether it is there, how it is built."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Callable
from importlib.util import find_spec
from pathlib import Path

import anyio
import platformdirs

from manyhands.errors import HandsEnvironmentError

__all__ = [
    "build_environment",
    "ensure_environment",
    "environment_path",
    "environment_ready",
    "font_cache",
    "hands_python",
]

#: Names another interpreter for the hands; it is used as it is and never changed.
OVERRIDE = "MANYHANDS_HANDS_PYTHON"

_PINS = Path(__file__).with_name("hands-requirements.txt")
_FONTS = "manyhands-fonts"
_WARM_FONTS = "import matplotlib.font_manager"
_LOCK_POLL_S = 0.2

Progress = Callable[[str], None]


def environment_path() -> Path:
    """The folder of the environment; its name states pins, interpreter and machine."""
    key = "\n".join((_PINS.read_text(), sys.version, platform.platform(), sys.base_prefix))
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    return platformdirs.user_data_path("manyhands") / "hands" / name


def environment_ready() -> bool:
    """Whether `hands_python` can answer without building anything."""
    return _interpreter().exists()


def hands_python() -> Path:
    """The interpreter of the hands. Raises HandsEnvironmentError when it is not built yet."""
    python = _interpreter()
    if not python.exists():
        raise HandsEnvironmentError(
            f"The hands' Python environment {str(python.parent.parent)!r} is not there.",
            hint="Run `manyhands sandbox setup`, or set MANYHANDS_HANDS_PYTHON to a Python.",
        )
    return python


def font_cache(python: Path) -> Path | None:
    """A ready matplotlib font cache for `python`: without it each import of pyplot costs 300 ms."""
    folder = python.parent.parent / _FONTS
    return folder if folder.is_dir() else None


async def ensure_environment(progress: Progress | None = None) -> Path:
    """`hands_python`, built first when it is missing."""
    if not environment_ready():
        await build_environment(progress)
    return hands_python()


async def build_environment(progress: Progress | None = None) -> None:
    """Build the environment from the pins shipped with manyhands; does nothing when it is there.

    Two processes never build at once, and a half-built one is never seen: it is built beside
    its place and renamed. Raises HandsEnvironmentError with the installer's last words.
    """
    say = progress or (lambda _: None)
    if os.environ.get(OVERRIDE):
        hands_python()
        return
    target = environment_path()
    try:
        await anyio.Path(target.parent).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HandsEnvironmentError(
            f"The folder {str(target.parent)!r} cannot be made: {error.strerror}.",
            hint="Set XDG_DATA_HOME to a folder that you may write.",
        ) from error
    async with _locked(target.parent / f"{target.name}.lock", say):
        if environment_ready():
            return
        building = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            await _build(building, say)
            await anyio.Path(building).rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    say("the hands' environment is ready")


def _interpreter() -> Path:
    override = os.environ.get(OVERRIDE)
    if override:
        return Path(override)
    return environment_path() / _python_in_venv()


def _python_in_venv() -> Path:
    return Path("Scripts/python.exe") if os.name == "nt" else Path("bin/python")


def _base_python() -> str:
    """The interpreter behind the running environment, so that the new one does not hang on it."""
    name = "python.exe" if os.name == "nt" else f"python{sysconfig.get_python_version()}"
    folder = Path(sys.base_prefix) if os.name == "nt" else Path(sys.base_prefix) / "bin"
    return str(folder / name) if (folder / name).exists() else sys.executable


async def _build(folder: Path, say: Progress) -> None:
    uv = _uv()
    python = str(folder / _python_in_venv())
    say("making the hands' environment (about 800 MB, once)")
    if uv:
        await _command(
            *uv, "venv", "--quiet", "--allow-existing", "--python", _base_python(), str(folder)
        )
        say("installing pinned packages with uv")
        await _command(
            *uv, "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes",
            "--python", python, "--requirement", str(_PINS),
        )  # fmt: skip
    else:
        await _command(_base_python(), "-m", "venv", str(folder))
        say("installing pinned packages with pip")
        await _command(
            python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--require-hashes", "--only-binary=:all:", "--requirement", str(_PINS),
        )  # fmt: skip
    say("reading fonts")
    fonts = folder / _FONTS
    fonts.mkdir()
    await _command(python, "-I", "-c", _WARM_FONTS, env={"MPLCONFIGDIR": str(fonts)})


def _uv() -> list[str]:
    found = shutil.which("uv")
    if found:
        return [found]
    return [sys.executable, "-m", "uv"] if find_spec("uv") else []


async def _command(*argv: str, env: dict[str, str] | None = None) -> None:
    # A virtual environment of the user must not redirect the installer.
    clean = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    try:
        done = await anyio.run_process(argv, check=False, env={**clean, **(env or {})})
    except OSError as error:
        raise HandsEnvironmentError(
            f"{argv[0]!r} cannot be started: {error.strerror}.",
            hint="Install uv, or set MANYHANDS_HANDS_PYTHON to a Python of your own.",
        ) from error
    if done.returncode != 0:
        words = (done.stderr or done.stdout).decode("utf-8", "replace").strip()[-600:]
        raise HandsEnvironmentError(
            f"Building the hands' environment failed in {' '.join(argv[:3])!r}: {words}",
            hint="Check the network and the disk, then run `manyhands sandbox setup` again.",
        )


@contextlib.asynccontextmanager
async def _locked(path: Path, say: Progress) -> AsyncIterator[None]:
    with path.open("a+b") as file:
        told = False
        while not _try_lock(file.fileno()):
            if not told:
                say("another process is building the hands' environment; waiting for it")
                told = True
            await anyio.sleep(_LOCK_POLL_S)
        yield  # closing the file releases the lock, also when the process dies


def _try_lock(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
