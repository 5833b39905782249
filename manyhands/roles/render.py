"""A role and its tier as a Modelfile: pure, so that the shipped files can be compared with it."""

from __future__ import annotations

from pathlib import Path

from manyhands.configuration.model import Settings, Tier, TierSettings
from manyhands.configuration.profiles import VISION_EXAMPLE, Profile
from manyhands.errors import RoleError
from manyhands.roles.model import NOT_A_ROLES, Role, model_name
from manyhands.roles.modelfile import Modelfile, ParameterValue

__all__ = ["check_role_modelfile", "modelfile_text", "render", "shipped_settings"]


def shipped_settings() -> Settings:
    """The settings that the shipped Modelfiles are rendered for: profile `full`, and its models.

    The tier `vision`, which no profile has, is the example of the settings file.
    """
    return Settings.model_validate(
        {"profile": Profile.FULL, "tiers": {Tier.VISION: VISION_EXAMPLE}}
    )


def render(role: Role, tier: TierSettings, adapter: Path | None = None) -> Modelfile:
    """The Modelfile of a role on its tier's base model.

    Runner options come from the tier alone. There is no TEMPLATE, RENDERER or PARSER: with one,
    the server would start the base in a way that breaks tool calls of the other roles on it.

    Args:
        adapter: the role's adapter file, found; the role's own text when None.
    """
    parameters: dict[str, ParameterValue] = dict(sorted(tier.runner_options().items()))
    parameters["num_predict"] = role.num_predict
    for name, value in sorted(role.sampling_options().items()):
        parameters[name] = tuple(value) if isinstance(value, list) else value
    return Modelfile(
        bases=(tier.model,),
        parameters=parameters,
        system=role.prompt,
        messages=tuple(role.examples()),
        adapter=str(adapter) if adapter else role.adapter,
    )


def modelfile_text(role: Role, tier: TierSettings) -> str:
    """The text of `Modelfile/<role>.Modelfile`."""
    head = (
        f"# {role.title}: {role.summary}\n"
        f"# Rendered from roles/{role.name}.toml for tier {role.tier}. After a change there, run:\n"
        "#   manyhands roles render\n"
        f"# By hand: ollama create {model_name(role.name)} -f {role.name}.Modelfile\n\n"
    )
    return head + str(render(role, tier))


def check_role_modelfile(found: Modelfile, role: Role, tier: TierSettings, name: str) -> None:
    """Refuse a Modelfile that would make switching between roles reload the weights.

    Raises:
        RoleError: it differs in runner options from its tier, or sets TEMPLATE, RENDERER, PARSER.
    """
    for word in ("template", "renderer", "parser"):
        if getattr(found, word):
            raise RoleError(
                f"{name}: a role must not set {word.upper()}: {NOT_A_ROLES[word]}.",
                hint=f"Remove it, or run: manyhands roles render {role.name}",
            )
    wanted = tier.runner_options()
    runner = {key for key, why in NOT_A_ROLES.items() if why == NOT_A_ROLES["num_ctx"]}
    for key in sorted(runner | wanted.keys()):
        if found.parameters.get(key) != wanted.get(key):
            raise RoleError(
                f"{name}: {key} is {found.parameters.get(key, 'not set')}, but tier {role.tier} "
                f"has {wanted.get(key, 'none')}: roles on one base that differ in it reload the "
                "weights at every switch.",
                hint=f"Run: manyhands roles render {role.name}",
            )
