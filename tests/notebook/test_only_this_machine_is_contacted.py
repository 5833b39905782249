"""Import, magics, hands and chat reach for nothing but this machine: any other address raises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers_browser import Lab
from helpers_notebook import environment, running_kernel, script

from manyhands.rehearsal.stage import scripted_tiers
from manyhands.rehearsal.written import read_script
from manyhands.settings import load_settings

GUARD = Path(__file__).with_name("guard")


def guarded(folder: Path) -> dict[str, str]:
    (folder / "contacts").touch()
    return {"PYTHONPATH": str(GUARD), "GUARD_LOG": str(folder / "contacts")}


def contacts(folder: Path) -> list[str]:
    return (folder / "contacts").read_text().splitlines()


def strangers(folder: Path) -> list[str]:
    own = {"127.0.0.1", "::1", "localhost", "None"}
    return [line for line in contacts(folder) if line.split()[1] not in own]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = environment(folder) | guarded(folder)
    return subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60
    )


def test_the_guard_holds_what_it_should(tmp_path: Path) -> None:
    asks = "import urllib.request; urllib.request.urlopen('http://192.0.2.1/', timeout=1)"
    assert "which is not this machine" in run(asks, tmp_path).stderr
    looks_up = "import socket; socket.getaddrinfo('example.org', 80)"
    assert "which is not this machine" in run(looks_up, tmp_path).stderr
    listens = "import socket; socket.socket().bind(('0.0.0.0', 0))"
    assert "which is not this machine" in run(listens, tmp_path).stderr
    assert len(strangers(tmp_path)) == 3


def test_import_contacts_nothing_at_all(tmp_path: Path) -> None:
    modules = (
        "manyhands, manyhands.mind.mind, manyhands_mcp.server, manyhands_jupyter.magics, "
        "manyhands_jupyter.persona, manyhands_jupyter.views.panel, manyhands_jupyter.control"
    )
    done = run(f"import {modules}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert contacts(tmp_path) == []


def test_the_magics_and_a_hand_contact_this_machine_only(tmp_path: Path) -> None:
    with running_kernel(tmp_path, **guarded(tmp_path)) as notebook:
        notebook.run("%load_ext manyhands")
        notebook.run(f"%mind rehearse {script()}")
        assert "Hello from a script." in notebook.run("%mind hello").text
        worked = notebook.run("%%hand math --kind derivative --given f=x**2,var=x\nof x²")
        assert "verified" in worked.text
        assert not notebook.run("%mind status").error
        assert not notebook.run("%mind memory").error
        assert not notebook.run("%mind panel", stdin=True).error
    assert any("socket.connect 127.0.0.1" in line for line in contacts(tmp_path))
    assert strangers(tmp_path) == []


@pytest.mark.slow
def test_the_chat_of_a_whole_jupyter_server_contacts_this_machine_only(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").touch()
    settings = load_settings(path=tmp_path / "settings.toml", env={})
    said = read_script(script()).models[0].reply
    with scripted_tiers(settings, said) as played:
        address = next(iter(played.hosts.values())).url
        lab = Lab(tmp_path, ollama=address, env=guarded(tmp_path))
        lab.start()
        try:
            for text, answer in (("hello", "Hello"), ("/hand math slope of x²", "2*x")):
                said_back = lab.get("api/ai/message/Mind", {"message": text})
                assert answer in said_back["response"]
        finally:
            lab.stop()
    assert any("socket.connect 127.0.0.1" in line for line in contacts(tmp_path))
    assert strangers(tmp_path) == []
