"""Modelfiles on disk: writing them, comparing them with their roles, and a first role file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from manyhands.configuration.load import config_path
from manyhands.configuration.model import Settings
from manyhands.configuration.template import write_new
from manyhands.errors import RoleError
from manyhands.roles.loader import FoundRole, load_role
from manyhands.roles.modelfile import parse_modelfile
from manyhands.roles.render import check_role_modelfile, modelfile_text, render

__all__ = [
    "Compared",
    "compare_files",
    "new_role",
    "refuse_changed_by_hand",
    "user_modelfiles",
    "write_modelfiles",
]


@dataclass(frozen=True, slots=True)
class Compared:
    """A Modelfile on disk against what its role renders to; `diff` is empty when equal."""

    role: str
    path: Path
    exists: bool
    diff: str


def user_modelfiles() -> Path:
    """The folder `Modelfile` beside the settings file; it need not exist."""
    return config_path().parent / "Modelfile"


def compare_files(
    found: Mapping[str, FoundRole], settings: Settings, folder: Path
) -> list[Compared]:
    """Compare the Modelfiles of a folder with their roles; roles of absent tiers are left out."""
    result = []
    for name, one in found.items():
        tier = settings.tiers.get(one.role.tier)
        if tier is None:
            continue
        path = folder / f"{name}.Modelfile"
        wanted = modelfile_text(one.role, tier)
        there = path.read_text(encoding="utf-8") if path.is_file() else ""
        lines = difflib.unified_diff(
            there.splitlines(), wanted.splitlines(), str(path), f"{name}, rendered", lineterm=""
        )
        result.append(Compared(name, path, path.is_file(), "\n".join(lines)))
    return result


def write_modelfiles(
    found: Mapping[str, FoundRole], settings: Settings, folder: Path
) -> list[Path]:
    """Write each role's Modelfile that differs, whole or not at all; the files written."""
    written = []
    for one in compare_files(found, settings, folder):
        if one.diff:
            role = found[one.role].role
            write_new(one.path, modelfile_text(role, settings.tier(role.tier)), force=True)
            written.append(one.path)
    return written


def refuse_changed_by_hand(
    found: Mapping[str, FoundRole], settings: Settings, folder: Path
) -> None:
    """Refuse Modelfiles that say something else than their roles, with the reason.

    Raises:
        RoleError: one was changed by hand, or belongs to other settings.
    """
    for name, one in found.items():
        path = folder / f"{name}.Modelfile"
        tier = settings.tiers.get(one.role.tier)
        if tier is None or not path.is_file():
            continue
        there = parse_modelfile(path.read_text(encoding="utf-8"), str(path))
        check_role_modelfile(there, one.role, tier, str(path))
        if there != render(one.role, tier):
            raise RoleError(
                f"{path} differs from its role {one.path}: a change there would be lost.",
                hint=f"See it: manyhands roles diff {name}. Put it into the role file, "
                f"then: manyhands roles render {name}",
            )


def new_role(name: str, like: FoundRole, folder: Path) -> Path:
    """Write a role file of one's own, a copy of `like` under another name.

    Raises:
        RoleError: the name cannot be one.
        SettingsError: the file exists already, or cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", name):
        raise RoleError(
            f"{name!r} cannot be a role's name.",
            hint="Use lower-case letters, digits and hyphens, a letter first.",
        )
    text = like.path.read_text(encoding="utf-8")
    title = name.replace("-", " ").capitalize()
    for key, value in (("name", name), ("title", title)):
        text = re.sub(rf"(?m)^{key}\s*=.*$", f'{key} = "{value}"', text, count=1)
    path = folder / f"{name}.toml"
    write_new(path, text, force=False)
    load_role(path)
    return path
