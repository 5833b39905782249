"""What else of Jupyter AI is installed, found out when it is needed and never required."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

__all__ = ["cards", "has", "notebook_commands"]


def has(module: str) -> bool:
    return find_spec(module) is not None


def cards() -> Callable[[dict[str, Any]], list[dict[str, Any]]] | None:
    """Writes steps as the tool cards of jupyter-ai-acp-client, where that draws them."""
    if not has("jupyter_ai_acp_client"):
        return None
    from manyhands_jupyter.persona.telling import tool_calls

    return tool_calls


def notebook_commands() -> Any:
    """`execute_command` and `target_client_id` of jupyterlab-commands-toolkit, when the commands
    that look into notebooks (jupyterlab-ai-commands) are there too; else None."""
    if not (has("jupyterlab_commands_toolkit") and has("jupyterlab_ai_commands")):
        return None
    try:
        from jupyterlab_commands_toolkit import tools
    except ImportError:
        return None
    return tools if hasattr(tools, "target_client_id") else None
