"""Running programs that nobody has read, without letting them harm or deceive anyone."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manyhands.checks.sandbox.contracts import (
        Isolation,
        Limits,
        RunStatus,
        SandboxPolicy,
        SandboxResult,
        SandboxRun,
    )
    from manyhands.checks.sandbox.environment import (
        build_environment,
        environment_ready,
        hands_python,
    )
    from manyhands.checks.sandbox.forks import ForkServer
    from manyhands.checks.sandbox.runner import best, probe, run
    from manyhands.checks.sandbox.session import Reply, Session
    from manyhands.checks.sandbox.warm import WarmPool

_WHERE = {
    **dict.fromkeys(
        ("Isolation", "Limits", "RunStatus", "SandboxPolicy", "SandboxResult", "SandboxRun"),
        "contracts",
    ),
    **dict.fromkeys(("build_environment", "environment_ready", "hands_python"), "environment"),
    "ForkServer": "forks",
    "WarmPool": "warm",
    **dict.fromkeys(("best", "probe", "run"), "runner"),
    **dict.fromkeys(("Reply", "Session"), "session"),
}

__all__ = [
    "ForkServer",
    "Isolation",
    "Limits",
    "Reply",
    "RunStatus",
    "SandboxPolicy",
    "SandboxResult",
    "SandboxRun",
    "Session",
    "WarmPool",
    "best",
    "build_environment",
    "environment_ready",
    "hands_python",
    "probe",
    "run",
]


def __getattr__(name: str) -> Any:
    """Load a part when it is first asked for: importing the package stays cheap."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
