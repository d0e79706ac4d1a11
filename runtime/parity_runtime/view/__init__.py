"""A package on a page of this machine's browser: what ``parity view`` serves, on loopback alone."""
