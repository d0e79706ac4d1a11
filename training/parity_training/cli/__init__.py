"""The commands ``parity train`` and ``parity plot``."""
