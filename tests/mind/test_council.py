"""The council: blind drafts, decided by what runs, else by a stated rule; dissent and cost kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyhands.hands.contracts import Status
from manyhands.journal.events import CouncilDone, CouncilDraft, Said
from manyhands.mind.answer import Answer
from manyhands.mind.council import SEATS
from manyhands.mind.mind import Mind
from manyhands.mind.verdict import UNKNOWN, Draft, answer_line, decide, same_answer
from manyhands.rehearsal.script import ScriptedRequest
from manyhands.rehearsal.stage import scripted_tiers
from manyhands.roles.loader import load_roles
from manyhands.settings import Settings

ROLES = load_roles()
SUM = "```python\nimport csv\nrows = list(csv.DictReader(open('d.csv')))\n{rest}\n```"
BY_LOOP = SUM.format(rest="print(sum(int(r['a']) for r in rows))")
BY_PAIRS = SUM.format(rest="t = 0\nfor r in rows: t += int(r['a'])\nprint(t)")
CONSTANT = "```python\nprint(6)\n```"


def seat_of(request: ScriptedRequest) -> str:
    last = request.last.rpartition("Your seat: ")[2]
    return next((seat for seat in SEATS if last.startswith(seat)), "chair")


async def sit(
    settings: Settings, says: Callable[[str, ScriptedRequest], str], **options: object
) -> tuple[Answer, list[object], Settings]:
    with scripted_tiers(settings, lambda r: says(seat_of(r), r)) as rehearsed:
        mind = Mind(rehearsed, roles=ROLES, door="test", simulated=True)
        bodies: list[object] = []
        answer = None
        async for item in mind.stream("What is the sum of a?", council=True, **options):  # type: ignore[arg-type]
            if isinstance(item, Answer):
                answer = item
            else:
                bodies.append(item.body)
    assert answer is not None
    return answer, bodies, settings


@pytest.fixture
def settings(tmp_path: Path, settings_in: Callable[[Path], Settings]) -> Settings:
    (tmp_path / "d.csv").write_text("a\n1\n2\n3\n")
    return settings_in(tmp_path)


@pytest.mark.anyio
async def test_no_draft_reaches_another_seat(settings: Settings) -> None:
    seen: list[str] = []

    def says(seat: str, request: ScriptedRequest) -> str:
        if seat != "chair":
            seen.append(request.last)
        return f"I, {seat}, whisper pass{seat}word.\nANSWER: {seat}"

    await sit(settings, says)
    assert len(seen) == len(SEATS)
    for prompt in seen:
        assert "whisper" not in prompt
        assert "pass" not in prompt.replace("pass it on", "")


@pytest.mark.anyio
async def test_all_seats_share_the_prompt_to_the_last_paragraph(settings: Settings) -> None:
    seen: list[str] = []

    def says(seat: str, request: ScriptedRequest) -> str:
        if seat != "chair":
            seen.append(request.last)
        return "ANSWER: 6"

    await sit(settings, says, data={"d": settings.journal.path.parent / "d.csv"})
    shared = {prompt.rpartition("Your seat: ")[0] for prompt in seen}
    assert len(shared) == 1


@pytest.mark.anyio
async def test_programs_that_run_decide_against_more_voices(settings: Settings) -> None:
    texts = {
        "proposer": "ANSWER: 7",
        "breaker": "ANSWER: 7",
        "tester": f"{BY_LOOP}\nANSWER: 6",
        "estimator": f"{BY_PAIRS}\nANSWER: 6",
        "chair": "The rows add up to it.",
    }
    data = {"d": settings.journal.path.parent / "d.csv"}
    answer, bodies, _ = await sit(settings, lambda seat, _: texts[seat], data=data)
    assert answer.status is Status.VERIFIED
    assert answer.text.startswith("**6**")
    done = next(body for body in bodies if isinstance(body, CouncilDone))
    assert "evidence: 2 of 2 programs" in done.decided_by
    assert set(done.dissent) == {"proposer: 7", "breaker: 7"}
    assert "Dissent: proposer: 7" in answer.text
    rounds = {body.round for body in bodies if isinstance(body, CouncilDraft)}
    assert rounds == {1, 2}, "they differed, so the evidence was exchanged once"


@pytest.mark.anyio
async def test_programs_that_do_not_read_the_data_prove_nothing(settings: Settings) -> None:
    data = {"d": settings.journal.path.parent / "d.csv"}
    answer, _, _ = await sit(settings, lambda seat, _: f"{CONSTANT}\nANSWER: 6", data=data)
    assert answer.status is Status.UNVERIFIED


@pytest.mark.anyio
async def test_without_evidence_a_stated_rule_decides_and_nothing_is_verified(
    settings: Settings,
) -> None:
    def says(seat: str, request: ScriptedRequest) -> str:
        return "ANSWER: red" if seat == "breaker" else "ANSWER: Blue."

    answer, bodies, _ = await sit(settings, says)
    assert answer.status is Status.UNVERIFIED
    assert "rule: 3 of 4 seats" in answer.text
    assert "breaker: red" in answer.text
    assert {body.round for body in bodies if isinstance(body, CouncilDraft)} == {1}


@pytest.mark.anyio
async def test_the_cost_shown_is_the_servers_count(settings: Settings) -> None:
    answer, bodies, _ = await sit(settings, lambda seat, _: "ANSWER: 6")
    said = [body for body in bodies if isinstance(body, Said)]
    counted = sum(body.prompt_tokens + body.completion_tokens for body in said)
    done = next(body for body in bodies if isinstance(body, CouncilDone))
    assert done.tokens == counted > 0
    assert f"Cost: {counted} tokens" in answer.text
    assert answer.usage.prompt_tokens + answer.usage.completion_tokens == counted


@pytest.mark.anyio
async def test_the_council_loads_one_model_once(settings: Settings) -> None:
    answer, _, _ = await sit(settings, lambda seat, _: "ANSWER: 6")
    assert answer.usage.loads == 1


@pytest.mark.anyio
async def test_garbage_gives_no_answer(settings: Settings) -> None:
    answer, _, _ = await sit(settings, lambda seat, _: "mumble")
    assert answer.status is Status.CANNOT


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("6", "6.0", True),
        ("6 ppm", "6", True),
        ("6 ppm", "6 km", False),
        ("1,000", "1000", True),
        ("Yes.", "yes", True),
        ("yes", "no", False),
        ("2.46", "2.4603", True),
        ("2.46", "2.52", False),
        ("-3", "3", False),
    ],
)
def test_answers_are_compared_as_values(first: str, second: str, same: bool) -> None:
    assert same_answer(first, second) is same
    assert same_answer(second, first) is same


def test_the_last_answer_line_counts() -> None:
    assert answer_line("ANSWER: a\ntext\n**ANSWER: b**") == "b"
    assert answer_line("no line") == UNKNOWN


drafts = st.lists(
    st.builds(
        Draft,
        seat=st.sampled_from(list(SEATS)),
        answer=st.sampled_from(["1", "2", "yes", UNKNOWN]),
        printed=st.sampled_from(["", "1", "2"]),
        rests_on_data=st.booleans(),
    ),
    max_size=6,
)


@given(drafts=drafts)
def test_only_agreeing_programs_on_data_prove(drafts: list[Draft]) -> None:
    decided = decide(drafts)
    if decided.proved:
        ran = [draft for draft in drafts if draft.printed]
        assert len({draft.printed for draft in ran}) == 1
        assert sum(draft.rests_on_data for draft in ran) >= 2
    for draft in drafts:
        told = any(line.startswith(f"{draft.seat}:") for line in decided.dissent)
        assert told or same_answer(draft.stands_for, decided.answer)
