"""What can be set, with its defaults: hosts, tiers, and all sections together."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from manyhands.configuration.hosts import DEFAULT_URL, host_url
from manyhands.configuration.profiles import PROFILES, VISION_WINDOW, Profile
from manyhands.configuration.sections import (
    ApprovalSettings,
    Budgets,
    Count,
    DeadlineSettings,
    HandsSettings,
    JournalSettings,
    McpServerSettings,
    MemorySettings,
    RoutingSettings,
    SandboxSettings,
    Section,
    ServeSettings,
)
from manyhands.errors import SettingsError

__all__ = ["HostKind", "HostSettings", "JsonMode", "Settings", "Tier", "TierSettings", "bare_name"]


def bare_name(model: str) -> str:
    """A model's name without the tag `:latest`, which Ollama adds where no tag is written."""
    return model.removesuffix(":latest")


class Tier(StrEnum):
    """Which base model serves; see the words of `docs/settings.md`."""

    MIND = "mind"
    EXPERT = "expert"
    HEAVY = "heavy"
    EMBED = "embed"
    VISION = "vision"


class HostKind(StrEnum):
    """What is spoken at a host: Ollama's own interface, or one compatible with OpenAI's."""

    OLLAMA = "ollama"
    OPENAI = "openai"


class JsonMode(StrEnum):
    """How a server that speaks as OpenAI does is told to hold an answer to a JSON schema.

    `schema` is OpenAI's own `response_format` of type `json_schema`, which vLLM, SGLang,
    llama-server and LiteLLM know; `object` puts the schema beside `json_object`, as
    llama-cpp-python wants it; `structured_outputs` is vLLM's own field; `none` only asks in words.
    """

    SCHEMA = "schema"
    OBJECT = "object"
    STRUCTURED_OUTPUTS = "structured_outputs"
    NONE = "none"


class HostSettings(Section):
    """A model server.

    Attributes:
        url: scheme, name and port, without a path for Ollama.
        api_key_env: name of the environment variable that holds the key; the key itself is
            never written to a file of ours.
        slots: how many calls the server works on at once; None means 1 for Ollama
            (its OLLAMA_NUM_PARALLEL) and 32 for the others, which batch.
        json_mode: for kind `openai` only.
        models: a tier's model or a role's adapter -> what this server calls it, where they differ.
        vram_gb: GPU memory in GB (1e9 bytes); 0 lets what was seen there decide.
    """

    url: str
    kind: HostKind = HostKind.OLLAMA
    api_key_env: str = ""
    slots: Count | None = None
    json_mode: JsonMode = JsonMode.SCHEMA
    models: dict[str, str] = Field(default_factory=dict)
    vram_gb: Annotated[float, Field(ge=0)] = 0.0

    @property
    def at_once(self) -> int:
        """Calls that the server works on at once."""
        return self.slots or (1 if self.kind is HostKind.OLLAMA else 32)

    @field_validator("url")
    @classmethod
    def _whole_url(cls, value: str) -> str:
        try:
            return host_url(value)
        except ValueError as error:
            raise PydanticCustomError(
                "host_url",
                "an address such as http://127.0.0.1:11434 ({reason})",
                {"reason": str(error)},
            ) from None


_RUNNER = ("num_ctx", "num_gpu", "num_batch", "num_thread")


class TierSettings(Section):
    """The base model of a tier and the options of its runner.

    Runner options belong to the tier and never to a role: two roles on one base switch without
    a reload only when these are equal.

    Attributes:
        num_ctx: the context window in tokens; sent with every request.
        hosts: names of the hosts that serve it, the preferred one first.
        num_gpu: layers on the GPU; None lets the server decide, 0 keeps the model on the CPU.
        think: whether the model can think (Ollama's capability `thinking`).
    """

    model: Annotated[str, Field(min_length=1)]
    num_ctx: Annotated[int, Field(ge=256)]
    hosts: Annotated[tuple[str, ...], Field(min_length=1)] = ("local",)
    num_gpu: Annotated[int, Field(ge=0)] | None = None
    num_batch: Count | None = None
    num_thread: Count | None = None
    think: bool = False

    @field_validator("hosts", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @property
    def host(self) -> str:
        """The preferred host's name."""
        return self.hosts[0]

    def runner_options(self) -> dict[str, int]:
        """What decides whether Ollama must reload the weights, as its request options."""
        options = {name: getattr(self, name) for name in _RUNNER}
        return {name: value for name, value in options.items() if value is not None}


class Settings(Section):
    """All settings. `Settings()` is the defaults of profile `full`, with no file read.

    Tiers that are not given, and fields of a tier that are not given, come from the profile.

    Attributes:
        hosts: name -> server; `local` is always there.
        tiers: tier -> its base model.
        mcpServers: name -> another MCP server, under the key that IDEs use.
    """

    profile: Profile = Profile.FULL
    hosts: dict[str, HostSettings] = Field(default_factory=dict)
    tiers: dict[str, TierSettings] = Field(default_factory=dict)
    budgets: Budgets = Field(default_factory=Budgets)
    deadlines: DeadlineSettings = Field(default_factory=DeadlineSettings)
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    memory: MemorySettings = Field(default_factory=MemorySettings)
    journal: JournalSettings = Field(default_factory=JournalSettings)
    hands: HandsSettings = Field(default_factory=HandsSettings)
    routing: RoutingSettings = Field(default_factory=RoutingSettings)
    approvals: ApprovalSettings = Field(default_factory=ApprovalSettings)
    serve: ServeSettings = Field(default_factory=ServeSettings)
    mcpServers: dict[str, McpServerSettings] = Field(default_factory=dict)  # noqa: N815

    @model_validator(mode="before")
    @classmethod
    def _fill_from_profile(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        filled: dict[str, Any] = dict(given)
        hosts = filled.get("hosts", {})
        if isinstance(hosts, dict):
            filled["hosts"] = _merged({"local": {"url": DEFAULT_URL}}, hosts)
        tiers = filled.get("tiers", {})
        if isinstance(tiers, dict) and filled.get("profile", Profile.FULL) in list(Profile):
            profile = Profile(filled.get("profile", Profile.FULL))
            filled["tiers"] = _with_vision(_merged(PROFILES[profile], tiers))
        return filled

    @field_validator("tiers", mode="before")
    @classmethod
    def _known_tiers(cls, tiers: object) -> object:
        for name in tiers if isinstance(tiers, dict) else ():
            if name not in list(Tier):
                raise PydanticCustomError(
                    "unknown_tier",
                    "there is no tier {name}; allowed: {known}",
                    {"name": repr(name), "known": ", ".join(Tier), "key": f"tiers.{name}"},
                )
        return tiers

    @model_validator(mode="after")
    def _hosts_exist(self) -> Self:
        for tier, spec in self.tiers.items():
            for name in spec.hosts:
                if name not in self.hosts:
                    raise PydanticCustomError(
                        "unknown_host",
                        "host {name} is not defined; allowed: {known}",
                        {
                            "name": repr(name),
                            "known": ", ".join(self.hosts),
                            "key": f"tiers.{tier}.hosts",
                        },
                    )
        return self

    @model_validator(mode="after")
    def _one_runner_for_one_base(self) -> Self:
        """Ollama keys a loaded model by weights and runner options: unequal ones reload it."""
        seen: dict[tuple[str, str], tuple[str, dict[str, int]]] = {}
        for tier, spec in self.tiers.items():
            options = spec.runner_options()
            for host in spec.hosts:
                first, expected = seen.setdefault((bare_name(spec.model), host), (tier, options))
                for name in sorted(options.keys() | expected.keys()):
                    if options.get(name) == expected.get(name):
                        continue
                    raise PydanticCustomError(
                        "unequal_runner",
                        "{name} is {value}, but tier {first} runs the same model {model} on host "
                        "{host} with {expected}; each change between them would reload the "
                        "weights, so they must be equal",
                        {
                            "name": name,
                            "value": options.get(name, "not set"),
                            "first": first,
                            "model": repr(spec.model),
                            "host": repr(host),
                            "expected": expected.get(name, "none set"),
                            "key": f"tiers.{tier}.{name}",
                            "other_key": f"tiers.{first}.{name}",
                        },
                    )
        return self

    def tier(self, name: str) -> TierSettings:
        """The settings of a tier; raises `SettingsError` when this installation has none."""
        try:
            return self.tiers[name]
        except KeyError:
            raise SettingsError(
                f"There is no tier {name!r} in the settings.",
                hint=f"Tiers: {', '.join(self.tiers)}; add [tiers.{name}] to the settings file.",
            ) from None


def _with_vision(tiers: dict[str, Any]) -> dict[str, Any]:
    """A tier `vision` that names only a model gets a window, or what a tier with that model has.

    A mind that sees is then its own vision model: it is not loaded twice, and where it can think it
    is told not to.
    """
    vision = tiers.get(Tier.VISION)
    if not isinstance(vision, dict) or not isinstance(vision.get("model"), str):
        return tiers
    others = (
        spec for name, spec in tiers.items() if name != Tier.VISION and isinstance(spec, dict)
    )
    same = next((one for one in others if _names(one, vision["model"])), {})
    shared = {key: same[key] for key in (*_RUNNER, "think") if key in same}
    return {**tiers, Tier.VISION.value: {"num_ctx": VISION_WINDOW, **shared, **vision}}


def _names(spec: dict[str, Any], model: str) -> bool:
    return bare_name(str(spec.get("model", ""))) == bare_name(model)


def _merged(base: Any, over: Any) -> dict[str, Any]:
    """`over` laid on `base`, table by table; values that are no tables replace."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, BaseModel):
            merged[key] = value
        elif isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _merged(below, value)
        else:
            merged[key] = value
    return merged
