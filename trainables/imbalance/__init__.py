"""Imbalance: sampling, class weights and the density of scores, as arrays of counts and weights.

Importing this package registers all weighting schemes and samplers.
"""

from rarecall.trainables.imbalance import class_weights, label_density, sampling

__all__ = ["class_weights", "label_density", "sampling"]
