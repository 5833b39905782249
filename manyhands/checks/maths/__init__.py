"""Mathematical checks: expressions read by an allow-list, compared by ball arithmetic."""
