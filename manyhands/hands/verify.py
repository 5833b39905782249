"""The `verify` hand: a claim about data by two programs written blind, a subject by running it."""

from __future__ import annotations

from pydantic import JsonValue

from manyhands.checks.outcome import CheckOutcome, Verdict
from manyhands.hands.cases import keep_case
from manyhands.hands.contracts import Evidence, HandName, Status, VerifyRequest, proves
from manyhands.hands.subjects import judge_handed
from manyhands.hands.work import (
    Desk,
    Draft,
    Hand,
    abstained,
    block_of,
    described,
    evidence_note,
)

__all__ = ["VerifyHand", "agree"]


def agree(first: Verdict, second: Verdict) -> Status:
    """What two independent verdicts come to: only agreement decides."""
    if first is second is Verdict.SUPPORTED:
        return Status.VERIFIED
    if first is second is Verdict.REFUTED:
        return Status.REFUTED
    return Status.UNVERIFIED


class VerifyHand(Hand[VerifyRequest]):
    """Two roles on two models each write `claim(df) -> bool`, neither sees the other's.

    One program could be wrong the same way as the claim; agreement of two is the evidence, and
    a disagreement is reported as undecided, never resolved by taking sides. What is handed over
    as a subject is judged without a model, unless a claim is made about it.
    """

    name = HandName.VERIFY
    role = "verifier"
    second = "skeptic"
    tester = "tester"

    async def draft(
        self, request: VerifyRequest, desk: Desk, tier: str, last: Draft | None
    ) -> Draft:
        if request.subject:
            return await judge_handed(request, desk, (self.tester, self.second))
        draft = Draft(summary=request.claim)
        outcomes: list[CheckOutcome] = []
        reruns: dict[str, JsonValue] = {}
        for role, level in ((self.role, tier), (self.second, "")):
            outcome = await self._judge(request, desk, role, level, last, draft, reruns)
            if outcome is None:
                return draft
            outcomes.append(outcome)
        verdicts = [outcome.verdict for outcome in outcomes]
        draft.claim_status = agree(*verdicts)
        isolation = await desk.bench.isolation()
        if not proves(isolation) and draft.claim_status is Status.VERIFIED:
            draft.claim_status = Status.UNVERIFIED
        decided = draft.claim_status in (Status.VERIFIED, Status.REFUTED)
        draft.checks.append(
            Evidence(
                name="two_programs_agree",
                passed=True if decided else None,
                independent=True,
                evidence="; ".join(
                    f"{role}: {outcome.verdict}, {outcome.summary}"
                    for role, outcome in zip((self.role, self.second), outcomes, strict=True)
                ),
                isolation=isolation,
                seconds=sum(outcome.seconds for outcome in outcomes),
                detail=reruns,
            )
        )
        draft.value = f"{request.claim}: {draft.claim_status}"
        return draft

    async def _judge(
        self,
        request: VerifyRequest,
        desk: Desk,
        role: str,
        tier: str,
        last: Draft | None,
        draft: Draft,
        reruns: dict[str, JsonValue],
    ) -> CheckOutcome | None:
        """One role's program, run on the data; None (and the draft says why) without one.

        The ids of its case and table are put into `reruns`.
        """
        source = desk.sources[request.data[0]]
        prompt = await desk.prompt(
            role,
            tier,
            f"Claim: {request.claim}",
            *described([source]),
            "Write `def claim(df) -> bool` for a pandas data frame with these columns. It returns "
            "True when the data bear the claim out, False when they contradict it.",
            *(evidence_note(last) if role == self.role else ()),
        )
        spoken = await desk.voice.say(role, prompt, step=desk.step, tier=tier)
        draft.spend += spoken.spend
        if reason := abstained(spoken):
            draft.abstained = reason
            return None
        code, fault = block_of(spoken, ("python", "py", "python3"))
        if fault:
            draft.fault = f"{role}: {fault}"
            return None
        draft.artifacts.append(
            await desk.keep(f"{desk.step}_{role}.py", "text/x-python", code.encode("utf-8"))
        )
        case = {"csv": source.table.as_case(), "claim_code": code, "text": request.claim}
        kept = await keep_case(
            {"kind": "table_claim", **case}, f"{desk.step}.{role}.json", desk.keep
        )
        reruns["rerun" if role == self.role else f"rerun_{role}"] = kept.pop("rerun")
        reruns.update(kept)
        return await desk.bench.program("table_claim", case)
