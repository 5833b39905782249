"""Which model runs next on a GPU: the decision is pure, the effects are outside."""
