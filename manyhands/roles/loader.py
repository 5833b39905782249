"""Reading role files: the shipped ones, then the user's own, which win by name."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from manyhands.configuration.complaints import Complaint, complaint_of, nearest
from manyhands.configuration.load import config_path
from manyhands.configuration.toml_lines import TomlSyntaxError, TomlText, read_toml
from manyhands.data_files import data_path
from manyhands.errors import InputError, ManyhandsError, RoleError
from manyhands.roles.model import NOT_A_ROLES, Role

__all__ = [
    "FoundRole",
    "broken_roles",
    "find_roles",
    "load_role",
    "load_roles",
    "no_role",
    "user_roles_folder",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundRole:
    """A role and the file that it was read from; `shipped` when that file is ours."""

    role: Role
    path: Path
    shipped: bool


def user_roles_folder() -> Path:
    """The folder `roles` beside the settings file; it need not exist."""
    return config_path().parent / "roles"


def load_roles(extra_dirs: Iterable[Path] | None = None) -> dict[str, Role]:
    """All roles by name. One of the user's whose file is wrong is left out, with a warning.

    Args:
        extra_dirs: folders whose roles override, later ones winning; the user's folder when
            None. One that does not exist holds no roles.

    Raises:
        RoleError: a shipped file is wrong or missing.
    """
    folders = _folders(extra_dirs)
    for name, error in broken_roles(folders).items():
        _log.warning("Role %r is left out. %s", name, error)
    return {name: found.role for name, found in find_roles(folders).items()}


def find_roles(extra_dirs: Iterable[Path] | None = None) -> dict[str, FoundRole]:
    """Like `load_roles`, with the file of each and without a warning: see `broken_roles`."""
    shipped = data_path("roles")
    if not any(shipped.glob("*.toml")):
        raise RoleError(
            f"The shipped roles are missing: there is none in {shipped}.",
            hint="Install manyhands again.",
        )
    found: dict[str, FoundRole] = {}
    for folder in (shipped, *_folders(extra_dirs)):
        for path in _files(folder):
            try:
                role = load_role(path)
            except RoleError:
                if folder == shipped:
                    raise
                continue
            found[role.name] = FoundRole(role, path, folder == shipped)
    return dict(sorted(found.items()))


def broken_roles(extra_dirs: Iterable[Path] | None = None) -> dict[str, RoleError]:
    """What is wrong with the user's role files that cannot be used, by the file's stem."""
    broken: dict[str, RoleError] = {}
    for folder in _folders(extra_dirs):
        for path in _files(folder):
            try:
                load_role(path)
            except RoleError as error:
                broken[path.stem] = error
    return broken


def no_role(name: str, roles: Iterable[str]) -> ManyhandsError:
    """The fault of a name that no role has: what is wrong with its file, if it has one."""
    broken = broken_roles().get(name)
    if broken is not None:
        return broken
    known = sorted(roles)
    near = nearest(name, known)
    meant = f"Did you mean {near!r}? " if near else ""
    return InputError(f"There is no role {name!r}.", hint=f"{meant}Roles: {', '.join(known)}.")


def _folders(extra_dirs: Iterable[Path] | None) -> list[Path]:
    return [user_roles_folder()] if extra_dirs is None else list(extra_dirs)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.toml")) if folder.is_dir() else []


def load_role(path: Path) -> Role:
    """One role file.

    Raises:
        RoleError: the file cannot be read, or something in it is wrong.
    """
    try:
        text = read_toml(path)
    except FileNotFoundError:
        raise RoleError(f"There is no role file {path}.") from None
    except InputError as error:
        raise RoleError(error.message, hint=error.hint) from None
    except TomlSyntaxError as error:
        raise RoleError(
            f"{path}:{error.line}:{error.column}: this is no TOML: {error}.",
            hint="Correct that line.",
        ) from None
    try:
        role = Role.model_validate(text.data)
    except ValidationError as error:
        raise _wrong(path, text, complaint_of(error, Role, _shown)) from None
    if role.name != path.stem:
        raise RoleError(
            f"{path}:{text.line_of(('name',))}: the role is called {role.name!r}, "
            f"but its file {path.name!r}.",
            hint=f"Rename the file to {role.name}.toml, or the role to {path.stem}.",
        )
    return role


def _wrong(path: Path, text: TomlText, complaint: Complaint) -> RoleError:
    place = f"{path}:{text.line_of(complaint.path)}"
    reason = NOT_A_ROLES.get(str(complaint.path[-1]).lower()) if complaint.path else None
    if reason is not None:
        key = ".".join(map(str, complaint.path))
        return RoleError(f"{place}: a role cannot set {key}: {reason}.", hint="Remove the line.")
    return RoleError(f"{place}: {complaint.sentence}", hint=f"Correct it in {path}.")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
