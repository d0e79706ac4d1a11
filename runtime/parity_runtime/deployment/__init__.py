"""What other servers need to serve packages: their configurations, written from the contract."""
