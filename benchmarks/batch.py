"""Model loads of a batch of planned questions: several at a time, and one after the other.

    uv run python benchmarks/batch.py [--tasks 4] [--at-once 4]

The demo's question is asked several times on a rehearsed 48 GB card (simulated: 19, 43 and 142 GB
models, 3 GB/s, 2.5 s of every load; its clock runs fifty times faster). Programs, sandbox and
checks are real. Printed are the loads, their simulated seconds, and the ratio of the two ways.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import anyio

from manyhands.cli.batch.ledger import Ledger
from manyhands.cli.batch.running import Outcome, run_batch
from manyhands.cli.batch.tasks import read_tasks
from manyhands.cli.demo_models import DATA, QUESTION, say
from manyhands.data_files import data_path
from manyhands.mind.mind import Mind
from manyhands.rehearsal.profile import CARD_48
from manyhands.rehearsal.script import ScriptedModel
from manyhands.rehearsal.server import running_server
from manyhands.roles.loader import load_roles
from manyhands.settings import HostSettings, load_settings

CARD = replace(CARD_48, clock_scale=0.02, prefill_tok_s=0.0, decode_tok_s=0.0)
SIZES = {"mind": 19_000_000_000, "expert": 43_000_000_000, "heavy": 142_000_000_000}


def measure(tasks: int, at_once: int) -> tuple[Outcome, int, float]:
    """How it went, the loads, and their simulated seconds."""
    roles = load_roles()
    prompts = {name: role.prompt for name, role in roles.items()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").touch()
        settings = load_settings(
            folder / "config.toml",
            env={
                "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
                "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
                "MANYHANDS_SERVE__FOLDER": str(folder / "serve"),
                "MANYHANDS_SERVE__TIMES": str(folder / "loads.db"),
                "MANYHANDS_MEMORY__ENABLED": "false",
            },
        )
        data = {DATA: str(data_path("examples") / f"{DATA}.csv")}
        lines = [
            json.dumps({"id": f"t{at}", "question": QUESTION, "data": data}) for at in range(tasks)
        ]
        (folder / "tasks.jsonl").write_text("\n".join(lines))
        models = [
            ScriptedModel(spec.model, lambda request: say(request, prompts), size=SIZES[tier])
            for tier, spec in settings.tiers.items()
            if tier in SIZES
        ]
        with running_server(models, CARD) as server:
            host = HostSettings(url=server.url, vram_gb=48)
            mind = Mind(
                settings.model_copy(update={"hosts": {"local": host}}),
                roles=roles,
                simulated=True,
                background=True,
            )
            listed, _ = read_tasks(folder / "tasks.jsonl")

            async def work() -> Outcome:
                with Ledger(folder / "out.jsonl") as ledger:
                    return await run_batch(
                        mind, listed, ledger, at_once=at_once, tell=lambda *_: None
                    )

            outcome = anyio.run(work)
            return outcome, len(server.loads), sum(one.seconds for one in server.loads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=4)
    parser.add_argument("--at-once", type=int, default=4)
    asked = parser.parse_args()
    print(f"{asked.tasks} planned questions, {CARD.name} (simulated)")
    seconds = []
    for at_once in (asked.at_once, 1):
        outcome, loads, load_s = measure(asked.tasks, at_once)
        seconds.append(load_s)
        print(
            f"{at_once} at a time: {loads} loads, {load_s:.0f} s of loading (simulated); "
            f"{outcome.statuses}, {outcome.failed} failed"
        )
    print(f"loading, {asked.at_once} at a time against one: {seconds[0] / seconds[1]:.2f}")


if __name__ == "__main__":
    main()
