"""Effects are asked about, plans are revised by what was found, memory keeps what was checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyhands.broker.contracts import Choice, Decision, Effect
from manyhands.errors import InputError
from manyhands.hands.contracts import Status
from manyhands.journal.events import Framed, Note, NoteReason, PassageRead
from manyhands.memory import Memory
from manyhands.mind.answer import Answer
from manyhands.mind.effects import target_path
from manyhands.mind.mind import Mind
from manyhands.mind.remembering import users_own_word
from manyhands.rehearsal.script import ScriptedRequest
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import Settings

ROLES = load_roles()
BY_PROMPT = {role.prompt: name for name, role in ROLES.items()}
Says = Callable[[str, str], str]


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    return settings_in(tmp_path)


class Person:
    """Answers every approval in one way and keeps what was asked."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.asked: list[Effect] = []

    async def approve(self, effect: Effect, decision: Decision) -> Choice:
        self.asked.append(effect)
        return self.choice


def math_step(name: str, f: str, **more: Any) -> dict[str, Any]:
    given = {"f": f, "var": "x"}
    return {"id": name, "hand": "math", "task": f, "kind": "derivative", "given": given, **more}


def plan(*steps: dict[str, Any], **more: Any) -> str:
    return json.dumps({"goal": "g", "route": "plan", "steps": steps, **more})


async def ask(
    settings: Settings,
    says: Says,
    question: str = "Differentiate x**2.",
    *,
    person: Person | None = None,
    simulated: bool = True,
    **options: Any,
) -> tuple[Answer, list[object]]:
    def reply(request: ScriptedRequest) -> str:
        return says(BY_PROMPT.get(str(request.messages[0]["content"]), "?"), request.last)

    bodies: list[object] = []
    answer = None
    with scripted_tiers(settings, reply) as rehearsed:
        approve = {"approve": person.approve} if person else {}
        mind = Mind(rehearsed, roles=ROLES, door="test", simulated=simulated, **approve)
        async for item in mind.stream(question, **options):
            if isinstance(item, Answer):
                answer = item
            else:
                bodies.append(item.body)
    assert answer is not None
    return answer, bodies


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def saving(path: str = "out/derivative.txt") -> Says:
    frame = plan(math_step("d", "x**2"), effects=[{"tool": "save_file", "step": "d", "path": path}])
    texts = {"framer": frame, "mathematician": "```\n2*x\n```"}
    return lambda role, _: texts.get(role, "It is 2*x.")


@pytest.mark.anyio
async def test_a_file_is_saved_after_approval(settings: Settings, tmp_path: Path) -> None:
    person = Person(Choice.ONCE)
    answer, _ = await ask(settings, saving(), person=person, save_folder=tmp_path)
    assert (tmp_path / "out" / "derivative.txt").read_text() == "2*x"
    assert [effect.state for effect in answer.effects] == ["done"]
    (asked,) = person.asked
    assert asked.arguments["path"] == str(tmp_path / "out" / "derivative.txt")
    assert asked.whole.endswith("\n2*x")
    assert names_in(tmp_path / "out") == ["derivative.txt"]


@pytest.mark.anyio
async def test_a_file_is_not_saved_without_approval(settings: Settings, tmp_path: Path) -> None:
    for person in (Person(Choice.NO), None):
        answer, _ = await ask(settings, saving(), person=person, save_folder=tmp_path)
        assert not (tmp_path / "out").exists()
        assert [effect.state for effect in answer.effects] == ["denied"]
        assert answer.status is Status.VERIFIED, "the answer itself stands"


@pytest.mark.anyio
async def test_replacing_a_file_is_said_so(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    person = Person(Choice.NO)
    await ask(settings, saving("a.txt"), person=person, save_folder=tmp_path)
    assert person.asked[0].summary.startswith("replace ")
    assert "-old\n+2*x" in person.asked[0].whole
    assert (tmp_path / "a.txt").read_text() == "old"


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../up.txt", "a/../../up", ".bashrc", "sub/.git/hook", "C:\\x", "", "a\0b",
     "link/x"],
)  # fmt: skip
def test_a_path_never_leaves_its_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "link").symlink_to("/tmp")
    with pytest.raises(InputError):
        target_path(tmp_path, path)


@pytest.mark.anyio
async def test_a_plan_is_revised_when_a_step_brings_nothing_that_holds(settings: Settings) -> None:
    def says(role: str, prompt: str) -> str:
        if role == "framer":
            if "brought nothing that holds" in prompt:
                return plan(math_step("again", "x*x", replaces="d"))
            return plan(math_step("d", "x**2"))
        if role == "mathematician":
            return "```\n2*x\n```" if "x*x" in prompt else "```\n3*x\n```"
        return "It is 2*x."

    answer, bodies = await ask(settings, says)
    assert answer.status is Status.VERIFIED
    assert [step.id for step in answer.steps] == ["d", "again"]
    assert [step.result.status for step in answer.steps] == [Status.UNVERIFIED, Status.VERIFIED]
    frames = [body for body in bodies if isinstance(body, Framed)]
    assert [frame.revision for frame in frames] == [0, 1]


@pytest.mark.anyio
async def test_a_step_of_another_kind_does_not_make_up_for_a_failed_one(
    settings: Settings,
) -> None:
    def says(role: str, prompt: str) -> str:
        if role == "framer":
            if "brought nothing that holds" in prompt:
                return plan(math_step("other", "x**3"))
            return plan(math_step("d", "x**2"))
        return "```\n3*x**2\n```" if role == "mathematician" else "Done."

    answer, _ = await ask(settings, says)
    assert answer.status is Status.UNVERIFIED
    assert any("step d" in point for point in answer.open_points)


@pytest.mark.anyio
async def test_the_same_request_is_not_worked_out_twice(settings: Settings) -> None:
    calls: list[str] = []

    def says(role: str, prompt: str) -> str:
        calls.append(role)
        if role == "framer":
            return plan(math_step("one", "x**2"), math_step("two", "x**2"))
        return "```\n2*x\n```" if role == "mathematician" else "It is 2*x."

    answer, bodies = await ask(settings, says)
    assert calls.count("mathematician") == 1
    assert any(isinstance(body, Note) and body.reason is NoteReason.STALL for body in bodies)
    assert answer.status is Status.VERIFIED


@pytest.mark.anyio
async def test_what_a_note_left_out_is_read_on_before_answering(settings: Settings) -> None:
    program = (
        "```python\ndef work():\n"
        "    return ['row %d' % n for n in range(3000)] + ['needle is 4217']\n```"
    )
    tests = (
        "```python\ndef check(candidate):\n"
        "    assert candidate()[-1].startswith('needle')\n    assert len(candidate()) == 3001\n```"
    )

    def says(role: str, prompt: str) -> str:
        if role == "framer":
            step = {"id": "w", "hand": "code", "task": "rows", "entry_point": "work"}
            return plan({**step, "data": ["d"]})
        if role == "tester":
            return tests.replace("candidate()", "candidate({'a': [1.0]})")
        if role == "coder":
            return program.replace("work()", "work(table)").replace("3000", "2999 + 1")
        if "List in `reads`" in prompt:
            return json.dumps({"reads": [{"step": "w", "search": "needle"}]})
        return "Found: " + ("4217" if "needle is 4217" in prompt else "nothing")

    data = settings.journal.path.parent / "d.csv"
    data.write_text("a\n1\n")
    answer, bodies = await ask(settings, says, data={"d": data})
    assert any(isinstance(body, PassageRead) for body in bodies)
    assert answer.text == "Found: 4217"


@pytest.mark.anyio
async def test_a_run_leaves_its_episode_and_a_lesson_and_the_next_one_is_told(
    settings: Settings,
) -> None:
    prompts: list[str] = []

    def says(role: str, prompt: str) -> str:
        if role == "framer":
            prompts.append(prompt)
            return plan({**math_step("d", "x**2"), "task": "differentiate the square"})
        if role == "mathematician":
            return "```\n2*x\n```" if "what failed" in prompt else "```\nx\n```"
        return "It is 2*x."

    await ask(settings, says, "Differentiate the square.", simulated=False)
    memory = await Memory.open(settings.memory.path)
    hits = await memory.recall("differentiate the square", k=10)
    await memory.close()
    assert {hit.kind for hit in hits} == {"episode", "lesson"}
    assert {str(hit.trust) for hit in hits} == {"checked"}
    await ask(settings, says, "Differentiate the square again.", simulated=False)
    assert "A later one passed" in prompts[-1]
    assert prompts[-1].index("<<memory") < prompts[-1].index("Question:")


@pytest.mark.anyio
async def test_scripted_runs_leave_nothing_in_memory(settings: Settings) -> None:
    await ask(settings, saving(), simulated=True)
    assert not settings.memory.path.exists()
    assert not settings.routing.path.exists()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("question", "trust"),
    [("Please remember: the unit is ppm.", "user"), ("Please note my unit.", "model")],
)
async def test_what_the_mind_wants_to_remember_is_a_proposal_unless_the_user_said_it(
    settings: Settings, question: str, trust: str
) -> None:
    frame = json.dumps(
        {
            "goal": "g",
            "route": "direct",
            "answer": "Noted.",
            "effects": [{"tool": "remember", "text": "the unit is ppm"}],
        }
    )
    answer, _ = await ask(settings, lambda role, _: frame, question, simulated=False)
    assert [effect.state for effect in answer.effects] == ["done"]
    memory = await Memory.open(settings.memory.path)
    (hit,) = await memory.recall("unit ppm", k=5)
    await memory.close()
    assert (str(hit.trust), hit.kind) == (trust, "fact" if trust == "user" else "proposal")
    played, _ = await ask(settings, lambda role, _: frame, question, simulated=True)
    (effect,) = played.effects
    assert effect.state == "refused"
    assert "only play" in effect.detail


def test_the_users_own_word_is_word_for_word() -> None:
    assert users_own_word("The unit is ppm!", "remember the unit is ppm, please")
    assert not users_own_word("nit is pp", "the unit is ppm")
    assert not users_own_word("", "anything")
