"""Reading files into memories: which files, what pieces, and what has changed since."""
