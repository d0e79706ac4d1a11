"""A run or a package as a page that a person reads: one file, which loads nothing."""
