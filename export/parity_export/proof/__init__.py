"""What a certified graph says: of the gate's probes, of the rows of a table, in a picture."""
