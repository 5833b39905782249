"""Effects and approvals: what may happen outside a run, and who was asked."""
