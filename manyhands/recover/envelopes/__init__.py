"""The wrappings in which models write calls, one family per module."""
