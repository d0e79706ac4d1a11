"""Euclidean norms of errors, beside the errors of the elements: what a deep network does not multiply up."""
