"""The chat sidebar in the browser, and the scripted models that answer in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from manyhands.cli.demo_models import say as demo
from manyhands.rehearsal.profile import ZERO
from manyhands.rehearsal.script import Fault, Reply, ReplyFn, ScriptedModel, ScriptedRequest
from manyhands.rehearsal.server import RehearsalServer, running_server
from manyhands.roles.loader import load_roles
from manyhands.settings import load_settings

__all__ = [
    "WITH_VISION",
    "ask",
    "drag_sidebar",
    "frame",
    "last_reply",
    "models",
    "open_chat",
    "replies",
    "reply_of",
    "role_of",
    "trace_of",
]

PROMPTS = {name: role.prompt for name, role in load_roles().items()}
#: The variables by which a lab has a vision model.
WITH_VISION = {"MANYHANDS_TIERS__VISION__MODEL": "qwen2.5vl:7b"}
_ABLE = {"embed": ("embedding",), "vision": ("completion", "vision")}
#: As our own lab extension tells of an error, and as the commands of Jupyter AI do.
_FAILED = re.compile(r"It failed: (\w+): (.+)|\"ename\": \"(\w+)\",\s+\"evalue\": \"(.+)\"")
_RATES = """
def total(numbers):
    return sum(numbers)
"""
_RATES_TESTS = """
def check(candidate):
    assert candidate([1, 2, 3]) == 6
    assert candidate([]) == 0
"""


def role_of(request: ScriptedRequest) -> str:
    return next((name for name, prompt in PROMPTS.items() if prompt == request.system), "")


def frame(**fields: Any) -> str:
    return json.dumps({"goal": "answer the question", **fields})


def reply_of(request: ScriptedRequest) -> Reply | str:
    """What the models of these tests say; what they say of a notebook they read in the prompt."""
    role, prompt = role_of(request), str(request.last)
    asked = prompt.rpartition("Question:")[2]
    if role == "framer":
        return _framed(asked, prompt)
    if "sum of a list" not in prompt and "save a program" not in prompt:
        return demo(request, PROMPTS)
    if role == "tester":
        return f"```python\n{_RATES_TESTS}```\n"
    if role == "coder":
        return f"```python\n{_RATES}```\n"
    if role == "editor":
        return Reply("The function `total` adds up a list of numbers. " * 3, pace_s=0.005)
    return demo(request, PROMPTS)


def _framed(asked: str, prompt: str) -> Reply | str:
    if "Mauna Loa" in asked:
        return demo(_Prompt(prompt), PROMPTS)  # type: ignore[arg-type]
    if "xplain" in asked:
        found = _FAILED.search(prompt)
        name, value = (part for part in found.groups() if part) if found else ("", "")
        seen = f"The active cell fails with {name}: {value}." if found else "I see no error."
        fix = "total = 6\ncount = 3\nprint(total / count)"
        return Reply(
            frame(route="direct", answer=f"{seen} Divide by a count:\n\n```python\n{fix}\n```"),
            thinking="The traceback names the line, so the fix is to divide by a count. " * 3,
        )
    if "takes long" in asked:
        cell = "import time\nprint('begun', flush=True)\ntime.sleep(300)"
        return frame(route="direct", answer=f"This takes long:\n\n```python\n{cell}\n```")
    if "which notebook" in asked:
        found = re.search(r"(\S+\.ipynb)", prompt)
        return frame(route="direct", answer=f"You are in {found[1] if found else 'no notebook'}.")
    if "from elsewhere" in asked:
        pictures = "![a](http://127.0.0.1:9/a.png) <img src=http://127.0.0.1:9/b.png> ![c][c]"
        formulas = f"For $5 or $6: $x^2$ and\n\n$${'+'.join(f'x_{{{i}}}' for i in range(60))}$$"
        told = f"Seen: {pictures}\n\n[c]: http://127.0.0.1:9/c.png\n\n{formulas}"
        return frame(route="direct", answer=told)
    if "slowly" in asked:
        return Reply(frame(route="direct", answer="late"), thinking="hm " * 4_000, pace_s=0.02)
    if "break off" in asked:
        return Reply(frame(route="direct", answer="cut " * 200), fault=Fault.RESET_MID_STREAM)
    if "save a program" in asked:
        step = {"id": "total", "hand": "code", "task": "The sum of a list.", "entry_point": "total"}
        effect = {"tool": "save_file", "step": "total", "path": "total.py"}
        return frame(route="plan", steps=[step], effects=[effect])
    return frame(route="direct", answer=f"You asked: {' '.join(asked.split())[:80]}")


class _Prompt:
    """The framer's request with only the demo's question in it."""

    def __init__(self, prompt: str) -> None:
        self.messages = [
            {"role": "system", "content": PROMPTS["framer"]},
            {"role": "user", "content": prompt},
        ]


@contextmanager
def models(folder: Path, reply: ReplyFn = reply_of) -> Iterator[RehearsalServer]:
    """The tiers of fresh settings and a model that sees, played on one server."""
    (folder / "tiers.toml").touch()
    tiers = load_settings(path=folder / "tiers.toml", env=WITH_VISION).tiers
    played = {
        tier.model: ScriptedModel(
            name=tier.model,
            reply=reply,
            capabilities=_ABLE.get(name, ("completion", "thinking")),
            dimensions=64 if name == "embed" else 0,
        )
        for name, tier in tiers.items()
    }
    with running_server(list(played.values()), ZERO) as server:
        yield server


def open_chat(page: Page, name: str) -> None:
    """Make or open a chat in the sidebar, which is drawn wide enough to read."""
    page.evaluate(
        """async name => {
          const app = window.jupyterapp;
          const there = await app.serviceManager.contents.get('').then(
            folder => folder.content.some(item => item.name === `${name}.chat`));
          const what = there ? ['jupyterlab-chat:open', { filepath: `${name}.chat` }]
                             : ['jupyterlab-chat:createAndOpen', { name }];
          app.commands.execute(what[0], { ...what[1], inSidePanel: true });
        }""",
        name,
    )
    page.locator(".jp-chat-input-container textarea").first.wait_for()
    drag_sidebar(page, 520)
    page.locator(".jp-jai-personaControls-persona-btn").filter(has_text="Mind").first.wait_for()


def drag_sidebar(page: Page, to: int) -> None:
    """Draw the sidebar's edge to so many pixels from the left."""
    handle = page.locator("#jp-main-split-panel > .lm-SplitPanel-handle").first.bounding_box()
    assert handle is not None
    page.mouse.move(handle["x"] + 2, 300)
    page.mouse.down()
    page.mouse.move(to, 300, steps=4)
    page.mouse.up()


def ask(page: Page, text: str) -> None:
    box = page.locator(".jp-chat-input-container textarea").first
    box.click()
    box.fill(text)
    page.locator(".jp-chat-send-button:enabled").first.wait_for()
    box.press("Enter")  # a dialog that has just closed may give the focus back to its button
    page.locator(".jp-chat-rendered-message", has_text=text[:40]).last.wait_for()


def traces(page: Page) -> Locator:
    return page.locator(".mh-trace")


def trace_of(page: Page, number: int = -1) -> Locator:
    found = traces(page)
    return found.nth(number) if number >= 0 else found.last


def replies(page: Page) -> list[str]:
    return page.locator(".jp-chat-rendered-message").all_inner_texts()


def last_reply(page: Page, saying: str, seconds: float = 90) -> Locator:
    """The newest message once it says this."""
    found = page.locator(".jp-chat-rendered-message", has_text=saying).last
    found.wait_for(timeout=seconds * 1000)
    return found
