"""The label profile of a data set: how rare its classes are."""
