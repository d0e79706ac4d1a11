"""Rows of a file, some at a time: CSV, JSON Lines, .npy, and with the [tables] extra Parquet and Arrow."""
