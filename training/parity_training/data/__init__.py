"""Data to train on: the notebook's XOR, and tables."""
