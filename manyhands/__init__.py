"""One mind, many hands: local models whose answers are run and checked."""
