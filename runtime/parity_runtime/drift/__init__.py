"""How the rows of a table differ from the rows that a model was trained on."""
