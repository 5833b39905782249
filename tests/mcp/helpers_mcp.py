"""What the scripted models of these tests say."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from manyhands.roles.loader import load_roles

ROLES = load_roles()
PROMPTS = {name: role.prompt for name, role in ROLES.items()}


def role_of(request: Any) -> str:
    """Which role a scripted model is asked to play."""
    system = next((m["content"] for m in request.messages if m["role"] == "system"), "")
    return next((name for name, prompt in PROMPTS.items() if prompt == system), "")


def direct(answer: str) -> str:
    """The frame of a question that is answered at once."""
    return json.dumps({"goal": "g", "route": "direct", "answer": answer})


def http_principal(token: str) -> str:
    """On whose behalf a request with this token speaks."""
    return f"http:{hashlib.sha256(token.encode()).hexdigest()[:32]}"


def stdio_server(folder: Path) -> subprocess.Popen[bytes]:
    """`manyhands mcp` as an IDE starts it, with everything that it keeps in a folder."""
    (folder / "settings.toml").touch()
    return subprocess.Popen(
        [sys.executable, "-m", "manyhands", "mcp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "MANYHANDS_CONFIG": str(folder / "settings.toml"),
            "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
            "MANYHANDS_MEMORY__PATH": str(folder / "memory.db"),
            "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
            "MANYHANDS_SERVE__FOLDER": str(folder / "serve"),
        },
    )
