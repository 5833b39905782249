"""Declared profiles: how large and how fast the rehearsed machine is. All figures are simulated."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CARD_48", "CARD_80", "ZERO", "Profile"]

GB = 1000**3


@dataclass(frozen=True, slots=True)
class Profile:
    """A machine.

    Attributes:
        vram: bytes; 0 means without bound.
        load_gb_s: GB of weights read in a second; 0 means at once.
        fixed_load_s: of every load, on top.
        prefill_tok_s, decode_tok_s: tokens in a second; 0 means at once.
        clock_scale: simulated seconds are multiplied by this before they are waited for.
        max_loaded: Ollama's OLLAMA_MAX_LOADED_MODELS.
    """

    name: str
    vram: int = 0
    load_gb_s: float = 0.0
    fixed_load_s: float = 0.0
    prefill_tok_s: float = 0.0
    decode_tok_s: float = 0.0
    clock_scale: float = 1.0
    max_loaded: int = 3

    def load_s(self, size: int) -> float:
        """Simulated seconds to load weights of `size` bytes."""
        reading = size / GB / self.load_gb_s if self.load_gb_s else 0.0
        return self.fixed_load_s + reading

    def prefill_s(self, tokens: int) -> float:
        return tokens / self.prefill_tok_s if self.prefill_tok_s else 0.0

    def decode_s(self, tokens: int) -> float:
        return tokens / self.decode_tok_s if self.decode_tok_s else 0.0


#: No delay anywhere: for tests, the demo, and measuring our own overhead.
ZERO = Profile("zero")
#: A 48 GB card with cold NVMe.
CARD_48 = Profile("48 GB, 3 GB/s", 48 * GB, 3.0, 2.5, 1500.0, 40.0)
#: An 80 GB card with weights in the page cache.
CARD_80 = Profile("80 GB, 10 GB/s", 80 * GB, 10.0, 2.5, 3000.0, 60.0)
