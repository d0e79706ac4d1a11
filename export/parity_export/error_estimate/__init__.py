"""How far answers probably are from the exact ones: an estimate, no proof, for networks that no bound speaks of."""
