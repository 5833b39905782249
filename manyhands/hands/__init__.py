"""The typed contracts and the four hands."""
