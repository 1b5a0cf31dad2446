"""Training the best trials again: on other folds and seeds, and on all rows."""
