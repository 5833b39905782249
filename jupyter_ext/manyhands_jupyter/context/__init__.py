"""What the mind is told about a notebook: variables, cells, outputs, within a token budget."""
