"""A data file and one trial configuration in; epoch results and checkpoints out. Ray is imported in `slot` only."""
