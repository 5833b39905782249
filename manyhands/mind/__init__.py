"""The mind: frame, plan, controller, condense, answer."""
