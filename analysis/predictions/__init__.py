"""Predictions: the label space, arrays of true and predicted labels, and the files that hold them."""
