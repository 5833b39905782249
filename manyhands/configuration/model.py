"""What can be set, with its defaults: hosts, tiers, limits, clocks, and where things are kept."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from manyhands.configuration.hosts import DEFAULT_URL, host_url
from manyhands.configuration.profiles import PROFILES, Profile
from manyhands.errors import SettingsError

if TYPE_CHECKING:
    from manyhands.checks.sandbox.contracts import SandboxPolicy
    from manyhands.engines.contracts import Deadlines

__all__ = [
    "Budgets",
    "DeadlineSettings",
    "HostKind",
    "HostSettings",
    "JournalSettings",
    "MemorySettings",
    "RoutingSettings",
    "SandboxBackend",
    "SandboxSettings",
    "Settings",
    "Tier",
    "TierSettings",
    "bare_name",
    "user_data_folder",
]

MiB = 1024 * 1024

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def user_data_folder() -> Path:
    """The platform's folder for this program's data; not created here."""
    from platformdirs import user_data_path

    return user_data_path("manyhands", appauthor=False)


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


class SandboxBackend(StrEnum):
    """Which isolation to use; `auto` takes the strongest that works here."""

    AUTO = "auto"
    BWRAP = "bwrap"
    LANDLOCK = "landlock"
    SEATBELT = "seatbelt"
    APPCONTAINER = "appcontainer"
    PODMAN = "podman"
    MONTY = "monty"
    NONE = "none"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HostSettings(_Section):
    """A model server.

    Attributes:
        url: scheme, name and port, without a path for Ollama.
        api_key_env: name of the environment variable that holds the key; the key itself is
            never written to a file of ours.
    """

    url: str
    kind: HostKind = HostKind.OLLAMA
    api_key_env: str = ""

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


class TierSettings(_Section):
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
        options = {
            "num_ctx": self.num_ctx,
            "num_gpu": self.num_gpu,
            "num_batch": self.num_batch,
            "num_thread": self.num_thread,
        }
        return {name: value for name, value in options.items() if value is not None}


class Budgets(_Section):
    """What one run may spend; it is overrun by at most one call.

    Attributes:
        tokens: prompt and completion tokens of all calls together.
        seconds: wall time.
        gpu_seconds: time that models load and compute.
        wait_s: how long a door waits before it hands out a job handle.
        wait_unknown_client_s: the same for an MCP client whose own limit is not known.
        think_tokens, answer_tokens: of one call, where the role says nothing else.
        note_tokens: length of the note that a long result is condensed to.
    """

    tokens: Count = 200_000
    seconds: Seconds = 1800.0
    gpu_seconds: Seconds = 1500.0
    loads: Count = 12
    steps: Count = 12
    wait_s: Annotated[float, Field(gt=0, le=55)] = 45.0
    wait_unknown_client_s: Annotated[float, Field(gt=0, le=55)] = 25.0
    think_tokens: Count = 4096
    answer_tokens: Count = 4096
    note_tokens: Count = 400


class DeadlineSettings(_Section):
    """The clocks of one model call, in seconds; loading is counted apart from answering."""

    connect_s: Seconds = 5.0
    load_s: Seconds = 600.0
    first_token_s: Seconds = 300.0
    gap_s: Seconds = 60.0
    total_s: Seconds = 1800.0

    def for_engine(self) -> Deadlines:
        """The same clocks as the engines take them."""
        from manyhands.engines.contracts import Deadlines

        return Deadlines(**self.model_dump())


class SandboxSettings(_Section):
    """How model-written programs are kept in.

    Attributes:
        allow_none: run with limits but without isolation where none works; nothing is
            `verified` then. `MANYHANDS_UNSAFE_EXEC=1` says the same.
        wall_s, cpu_s: limits of one program in seconds.
        memory_mib, file_mib, disk_mib: limits in MiB of the process tree, one file, all files.
    """

    backend: SandboxBackend = SandboxBackend.AUTO
    allow_none: bool = False
    wall_s: Seconds = 30.0
    cpu_s: Seconds = 10.0
    memory_mib: Annotated[int, Field(ge=64)] = 2048
    processes: Count = 64
    file_mib: Count = 64
    disk_mib: Count = 300

    def policy(self) -> SandboxPolicy:
        """The same rules as the sandbox takes them."""
        from manyhands.checks.sandbox.contracts import Limits, SandboxPolicy

        return SandboxPolicy(
            backend=self.backend.value,
            allow_none=self.allow_none,
            limits=Limits(
                wall_s=self.wall_s,
                cpu_s=self.cpu_s,
                memory_bytes=self.memory_mib * MiB,
                processes=self.processes,
                file_bytes=self.file_mib * MiB,
                disk_bytes=self.disk_mib * MiB,
            ),
        )


def _expanded(value: object) -> object:
    return Path(value).expanduser() if isinstance(value, str | Path) and str(value) else value


class MemorySettings(_Section):
    """What is remembered between runs.

    Attributes:
        embedder: `tier` (the tier `embed`), `none` (words only), or the URL of a server.
        budget_tokens: at most this much of a prompt is memory.
    """

    enabled: bool = True
    path: Path = Field(default_factory=lambda: user_data_folder() / "memory.db")
    embedder: str = "tier"
    budget_tokens: Count = 1200

    _home = field_validator("path", mode="before")(_expanded)

    @field_validator("embedder")
    @classmethod
    def _known_embedder(cls, value: str) -> str:
        if value in ("tier", "none") or value.startswith(("http://", "https://")):
            return value
        raise PydanticCustomError("embedder", "tier, none, or a URL that starts with http")


class JournalSettings(_Section):
    """Where runs, their events and their artifacts are kept."""

    path: Path = Field(default_factory=lambda: user_data_folder() / "journal.db")

    _home = field_validator("path", mode="before")(_expanded)


class RoutingSettings(_Section):
    """How the controller chooses a step's tier.

    Attributes:
        mode: `roles` takes the role's tier, `learned` weighs recorded outcomes as well.
        escalate: after a failed repair the next stronger tier is tried once.
    """

    mode: Literal["roles", "learned"] = "roles"
    escalate: bool = True


class Settings(_Section):
    """All settings. `Settings()` is the defaults of profile `full`, with no file read.

    Tiers that are not given, and fields of a tier that are not given, come from the profile.

    Attributes:
        hosts: name -> server; `local` is always there.
        tiers: tier -> its base model.
    """

    profile: Profile = Profile.FULL
    hosts: dict[str, HostSettings] = Field(default_factory=dict)
    tiers: dict[str, TierSettings] = Field(default_factory=dict)
    budgets: Budgets = Field(default_factory=Budgets)
    deadlines: DeadlineSettings = Field(default_factory=DeadlineSettings)
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    memory: MemorySettings = Field(default_factory=MemorySettings)
    journal: JournalSettings = Field(default_factory=JournalSettings)
    routing: RoutingSettings = Field(default_factory=RoutingSettings)

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
            filled["tiers"] = _merged(PROFILES[profile], tiers)
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
