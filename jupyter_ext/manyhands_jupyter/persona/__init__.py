"""The mind as a persona of Jupyter AI's chat."""

from __future__ import annotations

from manyhands_jupyter.persona.persona import MindPersona

__all__ = ["MindPersona"]
