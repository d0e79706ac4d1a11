"""A file an operator, each with its `OPERATOR`; what several rules share stands in `shared`."""
