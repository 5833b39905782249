"""Scripts that run inside the sandbox with the hands' own Python; the package is not there."""
