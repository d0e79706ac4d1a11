"""Backwards from the margin: how much of every operator's own roundings reaches a logit, or a difference of two."""
