# ruff: noqa: PTH109, PTH123
"""Running a program inside a process that has its libraries loaded already."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import traceback
import types

__all__ = ["play"]


def play(args: list[str]) -> int:
    """Run `main.py` of the working folder as `__main__` does, return its exit code.

    Its threads are waited for and its exit functions run, as an interpreter does at its end.
    """
    sys.argv = ["main.py", *args]
    sys.path[0] = os.getcwd()
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=os.getcwd() + "/main.py", __builtins__=__builtins__)
    sys.modules["__main__"] = module
    code = _call(module)
    for finish in (threading._shutdown, atexit._run_exitfuncs):  # type: ignore[attr-defined]
        try:
            finish()
        except BaseException:
            traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            code = code or 120  # what an interpreter says then
    return code


def _call(module: types.ModuleType) -> int:
    try:
        with open("main.py", "rb") as file:
            program = compile(file.read(), module.__dict__["__file__"], "exec")
        exec(program, module.__dict__)  # noqa: S102
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without us
        traceback.print_exception(error)
        return 1
    return 0
