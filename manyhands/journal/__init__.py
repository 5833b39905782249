"""The append-only record of every run, its events and its artifacts."""
