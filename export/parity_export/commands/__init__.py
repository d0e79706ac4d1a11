"""The command ``parity export``."""
