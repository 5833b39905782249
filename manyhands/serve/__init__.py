"""The one process that owns the models of a machine."""
