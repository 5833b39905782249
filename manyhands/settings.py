"""One settings file, environment overrides, profiles: the settings as the other rooms see them."""

from __future__ import annotations

from manyhands.configuration.load import Loaded, config_path, load_settings, load_with_origins
from manyhands.configuration.model import (
    HostKind,
    HostSettings,
    JsonMode,
    Settings,
    Tier,
    TierSettings,
)
from manyhands.configuration.profiles import Profile
from manyhands.configuration.sections import (
    ApprovalRule,
    ApprovalSettings,
    Budgets,
    DeadlineSettings,
    HandsSettings,
    JournalSettings,
    McpServerSettings,
    MemorySettings,
    RoutingSettings,
    SandboxBackend,
    SandboxSettings,
    ServeSettings,
    ToolRule,
)

__all__ = [
    "ApprovalRule",
    "ApprovalSettings",
    "Budgets",
    "DeadlineSettings",
    "HandsSettings",
    "HostKind",
    "HostSettings",
    "JournalSettings",
    "JsonMode",
    "Loaded",
    "McpServerSettings",
    "MemorySettings",
    "Profile",
    "RoutingSettings",
    "SandboxBackend",
    "SandboxSettings",
    "ServeSettings",
    "Settings",
    "Tier",
    "TierSettings",
    "ToolRule",
    "config_path",
    "load_settings",
    "load_with_origins",
]
