"""The largest confusions: of many classes the few pairs that matter."""

import numpy as np

from rarecall.analysis.arrays import IntArray

LISTED = 15


def largest(counts: IntArray) -> list[tuple[int, int, int]]:
    """Rows, true class and predicted class of the largest confusions of a matrix [classes, classes].

    >>> largest(np.array([[9, 0, 2], [3, 5, 0], [0, 0, 1]]))
    [(3, 1, 0), (2, 0, 2)]
    """
    wrong = counts * (1 - np.eye(len(counts), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:LISTED]
    places = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [(int(wrong[true, one]), int(true), int(one)) for true, one in places if wrong[true, one]]
