"""Probabilities that say how often they are right: measured, mended, shifted to other prevalences, and used."""
