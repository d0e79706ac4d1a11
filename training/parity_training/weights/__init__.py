"""state_dicts on disk, read without running code."""
