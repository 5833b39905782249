"""Weights of about two megabytes that say what a script says, for trying real model servers."""
