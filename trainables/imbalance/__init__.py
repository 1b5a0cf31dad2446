"""Imbalance: sampling, class weights and the density of scores, as arrays of counts and weights."""
