"""The Jupyter server's side of manyhands: our own authenticated handlers."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from manyhands import __version__

__all__ = ["StatusHandler"]


class StatusHandler(APIHandler):
    """What manyhands does in this server."""

    @web.authenticated
    def get(self) -> None:
        self.finish(json.dumps({"version": __version__}))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "manyhands_jupyter.server"}]


def _load_jupyter_server_extension(server_app: Any) -> None:
    web_app = server_app.web_app
    base = web_app.settings["base_url"]
    handlers = [(url_path_join(base, "manyhands", "status"), StatusHandler)]
    web_app.add_handlers(".*$", handlers)
