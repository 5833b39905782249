"""What building roles needs of a model server, and how a role on the server is compared."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from manyhands.configuration.model import bare_name
from manyhands.engines.contracts import ModelInfo, Progress
from manyhands.roles.modelfile import Modelfile, ParameterValue, typed_value

__all__ = ["Held", "RoleServer", "differences"]

_FROM = re.compile(r"^FROM (.+)$", re.MULTILINE)
_ADAPTER = re.compile(r"^ADAPTER (.+)$", re.MULTILINE)


class RoleServer(Protocol):
    """A model server as this room uses it; `engines.ollama.OllamaEngine` is one."""

    url: str

    async def tags(self) -> list[str]: ...

    async def show(self, model: str) -> ModelInfo: ...

    def create(self, name: str, spec: Mapping[str, Any]) -> AsyncGenerator[Progress]:
        """Make a model from a body of /api/create; iterate within `contextlib.aclosing`."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """A role's model as the server has it.

    Attributes:
        weights: the file of the base's weights, which decides whether two models share a runner.
    """

    base: str
    weights: str
    adapter: str
    system: str
    parameters: dict[str, ParameterValue]
    messages: tuple[tuple[str, str], ...]

    @classmethod
    def from_info(cls, info: ModelInfo) -> Held:
        """Read what the server tells of a model."""
        weights, adapter = _FROM.search(info.modelfile), _ADAPTER.search(info.modelfile)
        return cls(
            base=bare_name(str(info.details.get("parent_model") or "")),
            weights=weights[1] if weights else "",
            adapter=adapter[1] if adapter else "",
            system=info.system.strip(),
            parameters=_parameters(info.parameters),
            messages=tuple((turn.role, turn.content) for turn in info.messages),
        )


def _parameters(text: str) -> dict[str, ParameterValue]:
    """The parameters of /api/show: one a line, the value padded to a column, `stop` repeated."""
    found: dict[str, ParameterValue] = {}
    stops: list[str] = []
    for line in text.splitlines():
        parts = line.split(None, 1)
        if len(parts) != 2:
            continue
        name, value = parts[0], parts[1].strip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        if name == "stop":
            stops.append(value)
            continue
        try:
            found[name] = typed_value(name, value)
        except ValueError:
            found[name] = value
    if stops:
        found["stop"] = tuple(stops)
    return found


def differences(wanted: Modelfile, held: Held, base: Held, adapter_digest: str = "") -> list[str]:
    """What on the server is not as the role says, in words; empty when it is up to date.

    Parameters that the role does not set are the base's own and are not compared.

    Args:
        base: the base model as the server has it now.
    """
    found = []
    if held.base != bare_name(wanted.base):
        found.append(f"base: {held.base or 'none'} instead of {wanted.base}")
    elif held.weights != base.weights:
        found.append(f"base: {wanted.base} was replaced by a newer download")
    for name, value in wanted.parameters.items():
        there = held.parameters.get(name)
        if not _same(there, value):
            found.append(f"{name}: {'not set' if there is None else there} instead of {value}")
    if held.system != wanted.system:
        found.append("system prompt")
    if _turns(held.messages) != _turns(wanted.messages):
        found.append("worked examples")
    if (adapter_digest.replace(":", "-") or None) not in (None, _blob(held.adapter)) or (
        held.adapter and not wanted.adapter
    ):
        found.append("adapter")
    return found


def _blob(path: str) -> str:
    return path.rpartition("/")[2]


def _turns(messages: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(role, text.strip()) for role, text in messages]


def _same(there: ParameterValue | None, wanted: ParameterValue) -> bool:
    if isinstance(there, int | float) and isinstance(wanted, int | float):
        # The server keeps fractions as 32-bit floats.
        return abs(there - wanted) <= 1e-6 * max(1.0, abs(wanted))
    return there == wanted
