"""Machine evidence: model-written work is run, in a sandbox, and what happened is reported."""
