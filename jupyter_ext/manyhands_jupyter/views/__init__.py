"""One run, three views: a live panel, text that changes in place, and printed lines."""
