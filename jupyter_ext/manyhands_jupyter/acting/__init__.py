"""Acting on the notebook: cells that an answer proposes, put in by the user, run after approval."""
