"""A real JupyterLab on a scratch folder, and a real browser in it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from manyhands.checks.sandbox.environment import OVERRIDE, hands_python

__all__ = [
    "EXTENSION",
    "Lab",
    "contrast",
    "free_port",
    "open_lab",
    "open_notebook",
    "shot",
    "wait_for_lab",
]

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "jupyter_ext" / "manyhands_jupyter" / "labextension"
CHROMIUM = shutil.which("chromium")
#: Where screenshots go; CI keeps the folder.
SHOTS = Path(os.environ.get("MANYHANDS_SHOTS", ROOT / "results" / "browser"))

_START_S = 90.0
#: What keeps JupyterLab from asking about news, and toasts from covering what is looked at.
_SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Lab:
    """A JupyterLab process on a folder; it can be stopped, killed and started again.

    Args:
        folder: `work` in it is the server's root; everything of Jupyter's own lies beside it.
        ollama: address of the (rehearsed) model server.
        python: of the environment to run, this one's when None.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ollama: str = "http://127.0.0.1:9",
        python: str = sys.executable,
        env: dict[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.root = folder / "work"
        self.root.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.token = secrets.token_hex(12)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self._python = python
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "config.toml").touch()
        for name, values in _SETTINGS.items():
            path = folder / "config" / "lab" / "user-settings" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        if python == sys.executable:
            # This checkout's lab extension goes before the copy made when it was installed.
            extensions = folder / "data" / "labextensions" / "@manyhands"
            extensions.mkdir(parents=True, exist_ok=True)
            if not (extensions / "lab").exists():
                (extensions / "lab").symlink_to(EXTENSION)
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL") if key in os.environ}
        self.env = {
            **kept,
            "HOME": str(folder),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "config" / "lab" / "user-settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "MANYHANDS_CONFIG": str(folder / "config.toml"),
            "MANYHANDS_JOURNAL__PATH": str(folder / "journal.db"),
            "MANYHANDS_MEMORY__PATH": str(folder / "memory.db"),
            "MANYHANDS_ROUTING__PATH": str(folder / "learning.db"),
            "MANYHANDS_SERVE__FOLDER": str(folder / "serve"),
            OVERRIDE: str(hands_python()),
            "OLLAMA_HOST": ollama,
            **(env or {}),
        }

    def disable_our_extension(self) -> None:
        """As an administrator can: our lab extension is not loaded from the next start on."""
        path = self.folder / "config" / "labconfig" / "page_config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"disabledExtensions": {"@manyhands/lab": True}}))

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._python,
                    "-m",
                    "jupyterlab",
                    "--no-browser",
                    "--allow-root",
                    f"--ServerApp.port={self.port}",
                    "--ServerApp.port_retries=0",
                    f"--IdentityProvider.token={self.token}",
                    f"--ServerApp.root_dir={self.root}",
                    "--LabApp.news_url=None",
                    "--LabApp.expose_app_in_browser=True",
                    *self._options,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.root,
                start_new_session=True,
            )
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            assert self._process.poll() is None, self.log.read_text()[-4000:]
            try:
                self.get("api/status")
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"JupyterLab did not start:\n{self.log.read_text()[-4000:]}")

    def get(self, path: str, body: Any = None, *, token: bool = True, method: str = "") -> Any:
        """A request to the server's API; its JSON answer. `body` makes it a POST."""
        request = urllib.request.Request(f"{self.url}/{path}", method=method or None)
        if token:
            request.add_header("Authorization", f"token {self.token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server and its kernels, and wait for it."""
        if self._process is None:
            return
        if how is signal.SIGKILL:
            os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None


def open_lab(page: Page, lab: Lab, *, with_ours: bool = True) -> None:
    """Open JupyterLab in a workspace of its own and wait until its plugins are there.

    Args:
        with_ours: wait for our lab extension; without it, only for JupyterLab.
    """
    name = f"w{secrets.token_hex(4)}"
    page.goto(f"{lab.url}/lab/workspaces/{name}?token={lab.token}", wait_until="domcontentloaded")
    wait_for_lab(page, with_ours=with_ours)


def wait_for_lab(page: Page, *, with_ours: bool = True) -> None:
    there = "window.jupyterapp && window.manyhandsLab" if with_ours else "window.jupyterapp"
    page.wait_for_function(f"() => {there}", timeout=60_000)
    page.evaluate("() => window.jupyterapp.restored")
    page.add_style_tag(content=".Toastify, #react-toastify-container { display: none !important }")


def open_notebook(page: Page, path: str, kernel: str | None = "python3") -> None:
    """Open a notebook with a running kernel, or with none; `window.panel` is its panel."""
    page.evaluate(
        """async ([path, kernel]) => {
          const panel = await window.jupyterapp.commands.execute('docmanager:open', {
            path, factory: 'Notebook', kernel: kernel && { name: kernel }
          });
          await panel.context.ready;
          await panel.sessionContext.ready;
          if (kernel) await panel.sessionContext.session.kernel.info;
          window.panel = panel;
        }""",
        [path, kernel],
    )


def shot(page: Page, name: str, *, width: int = 0, docs: bool = False) -> Path:
    """Leave a screenshot and say where it is.

    Args:
        width: only so much of the left; the whole page when 0.
        docs: it stands in the documentation too, and is renewed there with
            `MANYHANDS_UPDATE_IMAGES=1`.
    """
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / f"{name}.png"
    size = page.viewport_size
    if width and size is not None:
        page.screenshot(path=path, clip={"x": 0, "y": 0, "width": width, "height": size["height"]})
    else:
        page.screenshot(path=path)
    if docs and os.environ.get("MANYHANDS_UPDATE_IMAGES"):
        shutil.copy(path, ROOT / "docs" / "images" / path.name)
    return path


def contrast(page: Page, selector: str) -> float:
    """The contrast of a text and what lies behind it, by WCAG 2."""
    found: float = page.locator(selector).first.evaluate(
        """element => {
          const parse = text => text.match(/[\\d.]+/g).map(Number);
          const light = ([r, g, b]) => {
            const [x, y, z] = [r, g, b].map(value => value / 255)
              .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
            return 0.2126 * x + 0.7152 * y + 0.0722 * z;
          };
          const front = parse(getComputedStyle(element).color);
          let behind = element, back = [255, 255, 255];
          for (; behind; behind = behind.parentElement) {
            const colour = parse(getComputedStyle(behind).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) { back = colour; break; }
          }
          const alpha = front.length > 3 ? front[3] : 1;
          const mixed = [0, 1, 2].map(at => front[at] * alpha + back[at] * (1 - alpha));
          const [high, low] = [light(mixed), light(back)].sort((a, b) => b - a);
          return (high + 0.05) / (low + 0.05);
        }"""
    )
    return found
