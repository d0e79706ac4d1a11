"""How good a package's predictions are, and how fast."""
