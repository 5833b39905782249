"""The mind in the chat sidebar of a real JupyterLab, with scripted models."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from helpers_browser import Lab, contrast, open_lab, open_notebook, shot, wait_for_lab
from helpers_chat import (
    WITH_VISION,
    ask,
    drag_sidebar,
    last_reply,
    open_chat,
    trace_of,
    traces,
)
from playwright.sync_api import Browser, Page, expect

from manyhands.cli.demo_models import DATA, QUESTION
from manyhands.data_files import data_path
from manyhands.rehearsal.server import RehearsalServer

pytestmark = pytest.mark.browser
STOP = '.jp-chat-input-container button[title*="top" i]'


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, played: RehearsalServer) -> Iterator[Lab]:
    started = Lab(
        tmp_path_factory.mktemp("lab"),
        ollama=played.url,
        env=WITH_VISION,
        options=("--MindPersona.simulated=True",),
    )
    started.start()
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def no_saved_program(lab: Lab) -> None:
    """What is there already needs no effect, so nobody would be asked."""
    (lab.root / "total.py").unlink(missing_ok=True)


def write_notebook(lab: Lab, name: str, *sources: str) -> Path:
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    path = lab.root / name
    nbformat.write(made, path)
    return path


def run_active(page: Page, index: int) -> None:
    page.evaluate(
        """async index => {
          window.panel.content.activeCellIndex = index;
          const cell = window.panel.content.widgets[index];
          await window.manyhandsLab.runCell({ cellId: cell.model.id });
        }""",
        index,
    )


def test_the_active_cells_error_is_explained_and_the_proposed_cell_runs_and_is_undone(
    page: Page, lab: Lab
) -> None:
    path = write_notebook(lab, "rates.ipynb", "total = 6", "total / 0")
    on_disk = path.read_bytes()
    open_lab(page, lab)
    open_notebook(page, path.name)
    open_chat(page, "explain")
    run_active(page, 0)
    run_active(page, 1)
    ask(page, "Explain this error")
    last_reply(page, "The active cell fails with ZeroDivisionError: division by zero")
    expect(trace_of(page).locator("summary").first).to_contain_text("scripted models")
    trace_of(page).locator("summary").first.click()
    expect(trace_of(page)).to_contain_text("Sent with it: notebook, variables of the notebook")
    thought = trace_of(page).locator(".mh-thought")
    thought.locator("summary").click()
    expect(thought).to_contain_text("The traceback names the line")

    proposal = page.locator(".mh-proposal").last
    proposal.get_by_role("button", name="Run…").click()
    expect(proposal).to_contain_text("run it in your kernel?")
    assert page.locator(".jp-Notebook .jp-Cell").count() == 2  # nothing before the yes
    shot(page, "sidebar", docs=True)
    proposal.get_by_role("button", name="Run once").click()
    expect(proposal).to_contain_text("It ran")
    expect(page.locator(".jp-Notebook .jp-Cell").nth(2)).to_contain_text("2.0")
    shot(page, "chat-ran")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:undo-cell-action')")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(2)
    assert path.read_bytes() == on_disk
    ask(page, "What did you see?")
    last_reply(page, "total: int = 6")


def test_a_replacement_shows_its_difference_first(page: Page, lab: Lab) -> None:
    path = write_notebook(lab, "replace.ipynb", "total = 6\nprint(total / 0)")
    open_lab(page, lab)
    open_notebook(page, path.name)
    open_chat(page, "replace")
    run_active(page, 0)
    ask(page, "Explain this error")
    last_reply(page, "The active cell fails")
    proposal = page.locator(".mh-proposal").last
    proposal.get_by_role("button", name="Replace…").click()
    expect(proposal.locator(".mh-line-old")).to_have_text("- print(total / 0)")
    assert proposal.locator(".mh-line-new").all_inner_texts() == [
        "+ count = 3",
        "+ print(total / count)",
    ]
    shot(page, "chat-difference")
    proposal.get_by_role("button", name="Replace", exact=True).click()
    expect(proposal).to_contain_text("Replaced")
    source = "() => window.panel.content.widgets[0].model.sharedModel.getSource()"
    assert page.evaluate(source) == "total = 6\ncount = 3\nprint(total / count)"
    page.locator(".jp-Notebook .jp-Cell .cm-content").first.click()
    page.keyboard.press("Control+z")
    assert page.evaluate(source) == "total = 6\nprint(total / 0)"

    proposal.get_by_role("button", name="Replace…").click()
    page.evaluate("() => window.panel.content.widgets[0].model.sharedModel.setSource('mine')")
    proposal.get_by_role("button", name="Replace", exact=True).click()
    expect(proposal).to_contain_text("has been changed since; nothing was replaced")
    assert page.evaluate(source) == "mine"


def test_after_a_yes_a_cell_runs_in_the_notebook_that_the_question_named(
    page: Page, lab: Lab
) -> None:
    write_notebook(lab, "named.ipynb", "total = 6\nprint(total / 0)")
    write_notebook(lab, "other.ipynb", "here = 'other'")
    open_lab(page, lab)
    open_notebook(page, "named.ipynb")
    page.evaluate("() => { window.named = window.panel; }")
    open_chat(page, "named")
    run_active(page, 0)
    ask(page, "Explain this error")
    last_reply(page, "The active cell fails")
    proposal = page.locator(".mh-proposal").last
    proposal.get_by_role("button", name="Run…").click()
    expect(proposal).to_contain_text("Insert this cell into named.ipynb and run it")
    open_notebook(page, "other.ipynb")
    proposal.get_by_role("button", name="Run once").click()
    expect(proposal).to_contain_text("It ran in")
    count = "panel => window[panel].content.widgets.length"
    assert [page.evaluate(count, name) for name in ("named", "panel")] == [2, 1]


def test_a_proposed_cell_runs_within_a_limit_and_can_be_interrupted(page: Page, lab: Lab) -> None:
    path = write_notebook(lab, "long.ipynb", "x = 1")
    open_lab(page, lab)
    open_notebook(page, path.name)
    open_chat(page, "long")
    ask(page, "Propose something that takes long")
    last_reply(page, "This takes long")
    proposal = page.locator(".mh-proposal").last
    proposal.get_by_role("button", name="Run…").click()
    expect(proposal).to_contain_text("Asked because text from outside was in the context")
    expect(proposal.get_by_role("button", name="in this session")).to_have_count(0)
    proposal.get_by_label("Interrupt it after").fill("2")
    proposal.get_by_role("button", name="Run once").click()
    expect(proposal).to_contain_text("It has run for")
    shot(page, "chat-running")
    expect(proposal).to_contain_text("it was interrupted after 2 s")
    expect(page.locator(".jp-Notebook .jp-Cell").nth(1)).to_contain_text("KeyboardInterrupt")

    proposal.get_by_role("button", name="Run…").click()
    proposal.get_by_label("Interrupt it after").fill("60")
    proposal.get_by_role("button", name="Run once").click()
    expect(page.locator(".jp-Notebook .jp-Cell").nth(2)).to_contain_text("begun")
    proposal.get_by_role("button", name="Interrupt").click()
    expect(proposal).to_contain_text("you interrupted it")
    for left in (2, 1):  # each insertion is one step of undo
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:undo-cell-action')")
        expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(left)


def test_an_effect_waits_for_a_person_who_allows_or_denies_it(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    open_chat(page, "approve")
    ask(page, "please save a program")
    page.locator(".mh-approval").wait_for()
    expect(page.locator(".mh-approval")).to_contain_text("def total(numbers)")
    assert not (lab.root / "total.py").exists()
    (waiting,) = lab.get("manyhands/status")["approvals"]
    assert waiting["tool"] == "save_file"
    shot(page, "chat-approval")
    page.get_by_role("button", name="Deny").click()
    last_reply(page, "save_file denied")
    assert not (lab.root / "total.py").exists()

    ask(page, "please save a program again")
    page.get_by_role("button", name="Allow once").click()
    last_reply(page, "save_file done")
    assert "def total" in (lab.root / "total.py").read_text()
    shot(page, "chat-approved")


def test_a_picture_that_an_answer_names_is_not_loaded(page: Page, lab: Lab) -> None:
    """Its address could tell a stranger what stands in the context."""
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    open_lab(page, lab)
    open_chat(page, "elsewhere")
    ask(page, "Show the pictures from elsewhere")
    told = last_reply(page, "Seen:")
    expect(told).to_contain_text("img src=http://127.0.0.1:9/b.png")
    expect(told.locator("img")).to_have_count(0)
    assert [url for url in loaded if "127.0.0.1:9/" in url] == []
    expect(told.locator("mjx-container")).to_have_count(2)  # prices are none
    expect(told).to_contain_text("For $5 or $6:")
    wide = told.locator("mjx-container[display=true]")
    assert wide.evaluate("one => one.scrollWidth > one.clientWidth"), "it is scrolled, not cut"


def test_stop_closes_the_models_stream_and_the_next_question_works(
    page: Page, lab: Lab, played: RehearsalServer
) -> None:
    open_lab(page, lab)
    open_chat(page, "stop")
    ask(page, "Work slowly, please")
    page.locator(".mh-doing", has_text="tokens").wait_for()
    shot(page, "chat-working")
    page.locator(STOP).first.click()
    last_reply(page, "Stopped. /resume goes on where it was.")
    asked = [item for item in played.requests if item.path == "/api/chat"][-1]
    end = time.monotonic() + 5
    while asked.ended is None and time.monotonic() < end:
        page.wait_for_timeout(10)
    assert asked.cancelled
    expect(trace_of(page).locator(".mh-chip").first).to_have_text("stopped")
    ask(page, "And now?")
    last_reply(page, "You asked: And now?")
    shot(page, "chat-stopped")
    page.locator(".jp-jai-usage-chip").wait_for()
    drag_sidebar(page, 300)
    ring, stop = (page.locator(one).first.bounding_box() for one in (".jp-jai-usage-chip", STOP))
    assert ring is not None
    assert stop is not None
    assert ring["y"] + ring["height"] <= stop["y"], "nothing lies over Stop"


def test_a_reload_shows_the_chat_and_its_trace_again(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    open_chat(page, "reload")
    ask(page, "please save a program")
    page.get_by_role("button", name="Deny").click()
    last_reply(page, "save_file denied")
    page.get_by_role("button", name="The answer is bad").click()
    page.get_by_label("Why the answer is good or bad").fill("it says everything three times")
    page.keyboard.press("Enter")
    expect(page.locator(".mh-rating")).to_contain_text("kept: bad, it says everything")
    page.reload()
    wait_for_lab(page)
    open_chat(page, "reload")
    last_reply(page, "save_file denied")
    trace_of(page).locator("summary").first.click()
    expect(trace_of(page).locator(".mh-step")).to_contain_text("blind_tests")
    expect(page.locator(".mh-rating")).to_contain_text("kept: bad, it says everything")
    expect(page.get_by_role("button", name="The answer is bad")).to_have_attribute(
        "aria-pressed", "true"
    )
    shot(page, "chat-reloaded")


def test_a_killed_server_loses_nothing_and_says_how_to_go_on(
    page: Page, browser: Browser, lab: Lab
) -> None:
    open_lab(page, lab)
    open_chat(page, "killed")
    ask(page, "please save a program")
    page.locator(".mh-approval").wait_for()
    lab.stop(signal.SIGKILL)
    lab.start()
    page.goto("about:blank")
    open_lab(page, lab)
    open_chat(page, "killed")
    last_reply(page, "please save a program")
    ask(page, "/resume")
    last_reply(page, "The server ended while this was worked on. /resume goes on with it.")
    page.get_by_role("button", name="Allow once").click()
    last_reply(page, "save_file done")
    assert traces(page).count() == 2
    shot(page, "chat-restarted")


def test_two_tabs_each_speak_of_their_own_notebook(browser: Browser, lab: Lab) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        pages = {}
        for name in ("one", "two"):
            pages[name] = page = context.new_page()
            page.set_default_timeout(30_000)
            write_notebook(lab, f"{name}.ipynb", f"here = '{name}'")
            open_lab(page, lab)
            open_notebook(page, f"{name}.ipynb")
            open_chat(page, "both")
        for name, page in pages.items():
            page.bring_to_front()
            ask(page, f"which notebook is this, tab {name}?")
            last_reply(page, f"You are in {name}.ipynb")
        for page in pages.values():  # both tabs show the whole chat
            last_reply(page, "You are in one.ipynb")
            last_reply(page, "You are in two.ipynb")
        shot(pages["two"], "chat-two-tabs")
    finally:
        context.close()


def test_a_stream_that_breaks_off_is_told_and_the_next_question_works(page: Page, lab: Lab) -> None:
    open_lab(page, lab)
    open_chat(page, "broken")
    ask(page, "break off in the middle")
    reply = last_reply(page, "That did not work.")
    expect(reply).to_contain_text("/resume")
    assert "Traceback" not in reply.inner_text()
    ask(page, "Still there?")
    last_reply(page, "You asked: Still there?")
    shot(page, "chat-broken")


def test_an_answer_goes_on_when_its_tab_is_closed(browser: Browser, lab: Lab) -> None:
    first = browser.new_context()
    page = first.new_page()
    page.set_default_timeout(30_000)
    open_lab(page, lab)
    open_chat(page, "closed")
    ask(page, "please save a program")
    page.locator(".mh-approval").wait_for()
    first.close()
    second = browser.new_context()
    page = second.new_page()
    page.set_default_timeout(30_000)
    try:
        open_lab(page, lab)
        open_chat(page, "closed")
        page.get_by_role("button", name="Deny").click()
        last_reply(page, "save_file denied")
    finally:
        second.close()


def test_two_users_talk_at_the_same_time(browser: Browser, lab: Lab) -> None:
    contexts = [browser.new_context() for _ in range(2)]
    try:
        pages = [context.new_page() for context in contexts]
        for number, page in enumerate(pages):
            page.set_default_timeout(30_000)
            open_lab(page, lab)
            open_chat(page, f"user{number}")
        ask(pages[0], "Work slowly, please")
        pages[0].locator(".mh-doing", has_text="tokens").wait_for()
        ask(pages[1], "What does the second one say?")
        last_reply(pages[1], "You asked: What does the second one say?")
        assert len(lab.get("manyhands/status")["turns"]) == 1
        pages[0].locator(STOP).first.click()
        last_reply(pages[0], "Stopped.")
        assert "Stopped" not in pages[1].locator(".jp-chat-messages-container").inner_text()
    finally:
        for context in contexts:
            context.close()


def test_a_killed_kernel_is_told_of_and_does_not_stop_the_answer(page: Page, lab: Lab) -> None:
    path = write_notebook(lab, "dies.ipynb", "import os; os.kill(os.getpid(), 9)")
    open_lab(page, lab)
    open_notebook(page, path.name)
    open_chat(page, "kernel")
    page.evaluate(
        """async () => {
          const session = window.panel.sessionContext;
          const gone = new Promise(done => session.statusChanged.connect((_, status) => {
            if (/restarting|dead|unknown/.test(status)) done();
          }));
          window.jupyterapp.commands.execute('notebook:run-cell');
          await gone;
        }"""
    )
    page.locator(".jp-Dialog", has_text="appears to have died").get_by_role("button").last.click()
    ask(page, "which notebook is this?")
    last_reply(page, "You are in dies.ipynb")
    page.evaluate("() => window.panel.sessionContext.shutdown()")
    ask(page, "which notebook is this, without a kernel?")
    expect(page.locator(".jp-chat-rendered-message", has_text="You are in dies")).to_have_count(2)
    ask(page, "/seen")
    last_reply(page, "kernel none")
    shot(page, "chat-kernel-gone")


def test_the_dark_theme_stays_readable_also_at_400_pixels(browser: Browser, lab: Lab) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(30_000)
    try:
        open_lab(page, lab)
        page.evaluate(
            "() => window.jupyterapp.commands.execute("
            "'apputils:change-theme', { theme: 'JupyterLab Dark' })"
        )
        open_chat(page, "dark")
        ask(page, "please save a program")
        page.locator(".mh-approval").wait_for()
        page.locator("body[data-jp-theme-light='false']").wait_for(state="attached")
        shot(page, "chat-dark")
        assert contrast(page, ".mh-step-head b") >= 4.5
        assert contrast(page, ".mh-quiet") >= 4.5
        assert contrast(page, ".mh-button") >= 4.5
        page.evaluate(
            "async () => { await window.jupyterapp.commands.execute("
            "'application:toggle-left-area'); }"
        )
        page.set_viewport_size({"width": 400, "height": 900})
        page.evaluate(
            "async () => { await window.jupyterapp.commands.execute('jupyterlab-chat:open',"
            " { filepath: 'dark.chat' }); }"
        )
        card = page.locator(".mh-approval:visible").last
        card.scroll_into_view_if_needed()
        shot(page, "chat-400")
        wide = "element => [element.scrollWidth, element.clientWidth]"
        inner, outer = page.locator(".mh-trace:visible").last.evaluate(wide)
        assert inner <= outer
        card.get_by_role("button", name="Deny").focus()
        page.keyboard.press("Enter")
        last_reply(page, "save_file denied")
    finally:
        context.close()


def test_an_attached_table_is_drawn_and_the_answer_is_verified(page: Page, lab: Lab) -> None:
    table = data_path("examples") / f"{DATA}.csv"
    (lab.root / table.name).write_bytes(table.read_bytes())
    open_lab(page, lab)
    open_chat(page, "co2")
    page.locator('.jp-chat-input-container button[title*="ttach" i]').first.click()
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_text(table.name).first.click()
    dialog.get_by_role("button", name="Select").click()
    page.locator(".jp-chat-attachment", has_text=table.name).first.wait_for()
    ask(page, QUESTION)
    last_reply(page, "The rise is accelerating", seconds=90)
    picture = page.locator(".mh-picture img")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 400
    assert "base64" not in (lab.root / "co2.chat").read_text()
    trace_of(page).locator("summary").first.click()
    expect(trace_of(page).locator(".mh-step")).to_have_count(5)
    opinion = trace_of(page).locator(".mh-passed-opinion")
    expect(opinion).to_contain_text("○no check: reviewed: qwen2.5vl:7b, an opinion: finds nothing")
    page.set_viewport_size({"width": 1280, "height": 1500})
    trace_of(page).scroll_into_view_if_needed()
    shot(page, "sidebar-chart", width=560, docs=True)
