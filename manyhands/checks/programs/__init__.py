"""Checks of programs, charts and table claims: each runs the thing and returns its evidence."""
