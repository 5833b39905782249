"""A question in a cell of a real JupyterLab: its panel, its proposed cells, its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers_browser import Lab, contrast, open_lab, open_notebook, shot, wait_for_lab
from helpers_cells import (
    begun_notebook,
    panel,
    reply_in_a_cell,
    run_and_wait,
    run_cell,
    said_by,
    script,
    sources,
)
from helpers_chat import WITH_VISION, models
from playwright.sync_api import Browser, Locator, Page, expect

from manyhands.rehearsal.server import RehearsalServer

pytestmark = pytest.mark.browser

RISE = "%%mind\nWhat is the yearly rise in @co2?"
SLOW = "%%mind\nPlease work slowly"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RehearsalServer]:
    with models(tmp_path_factory.mktemp("models"), reply_in_a_cell) as server:
        yield server


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, played: RehearsalServer) -> Iterator[Lab]:
    started = Lab(tmp_path_factory.mktemp("lab"), ollama=played.url, env=WITH_VISION)
    started.start()
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def no_kernels_left(lab: Lab) -> Iterator[None]:
    """Two cores: what a test started is over when the next one begins."""
    yield
    for kernel in lab.get("api/kernels"):
        lab.get(f"api/kernels/{kernel['id']}", method="DELETE")


def button(of: Locator, name: str) -> Locator:
    return of.get_by_role("button", name=name)


def use_theme(page: Page, name: str) -> None:
    page.evaluate(
        "name => window.jupyterapp.commands.execute('apputils:change-theme', { theme: name })",
        f"JupyterLab {name}",
    )
    light = str(name == "Light").lower()
    page.locator(f"body[data-jp-theme-light='{light}']").wait_for(state="attached")


def save(page: Page) -> None:
    page.evaluate("() => window.panel.context.save()")


def test_an_answer_streams_in_its_panel_while_the_kernel_does_other_things(
    page: Page, lab: Lab
) -> None:
    begun_notebook(page, lab, "ask.ipynb", RISE, "6 * 7")
    run_cell(page, 1)
    expect(button(panel(page), "Stop this run")).to_be_visible()
    assert said_by(page, 2) == "42"
    assert button(panel(page), "Stop this run").is_visible(), "the answer is still to come"
    answer = panel(page).locator(".mh-answer")
    expect(answer).to_contain_text("CO₂ rose")
    partly = answer.inner_text()
    shot(page, "cell-streaming")
    expect(panel(page).locator(".mh-state")).to_contain_text("answered · verified")
    assert len(partly) < len(answer.inner_text())
    expect(button(panel(page), "Stop this run")).to_be_hidden()
    step = panel(page).locator(".mh-tree li").first
    expect(step).to_contain_text("rise · code verified")
    expect(step).to_contain_text("coder on qwen3:235b-a22b")
    button(step, "blind_tests passed").click()
    expect(step).to_contain_text("the tests passed with 2 calls")
    shot(page, "cell-answered")


def test_stop_in_the_panel_ends_the_models_generation_and_the_next_question_works(
    page: Page, lab: Lab, played: RehearsalServer
) -> None:
    begun_notebook(page, lab, "stop.ipynb", SLOW, "%mind And now?")
    run_cell(page, 1)
    expect(panel(page).locator(".mh-state")).to_contain_text("thinking")
    shot(page, "cell-working")
    button(panel(page), "Stop this run").click()
    expect(panel(page)).to_contain_text("Stopped. %mind resume run_")
    asked = [item for item in played.requests if item.path == "/api/chat"][-1]
    end = time.monotonic() + 5
    while asked.ended is None and time.monotonic() < end:
        page.wait_for_timeout(10)
    assert asked.cancelled
    shot(page, "cell-stopped")
    run_cell(page, 2)
    expect(panel(page)).to_contain_text("You asked: And now?")


def test_a_proposed_cell_runs_after_approval_reaches_the_mind_and_is_undone(
    page: Page, lab: Lab
) -> None:
    path = begun_notebook(page, lab, "propose.ipynb", RISE, "%mind --wait And now?", "%mind see")
    on_disk = path.read_bytes()
    before = sources(page)
    run_cell(page, 1)
    proposed = panel(page, 0).get_by_role("group", name="Proposed cell 1")
    button(proposed, "Run proposed").click()
    expect(proposed).to_contain_text("May the mind run 6 lines in your kernel?")
    assert sources(page) == before, "nothing before the yes"
    button(proposed, "Deny").click()
    expect(proposed).to_contain_text("not run: you did not allow it")
    assert sources(page) == before

    button(proposed, "Run proposed").click()
    button(panel(page, 0), "The answer is good").click()  # between the question and the yes
    expect(panel(page, 0)).to_contain_text("Kept: good")
    button(proposed, "Allow once").click()
    expect(proposed).to_contain_text("ran without error")
    expect(proposed.locator("pre").last).to_have_text("1.24")
    assert "yearly_rise(co2" in sources(page)[2], "below the cell that asked"
    expect(page.locator(".jp-Notebook .jp-Cell").nth(2)).to_contain_text("1.24")
    shot(page, "cell-ran")
    run_and_wait(page, 3)
    seen = said_by(page, 4)
    assert "yearly_rise(co2" in seen
    assert "1.24" in seen
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:undo-cell-action')")
    assert sources(page) == before

    # What was taken back is put in anew, not looked for.
    button(proposed, "Run proposed").click()
    button(proposed, "Allow once").click()
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(len(before) + 1)
    expect(proposed).to_contain_text("ran without error")
    assert path.read_bytes() == on_disk


def test_fix_shows_the_difference_then_replaces_and_undo_brings_the_cell_back(
    page: Page, lab: Lab
) -> None:
    begun_notebook(page, lab, "fix.ipynb", "count = 0\nprint(6 / count)", "%mind fix")
    assert "ZeroDivisionError" in said_by(page, 1)
    run_cell(page, 2)
    proposed = panel(page).get_by_role("group", name="Proposed cell 1")
    expect(proposed.locator(".mh-del")).to_have_text("-count = 0")
    assert proposed.locator(".mh-add").all_inner_texts() == ["+count = 3"]
    shot(page, "cell-difference")
    button(proposed, "Replace the cell").click()
    expect(proposed).to_contain_text("replaced; undo in that cell takes it back")
    assert sources(page)[1] == "count = 3\nprint(6 / count)"
    cell = page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".cm-content")
    cell.click()
    page.keyboard.press("Control+z")
    assert sources(page)[1] == "count = 0\nprint(6 / count)"

    page.keyboard.press("Control+End")
    page.keyboard.type("  # mine")
    button(proposed, "Replace the cell").click()
    expect(proposed).to_contain_text("That cell has been changed since; nothing was replaced.")
    assert sources(page)[1].endswith("# mine")


def test_an_approval_for_the_session_asks_once_and_never_is_never(page: Page, lab: Lab) -> None:
    draw = "%%mind --no-context\ndraw it"
    begun_notebook(
        page, lab, "session.ipynb", draw, "len(_mind.cells[0].outcome.pictures[0]) > 1000"
    )
    run_cell(page, 1)
    proposed = panel(page).get_by_role("group", name="Proposed cell 1")
    button(proposed, "Run proposed").click()
    button(proposed, "Allow for this session").click()
    expect(proposed).to_contain_text("ran without error")
    picture = page.locator(".jp-Notebook .jp-Cell").nth(2).locator(".jp-RenderedImage img")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
    assert said_by(page, 3) == "True", "the picture is in the outcome that the mind gets"
    button(proposed, "Run proposed").click()
    expect(panel(page)).to_contain_text("a person approved run_cell for this session")
    assert page.locator(".mh-ask").count() == 0

    page.evaluate(
        "() => window.panel.content.widgets[3].model.sharedModel.setSource('%mind allow never')"
    )
    assert "never run" in said_by(page, 3)
    button(proposed, "Run proposed").click()
    expect(proposed).to_contain_text("not run: the settings forbid run_cell")


def test_a_run_shows_its_progress_and_ends_at_the_limit_or_by_hand(page: Page, lab: Lab) -> None:
    begun_notebook(page, lab, "limit.ipynb", "%mind limit 2", "%%mind\nwait for it")
    run_and_wait(page, 1)
    run_cell(page, 2)
    proposed = panel(page).get_by_role("group", name="Proposed cell 1")
    button(proposed, "Run proposed").click()
    assert button(proposed, "Allow for this session").count() == 0, "its cells came from outside"
    button(proposed, "Allow once").click()
    expect(proposed).to_contain_text("runs, 1 of at most 2 s")
    assert proposed.locator("progress").get_attribute("value") is not None
    shot(page, "cell-running")
    expect(proposed).to_contain_text("stopped at your limit of 2 s")
    expect(proposed.locator("pre").last).to_have_text("begun")
    assert said_by(page, 1).startswith("A proposed cell is stopped after 2 s")

    page.evaluate(
        "() => window.panel.content.widgets[1].model.sharedModel.setSource('%mind limit 60')"
    )
    run_and_wait(page, 1)
    button(proposed, "Run proposed").click()
    button(proposed, "Allow once").click()
    expect(proposed).to_contain_text("runs, 1 of at most 60 s")
    button(proposed, "Interrupt").click()
    expect(proposed).to_contain_text("interrupted")


def test_the_trace_is_seen_again_after_a_reload_a_restart_and_without_a_server(
    page: Page, lab: Lab
) -> None:
    begun_notebook(page, lab, "again.ipynb", RISE)
    run_cell(page, 1)
    expect(button(panel(page), "Run proposed")).to_be_enabled()
    page.wait_for_function(
        "() => JSON.stringify(window.panel.content.model.getMetadata('widgets') || {})"
        ".includes('1.24 ppm')"
    )
    save(page)

    def again(*, live: bool) -> None:
        expect(panel(page)).to_contain_text("1.24 ppm per year")
        expect(panel(page)).to_contain_text("rise · code verified")
        run = button(panel(page), "Run proposed")
        expect(run).to_be_enabled() if live else expect(run).to_be_disabled()
        assert button(panel(page), "Insert proposed").is_enabled()

    page.reload()
    wait_for_lab(page)
    open_notebook(page, "again.ipynb")
    again(live=True)
    shot(page, "cell-reloaded")
    page.evaluate("() => window.panel.sessionContext.session.kernel.restart()")
    again(live=False)
    lab.stop()
    again(live=False)
    lab.start()
    page.goto("about:blank")
    open_lab(page, lab)
    open_notebook(page, "again.ipynb", kernel=None)
    again(live=False)
    button(panel(page), "Insert proposed").click()
    assert "yearly_rise(co2" in sources(page)[2]
    shot(page, "cell-restarted")


@pytest.mark.parametrize("how", ["killed", "restarted"])
def test_a_kernel_that_ends_in_mid_answer_is_told_and_the_answer_goes_on(
    page: Page, lab: Lab, how: str
) -> None:
    kill = "import os\nos.kill(os.getpid(), 9)"
    begun_notebook(page, lab, f"{how}.ipynb", "%%mind\nsave a program", kill, "%mind resume")
    run_cell(page, 1)
    expect(button(panel(page), "Allow once")).to_be_visible()
    if how == "killed":
        run_cell(page, 2)
        dialog = page.locator(".jp-Dialog", has_text="appears to have died")
        dialog.get_by_role("button").last.click()
    else:
        page.evaluate("() => window.panel.sessionContext.session.kernel.restart()")
    cut = panel(page, 0)
    expect(cut).to_contain_text("The kernel ended while this was worked on.")
    expect(cut.locator(".mh-state")).to_have_text("cut")
    expect(cut.locator(".mh-ask")).to_have_count(0)
    shot(page, f"cell-{how}")
    run_and_wait(page, 0)
    run_cell(page, 3)
    button(panel(page, 1), "Deny").click()
    expect(panel(page, 1).locator(".mh-state")).to_contain_text("answered")


def test_an_unverified_answer_says_why_and_its_formulas_are_set(page: Page, lab: Lab) -> None:
    hand = "%%hand math --wait --kind free\nHow much is the yearly rise?"
    begun_notebook(page, lab, "euler.ipynb", "%mind --wait The formula of Euler", hand)
    run_cell(page, 1)
    told = panel(page)
    expect(told.get_by_role("list", name="What stays open")).to_have_text(
        "open: answered directly: nothing was run or checked"
    )
    expect(told.locator(".mh-answer .mh-formula mjx-container")).to_have_count(2)
    expect(told.locator(".mh-answer")).to_contain_text("for $5 and $6. $x$ is code")
    shot(page, "cell-formulas")
    run_cell(page, 2)
    expect(panel(page).locator(".mh-state")).to_contain_text("failed")
    expect(panel(page)).to_contain_text("No usable answer")
    expect(panel(page).get_by_role("button", name="The answer is good")).to_have_count(0)


def test_what_a_model_says_of_a_chart_looks_like_no_check(page: Page, lab: Lab) -> None:
    hand = "%%hand visualize --wait --chart line --x year --y ppm --data co2\nppm by year"
    begun_notebook(page, lab, "chart.ipynb", hand)
    run_cell(page, 1)
    expect(panel(page).locator(".mh-state")).to_contain_text("answered · verified")
    opinion = button(panel(page), "reviewed by a model, no check")
    expect(opinion).to_have_class("mh-check mh-quiet")
    expect(opinion).to_contain_text("○ reviewed")
    expect(panel(page)).to_contain_text("qwen2.5vl:7b, an opinion: finds nothing wrong with it")
    assert contrast(page, ".mh-panel .mh-check.mh-quiet") >= 4.5
    shot(page, "cell-reviewed")


def test_a_stream_that_breaks_off_is_told_in_the_panel(page: Page, lab: Lab) -> None:
    begun_notebook(page, lab, "broken.ipynb", "%mind break off", "%mind Still there?")
    run_cell(page, 1)
    expect(panel(page).locator(".mh-message")).to_be_visible()
    expect(panel(page).locator(".mh-state")).to_contain_text("failed")
    assert "Traceback" not in panel(page).inner_text()
    shot(page, "cell-broken")
    run_cell(page, 2)
    expect(panel(page)).to_contain_text("You asked: Still there?")


def test_an_answer_goes_on_when_its_tab_is_closed_and_two_tabs_act_each_for_itself(
    browser: Browser, lab: Lab
) -> None:
    contexts = [browser.new_context(viewport={"width": 1280, "height": 900}) for _ in range(3)]
    try:
        pages = [context.new_page() for context in contexts]
        for page in pages:
            page.set_default_timeout(30_000)
        begun_notebook(pages[0], lab, "tabs.ipynb", RISE)
        run_cell(pages[0], 1)
        expect(button(panel(pages[0]), "Stop this run")).to_be_visible()
        save(pages[0])
        contexts[0].close()
        for page in pages[1:]:
            open_lab(page, lab)
            open_notebook(page, "tabs.ipynb")
            expect(panel(page)).to_contain_text("1.24 ppm per year")
        button(panel(pages[1]), "Run proposed").click()
        for page in pages[1:]:  # either may answer
            expect(button(panel(page), "Allow once")).to_be_visible()
        button(panel(pages[2]), "Allow once").click()
        for page in pages[1:]:
            expect(panel(page)).to_contain_text("ran without error")
        assert len(sources(pages[1])) == 3
        assert len(sources(pages[2])) == 2
    finally:
        for context in contexts:
            context.close()


def test_the_panel_is_used_with_the_keyboard_alone(page: Page, lab: Lab) -> None:
    begun_notebook(page, lab, "keys.ipynb", RISE)
    run_cell(page, 1)
    expect(button(panel(page), "Run proposed")).to_be_enabled()
    named = "() => document.activeElement.ariaLabel || document.activeElement.textContent"
    button(panel(page), "blind_tests passed").focus()
    found = [page.evaluate(named)]
    while "bad" not in found[-1] and len(found) < 12:
        page.keyboard.press("Tab")
        found.append(page.evaluate(named))
    assert found == [
        "blind_tests passed: show what was found",
        "second_program passed: show what was found",
        "runs_on_data passed: show what was found",
        "Insert proposed cell below",
        "Run proposed cell after approval",
        "Copy proposed cell",
        "The answer is good",
        "The answer is bad",
    ]
    ring = "() => getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(ring) == "solid"

    before = sources(page)
    for _ in range(3):
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("x")  # in a notebook's command mode this cuts the cell
    page.keyboard.press("Enter")  # and this begins to edit it
    expect(panel(page).locator(".mh-ask")).to_be_focused()
    assert sources(page) == before
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(panel(page)).to_contain_text("ran without error")
    expect(button(panel(page), "The answer is bad")).to_be_visible()
    button(panel(page), "The answer is bad").focus()
    page.keyboard.press("Enter")
    expect(panel(page).get_by_label("Why the answer is good or bad")).to_be_focused()
    page.keyboard.type("too short")
    page.keyboard.press("Enter")
    expect(panel(page)).to_contain_text("Kept: bad, too short.")
    shot(page, "cell-keyboard")
    assert panel(page).get_attribute("role") == "region"
    for element in panel(page).locator("button, input, progress").all():
        assert element.get_attribute("aria-label") or element.inner_text().strip()


def test_both_themes_are_readable_also_at_400_pixels(page: Page, lab: Lab) -> None:
    begun_notebook(page, lab, "themes.ipynb", RISE, "1 / 0", "%mind fix")
    run_cell(page, 1)
    expect(button(panel(page), "Run proposed")).to_be_enabled()
    run_and_wait(page, 2)
    run_cell(page, 3)
    expect(panel(page).locator(".mh-add").first).to_be_visible()
    button(panel(page), "Run proposed").click()
    expect(panel(page).locator(".mh-ask")).to_be_visible()
    for theme in ("Light", "Dark"):
        use_theme(page, theme)
        for part in ("quiet", "clock", "good", "check", "add", "del", "ask .mh-name", "answer p"):
            assert contrast(page, f".mh-panel .mh-{part}") >= 4.5, (theme, part)
        assert contrast(page, ".mh-panel .mh-ask button") >= 4.5
    shot(page, "cell-dark")
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    page.set_viewport_size({"width": 400, "height": 900})
    panel(page, 0).scroll_into_view_if_needed()
    shot(page, "cell-400")
    for number in (0, 1):
        inner, outer = panel(page, number).evaluate("it => [it.scrollWidth, it.clientWidth]")
        assert inner <= outer
    button(panel(page, 1), "Deny").click()
    expect(panel(page, 1)).to_contain_text("not run: you did not allow it")
    use_theme(page, "Light")  # the server keeps it for the tests that follow


def test_scripted_models_are_named_as_such_where_their_answer_stands(page: Page, lab: Lab) -> None:
    Path(lab.root / "models.toml").write_text(script(), encoding="utf-8")
    page.set_viewport_size({"width": 1000, "height": 960})
    begun_notebook(page, lab, "picture.ipynb", "%mind rehearse models.toml", RISE)
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    assert "the models are scripted" in said_by(page, 1)
    run_cell(page, 2)
    expect(panel(page).locator(".mh-state")).to_contain_text("answered · verified")
    expect(panel(page)).to_contain_text("The models are scripted (rehearsal).")
    button(panel(page), "Run proposed").click()
    expect(panel(page).locator(".mh-ask")).to_be_visible()
    shot(page, "cell", docs=True)
