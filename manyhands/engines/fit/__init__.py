"""What fits into a machine's memory: arithmetic over a model's shape, and reading the machine."""
