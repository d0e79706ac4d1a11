"""Which labels survive a lower precision: the graph that is computed in it, and what its roundings are bounded by."""
