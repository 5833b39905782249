"""Approvals and effects: what may happen, asked of whom."""
