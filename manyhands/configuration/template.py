"""The first settings file: every key with its meaning, all but the profile commented out."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from manyhands.configuration.model import Settings
from manyhands.configuration.profiles import PROFILE_NOTES, PROFILES, VISION_EXAMPLE, Profile
from manyhands.errors import SettingsError

__all__ = ["config_text", "is_untouched", "write_new"]

_NOTES: dict[str, str] = {
    "budgets": "What one question may spend. wait_s: how long a door waits before it gives a job "
    "handle.",
    "deadlines": "The clocks of one model call, in seconds. Loading is counted apart.",
    "sandbox": "How programs that models write are kept in. allow_none = true runs them without "
    "isolation where none works; nothing is verified then.",
    "memory": 'What is remembered. embedder: "tier" (the tier embed), "none", or a URL. '
    "key_env: the variable that holds the key, where the file is encrypted. url: a PostgreSQL "
    "database in place of the file. over_http: whether clients of mcp --http may use it.",
    "journal": "Where runs and their artifacts are kept.",
    "hands": "server: the hands of another machine, http://gpu-box:8765/mcp; its token stands in "
    "the variable that token_env names. review_s: the most seconds for an opinion of a picture.",
    "serve": 'Who owns the models: mode "share" (one door for all), "start" (manyhands serve, in '
    'the background) or "off" (nobody shares).',
    "routing": 'mode: "roles" or "learned". escalate: one tier up after a failed repair.',
}


def config_text(profile: Profile) -> str:
    """A commented settings file for a profile. It sets the profile alone; it is valid TOML."""
    settings = Settings(profile=profile)
    lines = [
        "# Settings of manyhands. A line that starts with # is the default, written out.",
        "# Every value can also be set in the environment: MANYHANDS_BUDGETS__TOKENS=50000.",
        "# See what holds and where it comes from: manyhands config show",
        "",
        "# The size of this machine:",
        *(f"#   {one.value}: {PROFILE_NOTES[one]}" for one in Profile),
        f'profile = "{profile.value}"',
        "",
        "# Model servers. kind: ollama, or openai for vLLM, SGLang and llama-server.",
        "# A key is never written here: api_key_env names the variable that holds it.",
        "# slots: calls at once. json_mode, of openai: schema, object, structured_outputs, none.",
        '# models: what the server calls a model, where that differs: { "qwen3:32b" = "big" }.',
        "# Without this, OLLAMA_HOST is used, else http://127.0.0.1:11434.",
        "# [hosts.local]",
        '# url = "http://127.0.0.1:11434"',
        '# kind = "ollama"',
        '# api_key_env = ""',
        '# json_mode = "schema"',
        "# models = {}",
        "# vram_gb = 0",
        "",
        "# Base models. num_ctx, num_gpu, num_batch and num_thread belong to the tier: roles share",
        "# a loaded model only while they are equal, so tiers with one model need one num_ctx.",
        "# think: whether the model can think. num_gpu = 0 keeps a model on the CPU.",
    ]
    for tier, values in PROFILES[profile].items():
        lines.append(f"# [tiers.{tier}]")
        shown = {**values, "hosts": ["local"]}
        lines += [f"# {key} = {_toml(value)}" for key, value in shown.items()]
        lines.append("")
    lines += [
        "# A tier `vision` is off until it names a model that sees; its opinion of a chart is told",
        "# beside the checks, and decides nothing:",
        f"#   [tiers.vision] model = {_toml(VISION_EXAMPLE['model'])}",
        "",
    ]
    dumped = settings.model_dump(mode="json")
    for section, note in _NOTES.items():
        lines += [f"# {note}", f"# [{section}]"]
        lines += [f"# {key} = {_toml(value)}" for key, value in dumped[section].items()]
        lines.append("")
    lines += [
        "# Other MCP servers are added as in IDEs, in tables mcpServers.NAME: docs/mcp.md.",
        "",
    ]
    return "\n".join(lines)


def is_untouched(path: Path) -> bool:
    """Whether a settings file is as it was first written, so that nothing in it would be lost."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return any(text == config_text(profile) for profile in Profile)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write a file whole or not at all.

    Raises:
        SettingsError: it exists and `force` is off, or it cannot be written.
    """
    if path.exists() and not force:
        raise SettingsError(f"{path} exists already.", hint="Add --force to write it anew.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        draft = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror}.",
            hint="Free some space or choose another place with MANYHANDS_CONFIG.",
        ) from None
