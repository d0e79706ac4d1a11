"""A package's model at work: the predictor, its session, what goes in and what comes out."""
