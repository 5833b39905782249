"""Memory: what was worked out, found again, forgotten when told."""
