"""Types of the arrays that all of the analysis works on."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
NameArray = NDArray[np.object_]
