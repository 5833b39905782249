"""Putting the server into the settings of IDEs, keeping what is there, and taking it out again."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from manyhands.errors import InputError
from manyhands.journal.private import new_private_file

__all__ = [
    "CLIENTS",
    "Change",
    "Client",
    "Done",
    "Place",
    "change",
    "own_command",
    "snippet",
    "state_of",
]

_NAME = "manyhands"
#: Claude Code takes milliseconds per server, Zed seconds (at most 600), Continue milliseconds.
_CLAUDE_MS, _ZED_S, _CONTINUE_MS = 1_800_000, 600, 600_000


class Change(StrEnum):
    """What is to be done to a file."""

    INSTALL = "install"
    UNINSTALL = "uninstall"


class Done(StrEnum):
    """What was done."""

    WRITTEN = "written"
    REMOVED = "removed"
    NOTHING = "nothing to do"


class Place:
    """Where a file lies: below the home folder, unless a kind of place says otherwise."""

    def __init__(self, *parts: str) -> None:
        self._parts = parts

    def path(self, home: Path, project: Path) -> Path:
        return self._base(home, project).joinpath(*self._parts)

    def _base(self, home: Path, project: Path) -> Path:  # noqa: ARG002
        return home


_Home = Place


class _Project(Place):
    def _base(self, home: Path, project: Path) -> Path:  # noqa: ARG002
        return project


class _Data(Place):
    """Where the platform keeps the settings of desktop applications."""

    def _base(self, home: Path, project: Path) -> Path:  # noqa: ARG002
        if sys.platform == "darwin":
            return home / "Library" / "Application Support"
        if sys.platform == "win32":
            return Path(os.environ.get("APPDATA", str(home / "AppData/Roaming")))
        return home / ".config"


@dataclass(frozen=True, slots=True)
class Client:
    """An application that can start MCP servers.

    Attributes:
        section: the key of the file under which servers stand.
        files: scope -> file, from the home folder and the project's folder. The first scope is
            the default.
        extra: keys of our entry beside `command` and `args`.
        note: what the user should know.
    """

    title: str
    section: str
    files: Mapping[str, Place]
    extra: Mapping[str, Any]
    note: str = ""


#: File names and keys as the applications' own documentation gives them; see `docs/mcp.md`.
CLIENTS: Mapping[str, Client] = {
    "claude-code": Client(
        "Claude Code",
        "mcpServers",
        {
            "project": _Project(".mcp.json"),
            "user": _Home(".claude.json"),
        },
        {"timeout": _CLAUDE_MS},
    ),
    "claude-desktop": Client(
        "Claude Desktop",
        "mcpServers",
        {
            "user": _Data("Claude", "claude_desktop_config.json"),
        },
        {},
        "Restart the application. It starts servers in no folder of yours: give --data-folder.",
    ),
    "cursor": Client(
        "Cursor",
        "mcpServers",
        {
            "user": _Home(".cursor", "mcp.json"),
            "project": _Project(".cursor", "mcp.json"),
        },
        {},
    ),
    "vscode": Client(
        "VS Code",
        "servers",
        {
            "project": _Project(".vscode", "mcp.json"),
            "user": _Data("Code", "User", "mcp.json"),
        },
        {"type": "stdio"},
    ),
    "zed": Client(
        "Zed",
        "context_servers",
        {
            "user": (
                _Data("Zed", "settings.json")
                if sys.platform == "win32"
                else _Home(".config", "zed", "settings.json")
            ),
            "project": _Project(".zed", "settings.json"),
        },
        {"timeout": _ZED_S},
    ),
    "continue": Client(
        "Continue",
        "mcpServers",
        {
            "user": _Home(".continue", "mcpServers", "manyhands.yaml"),
            "project": _Project(".continue", "mcpServers", "manyhands.yaml"),
        },
        {"connectionTimeout": _CONTINUE_MS},
        "Tools work in Continue's agent mode.",
    ),
    "lmstudio": Client(
        "LM Studio",
        "mcpServers",
        {"user": _Home(".lmstudio", "mcp.json")},
        {},
    ),
    "windsurf": Client(
        "Windsurf",
        "mcpServers",
        {"user": _Home(".codeium", "windsurf", "mcp_config.json")},
        {},
    ),
}


def own_command(folders: Sequence[Path] = ()) -> list[str]:
    """The command that starts this installation's server; IDEs often have another PATH."""
    beside = Path(sys.executable).with_name("manyhands.exe" if os.name == "nt" else "manyhands")
    found = str(beside) if beside.exists() else shutil.which("manyhands")
    start = [found] if found else [sys.executable, "-m", "manyhands"]
    options = [part for folder in folders for part in ("--data-folder", str(folder.resolve()))]
    return [*start, "mcp", *options]


def _entry(client: Client, command: Sequence[str]) -> dict[str, Any]:
    return {"command": command[0], "args": list(command[1:]), **client.extra}


def snippet(name: str, command: Sequence[str]) -> str:
    """What would be written, exactly, as text for the client's file."""
    client = CLIENTS[name]
    if name == "continue":
        return _yaml(client, command)
    return json.dumps({client.section: {_NAME: _entry(client, command)}}, indent=2)


def _yaml(client: Client, command: Sequence[str]) -> str:
    """A file of our own in Continue's form; JSON strings are YAML strings too."""
    return (
        f"name: {_NAME}\nversion: 0.0.1\nschema: v1\nmcpServers:\n  - name: {_NAME}\n"
        f"    command: {json.dumps(command[0])}\n    args: {json.dumps(list(command[1:]))}\n"
        f"    connectionTimeout: {client.extra['connectionTimeout']}\n"
    )


def state_of(name: str, scope: str, home: Path, here: Path) -> tuple[Path, str]:
    """The client's file and `configured`, `not configured`, `no file` or why it is unreadable."""
    path = CLIENTS[name].files[scope].path(home, here)
    if not path.exists():
        return path, "no file"
    if name == "continue":
        return path, "configured" if _names_us(path) else "not configured"
    try:
        document, _ = _read(path)
    except InputError as error:
        return path, error.message
    servers = document.get(CLIENTS[name].section)
    there = isinstance(servers, dict) and _NAME in servers
    return path, "configured" if there else "not configured"


def change(
    name: str, scope: str, what: Change, command: Sequence[str], *, home: Path, here: Path
) -> tuple[Path, Done, Path | None]:
    """Write our entry to a client's file or take it out; gives file, what was done, backup.

    Everything else in the file stays; keys that a user added to our entry stay as well. A file
    that held nothing else is removed with our entry. The file as it was is kept beside it. A
    second time changes nothing.

    Raises:
        InputError: the client has no such scope, or the file is no plain JSON (comments,
            duplicate keys): it is then left alone.
    """
    client = CLIENTS[name]
    if scope not in client.files:
        raise InputError(
            f"{client.title} has no scope {scope!r}.", hint=f"Scopes: {', '.join(client.files)}."
        )
    path = client.files[scope].path(home, here).resolve()  # a link to a dotfile stays a link
    if name == "continue":
        return _own_file(path, what, _yaml(client, command))
    document, raw = _read(path)
    servers = document.get(client.section, {})
    if not isinstance(servers, dict):
        raise InputError(f"{client.section!r} in {path} is no object.", hint="Mend it first.")
    before = servers.get(_NAME)
    if what is Change.UNINSTALL:
        if before is None:
            return path, Done.NOTHING, None
        del servers[_NAME]
        if not servers:
            del document[client.section]
    else:
        mine = _entry(client, command)
        after = {**before, **mine} if isinstance(before, dict) else mine
        if after == before:
            return path, Done.NOTHING, None
        servers[_NAME] = after
        document[client.section] = servers
    backup = _backup(path) if raw is not None else None
    if not document:  # nothing but our entry was in it
        path.unlink()
        return path, Done.REMOVED, backup
    text = json.dumps(document, indent=_indent(raw or ""), ensure_ascii=False) + "\n"
    _write(path, text)
    return path, Done.REMOVED if what is Change.UNINSTALL else Done.WRITTEN, backup


def _own_file(path: Path, what: Change, text: str) -> tuple[Path, Done, Path | None]:
    there = path.exists()
    if what is Change.UNINSTALL:
        if not there:
            return path, Done.NOTHING, None
        kept = _backup(path)  # the user may have added to it
        path.unlink()
        return path, Done.REMOVED, kept
    if there and path.read_text(encoding="utf-8") == text:
        return path, Done.NOTHING, None
    backup = _backup(path) if there else None
    _write(path, text)
    return path, Done.WRITTEN, backup


def _names_us(path: Path) -> bool:
    """Whether a file of Continue's holds an entry of our name; it is YAML, read by lines."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return any(re.fullmatch(rf"\s+- name:\s*[\"']?{_NAME}[\"']?\s*", line) for line in lines)


def _read(path: Path) -> tuple[dict[str, Any], str | None]:
    """The file's object and text; an empty object and None where there is no file."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError("a key stands there twice")
        return made

    if not path.exists():
        return {}, None
    try:
        raw = path.read_bytes().decode("utf-8-sig")
        document = json.loads(raw, object_pairs_hook=once) if raw.strip() else {}
        if not isinstance(document, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} is no plain JSON ({error}); it is left alone.",
            hint="It may hold comments. Add the entry by hand: --print shows it.",
        ) from error
    return document, raw


def _indent(raw: str) -> int | str:
    for line in raw.splitlines()[1:]:
        space = line[: len(line) - len(line.lstrip())]
        if space:
            return "\t" if space.startswith("\t") else len(space)
    return 2


def _backup(path: Path) -> Path:
    """A copy beside the file; an older copy is never written over."""
    number = 0
    while True:
        suffix = ".manyhands-backup" + (f".{number}" if number else "")
        copy = path.with_name(path.name + suffix)
        try:
            handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(handle, "wb") as file:
            file.write(path.read_bytes())
        shutil.copystat(path, copy)  # only now: the copy is never wider than the file
        return copy


def _write(path: Path, text: str) -> None:
    """The whole file or nothing, with the rights that it had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    with new_private_file(path, mode) as file:
        file.write(text.encode())
