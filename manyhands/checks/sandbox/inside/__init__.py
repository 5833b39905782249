"""Stdlib-only programs that run on the other side of the fence."""
