"""What is exported: a run or a torch module, its inputs, and what its outputs mean."""
