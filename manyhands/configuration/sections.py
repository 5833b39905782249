"""The sections of the settings: limits, clocks, the sandbox, and where things are kept."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from manyhands.errors import SettingsError

if TYPE_CHECKING:
    from manyhands.checks.sandbox.contracts import SandboxPolicy
    from manyhands.engines.contracts import Deadlines

__all__ = [
    "ApprovalRule",
    "ApprovalSettings",
    "Budgets",
    "Count",
    "DeadlineSettings",
    "HandsSettings",
    "JournalSettings",
    "McpServerSettings",
    "MemorySettings",
    "RoutingSettings",
    "SandboxBackend",
    "SandboxSettings",
    "Seconds",
    "Section",
    "ServeSettings",
    "ToolRule",
    "user_data_folder",
    "user_runtime_folder",
]

MiB = 1024 * 1024

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def user_data_folder() -> Path:
    """The platform's folder for this program's data; not created here."""
    from platformdirs import user_data_path

    return user_data_path("manyhands", appauthor=False)


def user_runtime_folder() -> Path:
    """The platform's folder for what lives as long as a session; not created here."""
    import warnings

    from platformdirs import user_runtime_path

    with warnings.catch_warnings():
        # A session folder that others may enter is passed over, which is all that we need to know.
        warnings.simplefilter("ignore")
        return user_runtime_path("manyhands", appauthor=False)


class SandboxBackend(StrEnum):
    """Which isolation to use; `auto` takes the strongest that works here, never a container."""

    AUTO = "auto"
    BWRAP = "bwrap"
    LANDLOCK = "landlock"
    SEATBELT = "seatbelt"
    PODMAN = "podman"
    MONTY = "monty"
    NONE = "none"


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Budgets(Section):
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


class DeadlineSettings(Section):
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


class SandboxSettings(Section):
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


class HandsSettings(Section):
    """Where the hands work.

    Attributes:
        server: the MCP endpoint of another machine's `manyhands mcp --http`; empty: here.
        token_env: name of the environment variable that holds its token; the token itself is
            never written to a file of ours.
        second_program: whether a second program is written for each `code` step, by the model
            that writes the tests, and compared with the answer; only while at least half of
            every budget of the run is left.
        review_s: the most seconds that a vision model has for its opinion of a picture, loading
            included; without a tier `vision` nobody is asked.
    """

    server: str = ""
    token_env: str = "HANDS_SERVER_TOKEN"  # noqa: S105
    second_program: bool = True
    review_s: Seconds = 120.0

    @field_validator("server")
    @classmethod
    def _an_endpoint(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise PydanticCustomError(
                "endpoint", "an address such as http://gpu-box:8765/mcp, or empty"
            )
        return value


class MemorySettings(Section):
    """What is remembered between runs.

    Attributes:
        path: the file it lies in.
        url: a PostgreSQL database in its place, for several machines; "" for the file. A password
            is never part of it: `PGPASSWORD` or `~/.pgpass` holds it.
        embedder: `tier` (the tier `embed`), `none` (words only), or the URL of a server.
        budget_tokens: at most this much of a prompt is memory.
        over_http: whether clients of `manyhands mcp --http` may read it and add to it.
        key_env: name of the environment variable that holds the key of an encrypted memory; ""
            for one that is not encrypted. The key itself is never a setting.
    """

    enabled: bool = True
    path: Path = Field(default_factory=lambda: user_data_folder() / "memory.db")
    url: str = ""
    embedder: str = "tier"
    key_env: str = ""
    budget_tokens: Count = 1200
    over_http: bool = False

    _home = field_validator("path", mode="before")(_expanded)

    @field_validator("embedder")
    @classmethod
    def _known_embedder(cls, value: str) -> str:
        if value in ("tier", "none") or value.startswith(("http://", "https://")):
            return value
        raise PydanticCustomError("embedder", "tier, none, or a URL that starts with http")

    @field_validator("url")
    @classmethod
    def _database(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and parts.scheme not in ("postgresql", "postgres"):
            raise PydanticCustomError("url", "a URL that starts with postgresql://, or nothing")
        if parts.password is not None or "password=" in parts.query:
            raise PydanticCustomError(
                "url", "an address must not hold a password; put it into PGPASSWORD or ~/.pgpass"
            )
        return value

    @property
    def place(self) -> Path | str:
        """Where the memory lies: its file or its URL."""
        return self.url or self.path

    def begun(self) -> bool:
        """Whether there may be something in it."""
        return bool(self.url) or self.path.exists()

    def key(self) -> str:
        """The key of the memory file; "" when it is not encrypted.

        Raises:
            SettingsError: the variable that should hold it is not set.
        """
        if not self.key_env or self.url:
            return ""
        found = os.environ.get(self.key_env, "")
        if not found:
            raise SettingsError(
                f"memory.key_env names {self.key_env!r}, which is not set in the environment.",
                hint=f"Set it, for example: read -rs {self.key_env}; export {self.key_env}",
            )
        return found


class JournalSettings(Section):
    """Where runs, their events and their artifacts are kept."""

    path: Path = Field(default_factory=lambda: user_data_folder() / "journal.db")

    _home = field_validator("path", mode="before")(_expanded)


class RoutingSettings(Section):
    """How the controller chooses a step's tier.

    Attributes:
        mode: `roles` takes the role's tier, `learned` weighs recorded outcomes as well.
        escalate: after a failed repair the next stronger tier is tried once.
        path: where outcomes of checked attempts are kept.
    """

    mode: Literal["roles", "learned"] = "roles"
    escalate: bool = True
    path: Path = Field(default_factory=lambda: user_data_folder() / "learning.db")

    _home = field_validator("path", mode="before")(_expanded)


class ServeSettings(Section):
    """Who owns the models of this machine; `docs/scheduling.md` says how doors share them.

    Attributes:
        mode: `share` uses the owner that runs, and else this door takes the part while it lives;
            `start` starts `manyhands serve` in the background instead; `off` shares with nobody.
        folder: where the owner is found: a file with its address and token, and a lock.
        times: where measured load times are kept.
        idle_s: an owner that was started by a door ends after so many seconds without any.
    """

    mode: Literal["share", "start", "off"] = "share"
    folder: Path = Field(default_factory=user_runtime_folder)
    times: Path = Field(default_factory=lambda: user_data_folder() / "loads.db")
    idle_s: Seconds = 900.0

    _home = field_validator("folder", "times", mode="before")(_expanded)


class ApprovalRule(StrEnum):
    """What a person has set for a tool with effects.

    `trusted`: without asking as long as nothing from outside is in the context.
    """

    ASK = "ask"
    TRUSTED = "trusted"
    NEVER = "never"


class ApprovalSettings(Section):
    """Which effects are asked about; `docs/approvals.md` says what counts as from outside.

    Attributes:
        save_file: writing an artifact to a file that the question names.
        remember: writing a statement to memory.
        run_cell: running code in the user's own kernel.
        other: tools of other MCP servers for which `mcpServers.NAME.approve` says nothing;
            `never` goes before what it says.
    """

    save_file: ApprovalRule = ApprovalRule.ASK
    remember: ApprovalRule = ApprovalRule.TRUSTED
    run_cell: ApprovalRule = ApprovalRule.ASK
    other: ApprovalRule = ApprovalRule.ASK

    def rules(self) -> dict[str, ApprovalRule]:
        """Our own tools -> their rules."""
        return {name: getattr(self, name) for name in ("save_file", "remember", "run_cell")}


class ToolRule(StrEnum):
    """Whether a call of another server's tool is asked about.

    `always`: never asked, whatever text is in the context; for tools that can do no harm.
    """

    ASK = "ask"
    ALWAYS = "always"
    NEVER = "never"


class McpServerSettings(Section):
    """Another MCP server, in the shape that IDEs use; its tools become steps of a plan.

    `${NAME}` in a value is taken from the environment.

    Attributes:
        command, args, env: how it is started; or
        url, headers: where it is.
        type: of the transport, as IDEs write it; the other fields say it already.
        tools: only these of its tools; all when empty.
        approve: tool -> rule; `approvals.other` for any other.
        timeout_s: of one call.
    """

    command: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    url: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    type: str = ""
    disabled: bool = False
    tools: tuple[str, ...] = ()
    approve: dict[str, ToolRule] = Field(default_factory=dict)
    timeout_s: Seconds = 60.0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise PydanticCustomError("one_way", "either a command or a url")
        return self
