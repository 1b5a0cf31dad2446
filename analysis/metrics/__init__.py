"""Metrics: what a set of predictions is worth, computed from one tally of it.

Importing this package registers all of them.
"""

# In the order in which results show them.
# isort: off
from rarecall.analysis.metrics import by_class
from rarecall.analysis.metrics import scores
from rarecall.analysis.metrics import agreement
from rarecall.analysis.metrics import areas
from rarecall.analysis.metrics import constraints
from rarecall.analysis.metrics import rates

# isort: on

__all__ = ["agreement", "areas", "by_class", "constraints", "rates", "scores"]
