"""The command line: ``parity``."""
