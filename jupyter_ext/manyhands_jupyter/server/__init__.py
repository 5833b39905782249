"""The Jupyter server's side of manyhands: its own handlers, and the thread where minds work."""

from __future__ import annotations

from typing import Any

__all__: list[str] = []


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "manyhands_jupyter.server"}]


def _load_jupyter_server_extension(server_app: Any) -> None:
    from manyhands_jupyter.server.desk import desk
    from manyhands_jupyter.server.handlers import routes

    desk().connect(server_app.kernel_manager)
    web_app = server_app.web_app
    web_app.add_handlers(".*$", routes(web_app.settings["base_url"]))
