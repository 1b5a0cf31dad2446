"""Exported folders: written, read back, and predicting."""
