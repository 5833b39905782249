"""Leaving jobs to `manyhands serve`, which outlives the server that an IDE starts and ends."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from manyhands.errors import InputError, ManyhandsError
from manyhands.jobs.records import JobQuestion, JobRecord, JobState, QuestionKind
from manyhands.roles.model import Role
from manyhands.serve.place import Owner, read_owner
from manyhands.settings import Settings
from manyhands_mcp.caller import Caller, house_digest

__all__ = ["Served"]


class Served:
    """The door's side of the jobs that `manyhands serve` owns; see `room.py` for the other."""

    def __init__(self, settings: Settings, roles: Mapping[str, Role]) -> None:
        self._settings = settings
        self._roles = roles
        self._said = False

    async def start(self, kind: str, arguments: Mapping[str, Any], caller: Caller) -> str:
        """Begin a job there; its id, or nothing where no service with our settings runs.

        Raises:
            InputError: the service takes no such job, for instance because too many are open.
        """
        owner = self._owner()
        if owner is None:
            return ""
        from manyhands.serve.channel import Channel, OwnerGone  # an HTTP client: not at start-up

        body = {
            "kind": kind,
            "arguments": dict(arguments),
            "data_folders": [str(folder) for folder in caller.tables.folders],
            "folder": str(caller.folder),
            "person": caller.person,
        }
        async with Channel(owner) as channel:
            try:
                status = await channel.call("GET", "/v1/status")
                room = status.get("rooms", {}).get("jobs", {})
                if room.get("house") != house_digest(self._settings, self._roles):
                    self._tell_other()
                    return ""
                return str((await channel.call("POST", "/v1/jobs", body))["id"])
            except OwnerGone:
                return ""
            except ManyhandsError as error:
                raise InputError(error.message, hint=error.hint) from error

    def _tell_other(self) -> None:
        """Once: why the jobs are not left to the service that runs."""
        if not self._said:
            self._said = True
            print(
                "manyhands: `manyhands serve` has other settings, roles or version than this "
                "server; jobs stay here and end with it. Start it anew with these settings.",
                file=sys.stderr,
            )

    async def look(self, record: JobRecord) -> JobRecord:
        """How an open job stands there; as the file has it where nobody answers."""
        owner = self._owner()
        if owner is None:
            return record
        from manyhands.serve.channel import Channel

        try:
            async with Channel(owner) as channel:
                told = await channel.call("GET", f"/v1/jobs/{record.id}")
        except ManyhandsError:
            return record
        if not JobState(told["state"]).open:
            return record  # it has just ended: the file has the result in a moment
        return replace(
            record,
            state=JobState(told["state"]),
            phase=told["phase"],
            eta_s=told["eta_s"],
            run_id=told["run_id"],
            updated=told["updated"],
            questions=tuple(
                JobQuestion(one["id"], QuestionKind(one["kind"]), one["text"], one["detail"])
                for one in told["questions"]
            ),
        )

    async def cancel(self, job_id: str) -> None:
        owner = self._owner()
        if owner is not None:
            from manyhands.serve.channel import Channel, OwnerGone

            with suppress(OwnerGone):
                async with Channel(owner) as channel:
                    await channel.call("POST", f"/v1/jobs/{job_id}/cancel", {})

    async def answer(self, job_id: str, question_id: str, text: str) -> bool:
        owner = self._owner()
        if owner is None:
            return False
        from manyhands.serve.channel import Channel, OwnerGone

        try:
            async with Channel(owner) as channel:
                body = {"question": question_id, "text": text}
                said = await channel.call("POST", f"/v1/jobs/{job_id}/answer", body)
        except OwnerGone:
            return False
        return bool(said["taken"])

    def _owner(self) -> Owner | None:
        serve = self._settings.serve
        if serve.mode == "off":
            return None
        owner = read_owner(serve.folder)
        return owner if owner is not None and owner.door == "serve" else None
