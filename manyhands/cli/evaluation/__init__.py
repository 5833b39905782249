"""`manyhands eval`: a small task set that measures what only your own models can show."""
