"""A small HTTP server of our own, and the checks in front of one that listens on this machine."""
