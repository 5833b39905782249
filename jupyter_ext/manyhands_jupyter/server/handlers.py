"""Our own handlers: each asks who is there; approvals come in here and nowhere else."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.utils import ensure_async, url_path_join
from tornado import web, websocket

from manyhands import __version__
from manyhands.broker.contracts import Choice
from manyhands.errors import ManyhandsError
from manyhands.redaction import redact
from manyhands_jupyter.server.desk import desk
from manyhands_jupyter.server.tabs import Tab

__all__ = ["routes"]

#: What a browser may show of an artifact; everything else is plain text to it.
_SHOWN = ("image/png", "image/jpeg")
#: Characters of the reason for a rating.
_REASON = 1_000
_ARTIFACT = r"sha256:[0-9a-f]{64}"


class _Handler(APIHandler):
    auth_resource = "manyhands"

    def body(self) -> dict[str, Any]:
        given = self.get_json_body()
        if not isinstance(given, dict):
            raise web.HTTPError(400, "The body must be a JSON object.")
        return given

    def tell(self, **fields: Any) -> None:
        self.finish(json.dumps(fields))


class StatusHandler(_Handler):
    """What manyhands does in this server now."""

    @web.authenticated
    @authorized
    def get(self) -> None:
        here = desk()
        self.tell(
            version=__version__,
            turns=[turn.told() for turn in here.turns.values()],
            approvals=[waiting.told() for waiting in here.approvals.open()],
            tabs=len(here.tabs),
        )


class ApprovalsHandler(_Handler):
    """A person's answer: `{"id": …, "choice": "once" | "session" | "no"}`."""

    @web.authenticated
    @authorized
    def post(self) -> None:
        body = self.body()
        try:
            choice = Choice(str(body.get("choice")))
        except ValueError:
            raise web.HTTPError(400, "`choice` is once, session or no.") from None
        if not desk().approvals.answer(str(body.get("id", "")), choice):
            raise web.HTTPError(404, "Nothing waits for that answer any more.")
        self.log.info("manyhands: %s answered %s", self.current_user.username, choice)
        self.tell(choice=choice)


class RatingsHandler(_Handler):
    """What a person thinks of an answer: `{"run_id": …, "good": true, "reason": …}`."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        from manyhands.settings import load_settings
        from manyhands_jupyter.afterwards import rate

        body = self.body()
        run_id, good, reason = body.get("run_id"), body.get("good"), body.get("reason", "")
        if not isinstance(run_id, str) or not isinstance(good, bool) or not isinstance(reason, str):
            raise web.HTTPError(400, "`run_id` and `reason` are texts, `good` is true or false.")
        if len(reason) > _REASON:
            raise web.HTTPError(400, f"`reason` has {len(reason)} characters, {_REASON} fit.")
        reason = redact(reason)
        try:
            journal = load_settings().journal.path
            rating = rate(journal, run_id, good, reason, "jupyter")
            await desk().worker.begin(rating).wait()
        except ManyhandsError as error:
            raise web.HTTPError(404, str(error)) from None
        for chat in list(desk().chats):
            chat.rated(run_id, good, reason)
        self.tell(good=good, reason=reason)


class CellsHandler(_Handler):
    """Runs a proposed cell: `{"run_id": …, "source": …, "seconds": …, "cell": …, "tab": …,
    "choice": once | session}`, below that cell of that tab.

    Without a choice the answer says whether a person must be asked.
    """

    @web.authenticated
    @authorized
    async def post(self) -> None:
        from manyhands_jupyter.server.cells import Wanted, run_proposed

        body = self.body()
        try:
            choice = Choice(str(body["choice"])) if body.get("choice") else None
            wanted = Wanted(
                run_id=str(body["run_id"]),
                source=str(body["source"]),
                seconds=float(body["seconds"]),
                cell=str(body["cell"]),
                path=str(body["path"]),
                tab=str(body["tab"]),
                choice=choice,
            )
        except (KeyError, TypeError, ValueError):
            raise web.HTTPError(
                400,
                "`run_id`, `source`, `cell`, `path` and `tab` are texts, `seconds` a number, "
                "`choice` once or session.",
            ) from None
        try:
            self.tell(**await run_proposed(desk(), self.current_user.username, wanted))
        except ManyhandsError as error:
            raise web.HTTPError(409, str(error)) from None


class StopHandler(_Handler):
    """Stops what goes on in a chat: `{"chat": …}`."""

    @web.authenticated
    @authorized
    def post(self) -> None:
        turn = desk().turns.get(str(self.body().get("chat", "")))
        if turn is None:
            raise web.HTTPError(404, "Nothing goes on in that chat.")
        turn.stop()
        self.tell(stopped=True)


class ArtifactHandler(_Handler):
    """An artifact of a run: a picture as a file, so that chats hold only its address."""

    @web.authenticated
    @authorized
    async def get(self, artifact_id: str) -> None:
        def read() -> tuple[str, str, bytes]:
            from manyhands.journal.store import Journal
            from manyhands.settings import load_settings

            with Journal.open(load_settings().journal.path) as journal:
                return journal.artifact(artifact_id)

        try:
            _, media_type, content = await desk().worker.call(read)
        except ManyhandsError as error:
            raise web.HTTPError(404, str(error)) from None
        shown = media_type if media_type in _SHOWN else "text/plain; charset=utf-8"
        self.set_header("Content-Type", shown)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "private, max-age=31536000, immutable")
        self.finish(content)


class TabHandler(WebSocketMixin, websocket.WebSocketHandler, JupyterHandler):
    """The link to a browser tab."""

    tab: Tab | None = None
    _sees_kernels = False

    def set_default_headers(self) -> None:
        """A socket has none of the headers of a page."""

    @ws_authenticated
    async def get(self, *arguments: str, **fields: str) -> None:
        self._sees_kernels = await ensure_async(
            self.authorizer.is_authorized(self, self.current_user, "execute", "kernels")
        )
        await super().get(*arguments, **fields)

    def open(self, *_: str, **__: str) -> None:
        super().open()
        self.tab = Tab(self.current_user.username, self._say, sees_kernels=self._sees_kernels)
        self.tab.touch()
        desk().tabs.add(self.tab)

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self.write_message(json.dumps(message))
        except websocket.WebSocketClosedError:
            self.on_close()

    def on_message(self, message: str | bytes) -> None:
        try:
            told = json.loads(message)
        except ValueError:
            return
        if self.tab is None or not isinstance(told, dict):
            return
        if told.get("touched"):
            self.tab.touch()
        elif "tab" in told:
            self.tab.name = str(told["tab"])
        else:
            self.tab.took(told)

    def on_close(self) -> None:
        if self.tab is not None:
            desk().tabs.remove(self.tab)
            self.tab = None


def routes(base_url: str) -> list[tuple[str, type[JupyterHandler]]]:
    """What is served below `manyhands/`."""
    base = url_path_join(base_url, "manyhands")
    return [
        (url_path_join(base, "status"), StatusHandler),
        (url_path_join(base, "approvals"), ApprovalsHandler),
        (url_path_join(base, "ratings"), RatingsHandler),
        (url_path_join(base, "cells"), CellsHandler),
        (url_path_join(base, "stop"), StopHandler),
        (url_path_join(base, f"artifacts/({_ARTIFACT})"), ArtifactHandler),
        (url_path_join(base, "tab"), TabHandler),
    ]
