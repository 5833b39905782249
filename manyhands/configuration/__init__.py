"""Settings in parts: models, profiles, reading files and variables, a first file."""
