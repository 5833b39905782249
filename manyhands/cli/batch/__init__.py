"""Many tasks from one file: grouped by model, resumable, one result line for each."""
