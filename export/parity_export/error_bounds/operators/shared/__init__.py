"""Mathematics that several operators' rules share."""
