"""Test vectors of a package, and their replay on the machine at hand."""
