"""Run as a process of its own: a run killed at each of its events, then resumed.

    python killed_runs.py FOLDER SERVER_URL

Each life is a fork of this process, which has imported everything and runs no threads. Prints one
JSON line for each cut: the events before and after, the final text, the approvals asked.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import anyio

from manyhands.broker.contracts import Choice, Decision, Effect
from manyhands.journal.events import EffectIntended, Event
from manyhands.journal.store import Journal
from manyhands.mind.answer import Answer
from manyhands.mind.mind import Mind
from manyhands.roles.loader import load_roles
from manyhands.settings import HostSettings, Settings, load_settings

ROLES = load_roles()


def settings_of(folder: Path, url: str) -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").touch()
    settings = load_settings(
        folder / "config.toml",
        env={
            "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
            "MANYHANDS_MEMORY__ENABLED": "false",
            "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
        },
    )
    return settings.model_copy(update={"hosts": {"local": HostSettings(url=url)}})


async def approve(effect: Effect, decision: Decision) -> Choice:
    with Path(os.environ["ASKED"]).open("a") as log:  # noqa: ASYNC230  a line in a test
        log.write(f"{effect.tool}: {decision.why}\n")
    return Choice.NO if "before a crash" in decision.why else Choice.ONCE


async def live(folder: Path, url: str, cut: int | None, resume: str = "") -> None:
    """One life of a run: to its end, or until event `cut` is in the journal."""

    def kill(event: Event) -> None:
        """Called at once when an event is in the journal, before anything else goes on."""
        if event.durable and event.seq == cut:
            os.kill(os.getpid(), signal.SIGKILL)

    mind = Mind(
        settings_of(folder, url), roles=ROLES, approve=approve, simulated=True, observe=kill
    )
    if resume:
        stream = mind.resume(resume)
    else:
        stream = mind.stream("Differentiate both.", save_folder=folder)
    async for item in stream:
        if isinstance(item, Answer):
            (folder / "answer.json").write_text(item.model_dump_json())


def life(folder: Path, url: str, cut: int | None, resume: str = "") -> None:
    child = os.fork()
    if child == 0:
        os.environ["ASKED"] = str(folder / "asked.txt")
        try:
            anyio.run(live, folder, url, cut, resume)
        except BaseException as error:
            (folder / "error.txt").write_text(repr(error))
            os._exit(1)
        os._exit(0)
    os.waitpid(child, 0)


def told(folder: Path) -> dict[str, object]:
    with Journal.open(folder / "journal.db") as journal:
        (run,) = journal.runs()
        events = journal.events(run.id)
        kept = journal.artifacts_of(run.id)
    answer = folder / "answer.json"
    return {
        "run": run.id,
        "state": run.state,
        "kinds": [event.body.kind for event in events],
        "artifacts": sorted(name for name, _ in kept),
        "text": json.loads(answer.read_text())["text"] if answer.exists() else "",
        "status": json.loads(answer.read_text())["status"] if answer.exists() else "",
        "files": {
            name: (folder / name).read_text() if (folder / name).exists() else ""
            for name in ("out.txt", "more.txt")
        },
        "intended": [
            event.body.digest for event in events if isinstance(event.body, EffectIntended)
        ],
        "asked": (folder / "asked.txt").read_text() if (folder / "asked.txt").exists() else "",
        "error": (folder / "error.txt").read_text() if (folder / "error.txt").exists() else "",
    }


def main() -> None:
    folder, url = Path(sys.argv[1]), sys.argv[2]
    life(folder / "loads", url, None)  # so that every life finds the models loaded
    life(folder / "whole", url, None)
    whole = told(folder / "whole")
    print(json.dumps({"cut": 0, "before": whole, "after": whole}), flush=True)
    for cut in range(1, len(whole["kinds"]) + 1):  # type: ignore[arg-type]
        at = folder / f"cut{cut}"
        print(json.dumps({"mark": cut}), flush=True)
        life(at, url, cut)
        before = told(at)
        life(at, url, None, resume=str(before["run"]))
        print(json.dumps({"cut": cut, "before": before, "after": told(at)}), flush=True)


if __name__ == "__main__":
    main()
