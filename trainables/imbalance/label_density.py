"""Label distribution smoothing: weights for rows whose scores are rare, where there are no classes to count."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve1d

from rarecall.analysis.arrays import FloatArray
from rarecall.trainables.imbalance.schemes import register

# As in the authors' code: ages in bins of a year, about a hundred of them, a kernel of five bins, σ of two.
BINS = 100
KERNEL_RADIUS = 2
KERNEL_SIGMA = 2.0


@register("label_density", by_row=True)
@dataclass(frozen=True)
class LabelDensity:
    """One over the smoothed density of a row's scores: see `label_density`."""

    def __call__(self, scores: FloatArray, times: FloatArray) -> FloatArray:
        return label_density(scores, times)


def label_density(scores: FloatArray, times: FloatArray) -> FloatArray:
    """Row weights [n], mean 1: the inverse of the smoothed density of a row's scores (LDS, Yang et al. 2021).

    arXiv 2102.09554, section 3. The scores [n, dimensions] of each dimension are counted in 100 bins between its lowest
    and its highest, each row as often as it comes in an epoch (`times` [n], at least one above 0), and smoothed with a
    Gaussian kernel of 5 bins, σ = 2 bins. Rows weigh one over the smoothed count, scaled to a mean of 1 over the epoch,
    and then the mean over the dimensions.

    Nine scores of 0 and one of 10, too far apart for the kernel: 1/9 and 1, whose mean over the ten rows is 0.2:

    >>> label_density(np.array([[0.0]] * 9 + [[10.0]]), np.ones(10)).round(4)[[0, 9]]
    array([0.5556, 5.    ])
    """
    return np.asarray(np.mean([_of_dimension(column, times) for column in scores.T], axis=0))


def _of_dimension(scores: FloatArray, times: FloatArray) -> FloatArray:
    low, high = scores.min(), scores.max()
    width = (high - low) / BINS or 1.0
    bins = np.minimum((scores - low) / width, BINS - 1).astype(np.int64)
    counts = np.bincount(bins, weights=times, minlength=BINS)
    density = convolve1d(counts, _kernel(), mode="constant")[bins]
    weights = 1 / density
    return np.asarray(weights / np.average(weights, weights=times))


def _kernel() -> FloatArray:
    """Gaussian, 1 in the middle."""
    offsets = np.arange(-KERNEL_RADIUS, KERNEL_RADIUS + 1)
    return np.asarray(np.exp(-(offsets**2) / (2 * KERNEL_SIGMA**2)))
