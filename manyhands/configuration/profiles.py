"""Which base models a machine of a given size runs: the defaults behind each profile."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

__all__ = ["PROFILES", "PROFILE_NOTES", "VISION_EXAMPLE", "VISION_WINDOW", "Profile"]


class Profile(StrEnum):
    """A size of machine."""

    FULL = "full"
    WORKSTATION = "workstation"
    LAPTOP = "laptop"
    TINY = "tiny"


PROFILE_NOTES: Final[dict[Profile, str]] = {
    Profile.FULL: "a GPU of 80 GB or more: 30B mind, 70B expert, 235B heavy",
    Profile.WORKSTATION: "a GPU of 24 to 48 GB: 30B mind, 32B expert, 70B heavy",
    Profile.LAPTOP: "16 GB of memory: 8B mind, 14B expert and heavy",
    Profile.TINY: "a CPU and 8 GB of memory: 1.7B mind, 4B expert and heavy",
}

#: On the CPU (`num_gpu` 0): a load with it evicts nothing from the GPU.
_EMBED: Final = {"model": "embeddinggemma:300m", "num_ctx": 2048, "num_gpu": 0}

#: No profile has a tier `vision`: it is off until it names a model. One picture within our bound
#: is about 1,300 tokens (`hands.reviewing`), and 4,096 were too few for a photograph as it is.
VISION_WINDOW: Final = 8192
#: What the settings file and the shipped Modelfile name as an example.
VISION_EXAMPLE: Final = {"model": "qwen2.5vl:7b", "num_ctx": VISION_WINDOW}

#: Profile -> tier -> settings. Tiers that name one model name one `num_ctx` as well.
PROFILES: Final[dict[Profile, dict[str, dict[str, Any]]]] = {
    Profile.FULL: {
        "mind": {"model": "qwen3:30b-a3b", "num_ctx": 32768, "think": True},
        "expert": {"model": "llama3.3:70b", "num_ctx": 16384},
        "heavy": {"model": "qwen3:235b-a22b", "num_ctx": 16384, "think": True},
        "embed": _EMBED,
    },
    Profile.WORKSTATION: {
        "mind": {"model": "qwen3:30b-a3b", "num_ctx": 16384, "think": True},
        "expert": {"model": "qwen3:32b", "num_ctx": 16384, "think": True},
        "heavy": {"model": "llama3.3:70b", "num_ctx": 8192},
        "embed": _EMBED,
    },
    Profile.LAPTOP: {
        "mind": {"model": "qwen3:8b", "num_ctx": 16384, "think": True},
        "expert": {"model": "qwen3:14b", "num_ctx": 12288, "think": True},
        "heavy": {"model": "qwen3:14b", "num_ctx": 12288, "think": True},
        "embed": _EMBED,
    },
    Profile.TINY: {
        "mind": {"model": "qwen3:1.7b", "num_ctx": 8192, "think": True},
        "expert": {"model": "qwen3:4b", "num_ctx": 8192, "think": True},
        "heavy": {"model": "qwen3:4b", "num_ctx": 8192, "think": True},
        "embed": _EMBED,
    },
}
