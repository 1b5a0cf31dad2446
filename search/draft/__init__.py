"""A first experiment for a file of labelled rows: what its columns are, and what its rows can decide."""
