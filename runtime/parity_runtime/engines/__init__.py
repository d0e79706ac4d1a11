"""What scoring on a cluster needs on its workers, whatever the engine."""
