"""Outcomes of checked steps, and what is learned from them."""
