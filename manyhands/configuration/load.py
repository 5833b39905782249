"""Reading the settings: defaults, then the profile, then the file, then the environment.

Variables are read here and not with pydantic-settings: importing that costs half a second more
than pydantic alone, and a complaint must name the variable or the line a value came from.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from manyhands.configuration.complaints import Complaint, complaint_of, legal_keys, nearest
from manyhands.configuration.hosts import host_url
from manyhands.configuration.model import Settings, Tier
from manyhands.configuration.toml_lines import TomlSyntaxError, TomlText, parse_toml, read_toml
from manyhands.errors import InputError, SettingsError

__all__ = ["Loaded", "config_path", "load_settings", "load_with_origins"]

_PREFIX: Final = "MANYHANDS_"
#: Variables of ours that are no settings, or say a setting in another way.
_OTHER: Final = ("MANYHANDS_CONFIG", "MANYHANDS_UNSAFE_EXEC")
#: A whole table in the environment: MANYHANDS_MCPSERVERS='{name = {command = "npx"}}'.
_SERVERS: Final = "mcpServers"
_TABLES: Final = tuple(
    name
    for name, field in Settings.model_fields.items()
    if name in ("hosts", "tiers")
    or (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each came from.

    Attributes:
        path: the settings file, whether or not it exists.
        origins: dotted key -> `default`, `profile full`, `config.toml:12`, or a variable's name.
    """

    settings: Settings
    path: Path
    exists: bool
    origins: dict[str, str]


def config_path(env: Mapping[str, str] | None = None) -> Path:
    """The settings file: `MANYHANDS_CONFIG`, else `config.toml` in the user's config folder."""
    given = (os.environ if env is None else env).get("MANYHANDS_CONFIG", "")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_config_path

    return user_config_path("manyhands", appauthor=False) / "config.toml"


def load_settings(path: Path | str | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """The settings of this user; nothing is cached.

    Args:
        path: the settings file; `config_path(env)` when None. It need not exist then.
        env: the environment; the process's own when None.

    Raises:
        SettingsError: a value or key is wrong; the message names file and line, or the variable.
    """
    return load_with_origins(path, env).settings


def load_with_origins(
    path: Path | str | None = None, env: Mapping[str, str] | None = None
) -> Loaded:
    """Like `load_settings`, with the origin of every value."""
    environ = os.environ if env is None else env
    required = path is not None or bool(environ.get("MANYHANDS_CONFIG"))
    file = Path(path).expanduser() if path is not None else config_path(environ)
    text, exists = _read(file, required=required)
    origins: dict[tuple[str, ...], str] = {}
    merged: dict[str, Any] = {}
    if environ.get("OLLAMA_HOST", "").strip():
        _put(merged, ("hosts", "local", "url"), _ollama_host(environ["OLLAMA_HOST"]))
        origins["hosts", "local", "url"] = "OLLAMA_HOST"
    for key, value in _leaves(text.data):
        _put(merged, key, value)
        origins[key] = f"{file.name}:{text.line_of(key)}"
    for variable, key, value in _variables(environ):
        _put(merged, key, value)
        origins[key] = variable
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        complaint = complaint_of(error, Settings, _shown)
        place, action = _place(complaint, origins, file, text)
        raise SettingsError(f"{place}: {complaint.sentence}", hint=action) from None
    return Loaded(settings, file, exists, _all_origins(settings, origins))


def _read(file: Path, *, required: bool) -> tuple[TomlText, bool]:
    try:
        return _with_hosts(read_toml(file)), True
    except FileNotFoundError:
        if required:
            raise SettingsError(
                f"There is no settings file {file}.",
                hint="Write one with: manyhands config init",
            ) from None
        return parse_toml(""), False
    except InputError as error:
        raise SettingsError(error.message, hint=error.hint) from None
    except TomlSyntaxError as error:
        raise SettingsError(
            f"{file}:{error.line}:{error.column}: this is no TOML: {error}.",
            hint="Correct that line, or see a whole file with: manyhands config init --print",
        ) from None


def _with_hosts(text: TomlText) -> TomlText:
    """`host = "a"` in a tier is a short way to write `hosts = ["a"]`."""
    tiers = text.data.get("tiers")
    for name, tier in tiers.items() if isinstance(tiers, dict) else ():
        if isinstance(tier, dict) and "host" in tier and "hosts" not in tier:
            tier["hosts"] = tier.pop("host")
            text.lines["tiers", name, "hosts"] = text.line_of(("tiers", name, "host"))
    return text


def _ollama_host(value: str) -> str:
    try:
        return host_url(value)
    except ValueError as error:
        raise SettingsError(f"OLLAMA_HOST: {error}.", hint="Correct or unset it.") from None


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Each setting in the environment: variable, key, value.

    Raises:
        SettingsError: a variable of ours names no setting.
    """
    unsafe = environ.get("MANYHANDS_UNSAFE_EXEC", "").strip()
    if unsafe:
        yield "MANYHANDS_UNSAFE_EXEC", ("sandbox", "allow_none"), unsafe
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable in _OTHER:
            continue
        key = tuple(variable.removeprefix(_PREFIX).lower().split("__"))
        if key == (_SERVERS.lower(),):  # the one key with a capital, as IDEs have it
            key = (_SERVERS,)
        if _is_setting(key):
            yield variable, key, _env_value(environ[variable])
        elif len(key) > 1 or key[0] in _TABLES or nearest(key[0], ["profile", *_TABLES]):
            raise SettingsError(f"{variable} names no setting.", hint=_env_hint(key))


def _is_setting(key: tuple[str, ...]) -> bool:
    if key in (("profile",), (_SERVERS,)):
        return True
    if key[:1] == ("tiers",) and (len(key) != 3 or key[1] not in list(Tier)):
        return False
    if key[:1] == ("hosts",) and len(key) != 3:
        return False
    return len(key) > 1 and key[-1] in legal_keys(Settings, key[:-1])


def _env_hint(key: tuple[str, ...]) -> str:
    known = legal_keys(Settings, key[:-1])
    if key[0] == "tiers" and len(key) > 1 and key[1] not in list(Tier):
        known = list(Tier)
        word = key[1]
    elif key[0] in _TABLES:
        word = key[-1]
    else:
        known, word = ["profile", *_TABLES], key[0]
    near = nearest(word, known)
    meant = f"Did you mean {near.upper()}? " if near else ""
    return f"{meant}Allowed there: {', '.join(name.upper() for name in known)}."


def _env_value(text: str) -> Any:
    """Lists and tables are written as in TOML; everything else is text that the model reads."""
    if re.match(r"\s*[\[{]", text):
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return text


def _leaves(data: Mapping[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    for name, value in data.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*at, name))
        else:
            yield (*at, name), value


def _put(target: dict[str, Any], key: tuple[str, ...], value: Any) -> None:
    for part in key[:-1]:
        inner = target.get(part)
        if not isinstance(inner, dict):
            inner = target[part] = {}
        target = inner
    target[key[-1]] = value


def _given_path(complaint: Complaint, origins: Mapping[tuple[str, ...], str]) -> tuple[str, ...]:
    """The key to blame: of two that disagree the one that the user wrote."""
    path = tuple(str(part) for part in complaint.path)
    other = tuple(str(part) for part in complaint.other_path)
    return other if other in origins and path not in origins else path


def _origin_of(path: tuple[str, ...], origins: Mapping[tuple[str, ...], str]) -> str:
    while path:
        if path in origins:
            return origins[path]
        path = path[:-1]
    return ""


def _place(
    complaint: Complaint,
    origins: Mapping[tuple[str, ...], str],
    file: Path,
    text: TomlText,
) -> tuple[str, str]:
    """Where the fault is, and the next action."""
    path = _given_path(complaint, origins)
    origin = _origin_of(path, origins)
    if origin.startswith((_PREFIX, "OLLAMA_")):
        return origin, f"Correct or unset {origin}."
    return f"{file}:{text.line_of(path)}", f"Correct it in {file}."


def _shown(value: object) -> str:
    text = re.sub(r"//[^/@\s]*@", "//…@", repr(value))
    return text if len(text) <= 80 else text[:77] + "..."


def _all_origins(settings: Settings, given: Mapping[tuple[str, ...], str]) -> dict[str, str]:
    origins: dict[str, str] = {}
    from_profile = f"profile {settings.profile}"
    for key, _ in _leaves(settings.model_dump(mode="json")):
        of_profile = key[0] == "tiers" and key[1] != Tier.VISION  # which no profile has
        usual = from_profile if of_profile else "default"
        origins[".".join(key)] = _origin_of(key, given) or usual
    return origins
