"""Running a program inside a process that is there already, as an interpreter of its own would."""

from __future__ import annotations

import os
import sys

__all__ = ["play", "script"]

_OWN = os.path.dirname(__file__)  # noqa: PTH120 the module pathlib would take longer than the rest

_MODULES = ("confine", "keeper", "play", "syscalls", "watch")


def script(path: str, args: list[str]) -> int:
    """Run the Python file `path` as `__main__`, return the exit code that it stands at.

    Its threads may run on and its exit functions have not been called: an interpreter does that
    when it ends.
    """
    path = os.path.abspath(path)  # noqa: PTH100
    sys.argv = [path if path.startswith(_OWN) else os.path.basename(path), *args]  # noqa: PTH119
    sys.path[0] = os.path.dirname(path)  # noqa: PTH120
    if not path.startswith(_OWN):
        _put_away()
    module = type(sys)("__main__")
    module.__dict__.update(__file__=path, __builtins__=__builtins__)
    sys.modules["__main__"] = module
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            program = compile(file.read(), path, "exec")
        exec(program, module.__dict__)  # noqa: S102
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without us
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def play(args: list[str]) -> int:
    """Run `main.py` of the working folder in a process that will end without ado.

    Its threads are waited for and its exit functions run, as an interpreter does at its end.
    """
    import atexit
    import threading

    code = script("main.py", args)
    for finish in (threading._shutdown, atexit._run_exitfuncs):  # type: ignore[attr-defined]
        try:
            finish()
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            code = code or 120  # what an interpreter says then
    return code


def _put_away() -> None:
    """Forget our own modules: the program may have some of these names."""
    for name in _MODULES:  # to look through all that is loaded would take longer than the rest
        if (getattr(sys.modules.get(name), "__file__", None) or "").startswith(_OWN):
            del sys.modules[name]
