"""Prediction: files of any size through an exported model."""
