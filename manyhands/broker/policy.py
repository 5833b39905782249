"""The decision about an effect: a pure function of tool, arguments, origins and approvals.

It never looks at what a text says. A sentence in a file that claims an approval changes nothing:
only its origin counts, and that is set by the code which put the text into the context.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from manyhands.broker.contracts import Decision, Effect, Origin, Rule, Verdict

__all__ = ["Approvals", "decide"]


@dataclass(frozen=True, slots=True)
class Approvals:
    """What a person has approved.

    Attributes:
        digests: of single effects with their exact arguments.
        tools: for the session; they count only while nothing from outside is in the context.
    """

    digests: frozenset[str] = field(default_factory=frozenset)
    tools: frozenset[str] = field(default_factory=frozenset)


def decide(
    effect: Effect,
    origins: Collection[Origin],
    rules: Mapping[str, Rule],
    approvals: Approvals,
) -> Decision:
    """Whether an effect may happen.

    Args:
        origins: where the text came from that was in the context when the effect was proposed.
        rules: tool -> rule; a tool without a rule is asked about.
    """
    rule = rules.get(effect.tool, Rule.ASK)
    if rule is Rule.NEVER:
        return Decision(Verdict.DENY, f"the settings forbid {effect.tool}")
    if effect.digest in approvals.digests:
        return Decision(Verdict.ALLOW, "a person approved exactly this")
    if Origin.OUTSIDE in origins:
        return Decision(Verdict.ASK, "text from outside was in the context", session=False)
    if rule is Rule.TRUSTED:
        return Decision(Verdict.ALLOW, "nothing from outside was in the context")
    if effect.tool in approvals.tools:
        return Decision(Verdict.ALLOW, f"a person approved {effect.tool} for this session")
    return Decision(Verdict.ASK, f"the settings say to ask before {effect.tool}")
