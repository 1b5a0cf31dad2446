"""An exported model at work."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from rarecall.analysis.criteria.decision import Decision
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.plugins.stored import trusting
from rarecall.evaluation import Evaluation
from rarecall.html import table_page
from rarecall.search.predict.frame import FramePredictor
from rarecall.search.predict.table import LABEL, REVIEW
from rarecall.search.review.facts import known_decision, known_facts


class Model:
    """A folder that `export` wrote, loaded once. Labels are those of `rarecall predict`.

    Rows are a DataFrame, a `datasets.Dataset` or a list of dicts with the columns that the model was trained on, or a
    list of texts. Answers keep their order, and the index of a DataFrame.

    Raises:
        InputError: the folder is not one that the export wrote.
        RunError: the model does not load.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._predictor = FramePredictor(self.folder)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, tiers, grades or labels, in their order."""
        return tuple(self._predictor.task.label_space.classes)

    @property
    def decision(self) -> Decision | None:
        """Whether to ship it, by the test split: `outcome` is "ship", "do not ship" or "label more rows".

        Its text is the reason. None where the experiment has no criteria, or no test split was opened.
        """
        return known_decision(self.folder)

    def predict(self, rows: Any) -> pd.Series:
        """The label of each row; where a row may have several, the list of them."""
        return self._predictor.table(rows)[LABEL]

    def predict_proba(self, rows: Any, prevalence: Mapping[str, float] | None = None) -> pd.DataFrame:
        """The calibrated probability of each class, one column each.

        prevalence: how frequent classes are where the rows come from, such as `{"threat": 0.002}`; by default as among
        the validation rows.

        Raises:
            InputError: the task has scores and no probabilities, or a share cannot be.
        """
        return self._columns(rows, "probability.", "probabilities", "scores", prevalence)

    def review(self, rows: Any, *abstain: str) -> pd.Series:
        """The classes that each row may be of though it is not named so: rows that a person should look at.

        abstain: wanted recalls, such as `recall[threat] >= 0.95`. Each list is empty for rows that need nobody.

        Raises:
            InputError: a recall cannot be, or the export has no validation predictions.
        """
        if not abstain:
            raise InputError("review", [Fault("abstain", "must name a recall, such as `recall[threat] >= 0.95`")])
        return self._predictor.table(rows, abstain=abstain)[REVIEW]

    def scores(self, rows: Any) -> pd.DataFrame:
        """The score of each dimension and the overall score, one column each.

        Raises:
            InputError: the task has no scores.
        """
        return self._columns(rows, f"{LABEL}.", "scores", "predict_proba")

    def evaluate(self, rows: Any) -> Evaluation:
        """What the model is worth on labelled rows, by the criteria of its experiment."""
        return Evaluation(self._predictor.judged(rows))

    def _columns(
        self, rows: Any, prefix: str, what: str, other: str, prevalence: Mapping[str, float] | None = None
    ) -> pd.DataFrame:
        table = self._predictor.table(rows, prevalence)
        columns = {name: name.removeprefix(prefix) for name in table.columns if name.startswith(prefix)}
        if not columns:
            rule = f"a {self._predictor.task.kind} task has no {what}"
            raise InputError(str(self.folder), [Fault("model", rule, remedy=f"call {other}()")])
        return table[list(columns)].rename(columns=columns)

    def __repr__(self) -> str:
        return f"Model({str(self.folder)!r}: {', '.join(self.classes)})"

    def _repr_html_(self) -> str:
        return table_page(str(self.folder), [("Measured", known_facts(self.folder))])


def load_model(folder: str | os.PathLike[str], *, trust_plugins: bool = False) -> Model:
    """Open a folder that `export` wrote; raises as `Model` does.

    trust_plugins: run the plugins that the folder brings, whoever wrote them; otherwise a RunError names them.
    """
    with trusting(trust_plugins):
        return Model(folder)
