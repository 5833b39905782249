"""A run or a conversation that is forgotten is in no byte of what is kept."""

from __future__ import annotations

import json
import re

from helpers_cli import Stage, direct

SECRETS = ("kobaltblau", "quizzical")


def traces(stage: Stage) -> set[str]:
    """Files that still hold a secret."""
    return {
        path.name
        for path in stage.folder.rglob("*")
        if path.is_file()
        for secret in SECRETS
        if secret.encode() in path.read_bytes()
    }


def test_a_run_is_gone_from_journal_and_memory_and_keeps_its_place(stage: Stage) -> None:
    stage.say = lambda request: direct("A quizzical answer.")
    run_id = json.loads(stage.run("ask", "Is the tide kobaltblau?", "--json").stdout)["run_id"]
    stage.env["MANYHANDS_MEMORY__EMBEDDER"] = "none"
    stage.run("memory", "add", "It is quizzical.", "--source", f"run {run_id}, step 1")
    stage.run("memory", "add", "Of another.", "--id", "other", "--source", f"run {run_id}0")
    assert {"journal.db", "memory.db"} <= traces(stage)
    assert stage.run("runs", "forget", run_id).returncode != 0, "it asks first"
    done = stage.run("runs", "forget", run_id[:-2], "--yes")
    assert done.returncode == 0, done.stderr
    assert "Forgotten: 1 run, and 1 memory of what they left." in done.stdout
    assert traces(stage) == set()
    assert "Of another." in stage.run("memory", "show", "other").stdout
    (left,) = json.loads(stage.run("runs", "list", "--json").stdout)
    assert (left["id"], left["question"], left["answer"]) == (run_id, "(erased)", "")


def test_a_conversation_that_is_forgotten_is_listed_no_more(stage: Stage) -> None:
    stage.run("ask", "Is the tide kobaltblau?")
    stage.run("ask", "--continue", "Is it quizzical?")
    stage.run("ask", "And the pier?")
    one = re.search(r"(conv_\w+)  Is the tide", stage.run("chat", "--list").stdout)
    assert one
    done = stage.run("chat", "--forget", one[1], "--yes")
    assert done.returncode == 0, done.stderr
    assert "Forgotten: 2 runs" in done.stdout
    assert traces(stage) == set()
    (left,) = stage.run("chat", "--list").stdout.splitlines()
    assert left.endswith("And the pier?")


def test_forgetting_a_conversation_takes_no_run_that_another_one_shows(stage: Stage) -> None:
    stage.run("ask", "What is the tide?")
    first = stage.run("chat", "--list").stdout.split()[0]
    stage.run("chat", "--fork", first, said="Is it kobaltblau?\n/quit\n")
    listed = re.findall(r"^conv_\w+", stage.run("chat", "--list").stdout, re.MULTILINE)
    (fork,) = set(listed) - {first}
    asked = stage.run("chat", "--forget", fork, said="n\n")
    assert f"stays: {first} shows it too" in asked.stdout
    assert "Forget 1 run, and" in asked.stdout
    done = stage.run("chat", "--forget", fork, "--yes")
    assert done.returncode == 0, done.stderr
    assert "Forgotten: 1 run, and" in done.stdout
    assert f"stays: {first} shows it too" in done.stdout
    assert traces(stage) == set()
    (left,) = stage.run("chat", "--list").stdout.splitlines()
    assert left.startswith(first)
    questions = {run["question"] for run in json.loads(stage.run("runs", "list", "--json").stdout)}
    assert questions == {"What is the tide?", "(erased)"}
