import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import rarest_label
from rarecall.losses import LabelFacts
from rarecall.trainables.config import TrainingConfig, TrialConfig
from rarecall.trainables.imbalance.label_density import label_density
from rarecall.trainables.training.mitigation import epoch_rows, mitigation

TIERS = ("vaporware", "pilot", "early_commercial", "deployed_proven")
SPACE = LabelSpace(TIERS, minority=TIERS[1:])
CLASSES = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [1519, 202, 125, 26]))
LABELS = LabelSpace(("anger", "rage", "joy"), minority=("rage", "joy"), multilabel=True)


def training(**settings):
    return TrainingConfig.model_validate(settings)


def test_the_technology_filter():
    amounts = mitigation(CLASSES, SPACE, training(oversampling={"ratio": 0.2}, class_weights={"scheme": "inverse"}))
    # 0.2 · 1519 = 303.8; 1519 / 303 = 5.0132
    assert amounts.table(TIERS) == {
        "vaporware": {"rows": 1519, "sampled": 1519, "weight": 1.0},
        "pilot": {"rows": 202, "sampled": 303, "weight": 5.0132},
        "early_commercial": {"rows": 125, "sampled": 303, "weight": 5.0132},
        "deployed_proven": {"rows": 26, "sampled": 303, "weight": 5.0132},
    }
    assert amounts.epoch_length == 1519 + 3 * 303
    np.testing.assert_array_equal(amounts.row_weights, amounts.weights[CLASSES])
    # What a row of the rarest tier counts in an epoch: it comes 303 / 26 times, at 5.0132 each.
    assert amounts.mass[CLASSES == 3] == pytest.approx(303 / 26 * 1519 / 303)


def test_the_table_tells_which_weights_are_capped():
    table = mitigation(CLASSES, SPACE, training(class_weights={"scheme": "inverse"})).table(TIERS)
    # 1519 / 202 = 7.5198; 12.2 and 58.4 are above 10.
    assert table["pilot"] == {"rows": 202, "sampled": 202, "weight": 7.5198}
    assert table["deployed_proven"] == {"rows": 26, "sampled": 26, "weight": 10.0, "capped": True}


def test_a_weight_by_name_is_not_capped():
    settings = {"scheme": "inverse", "values": {"deployed_proven": 15.0}, "cap": 3.0}
    amounts = mitigation(CLASSES, SPACE, training(class_weights=settings))
    assert amounts.weights.tolist() == [1, 3, 3, 15]
    assert amounts.capped.tolist() == [False, True, True, False]


def test_weights_follow_the_counts_that_are_expected_of_weighted_sampling():
    amounts = mitigation(
        CLASSES, SPACE, training(weighted_sampling={"strength": 1.0}, class_weights={"scheme": "balanced"})
    )
    # 1872 / 4 = 468 of each, which leaves nothing to weigh up.
    assert amounts.sampled.tolist() == [468] * 4
    assert amounts.weights == pytest.approx([1, 1, 1, 1])
    assert amounts.epoch_length == 1872


@pytest.mark.parametrize("settings", [{}, {"oversampling": {"ratio": 0.37}}, {"weighted_sampling": {"strength": 0.6}}])
@given(counts=st.lists(st.integers(0, 50), min_size=2, max_size=4).filter(any))
def test_an_epoch_has_the_rows_that_are_told(settings, counts):
    classes = np.repeat(np.arange(len(counts)), counts)
    names = TIERS[: len(counts)]
    space = LabelSpace(names, minority=names[1:])
    amounts = mitigation(classes, space, training(**settings))
    assert amounts.epoch_length == len(epoch_rows(classes, space, training(**settings), epoch=3))
    assert amounts.sampled.sum() == pytest.approx(amounts.epoch_length)


def some_labels():
    """100 rows: 60 of anger, of which 5 are rage too, 20 of joy, and 20 without any."""
    labels = np.zeros((100, 3), dtype=bool)
    labels[:60, 0] = labels[:5, 1] = labels[60:80, 2] = True
    return labels


def test_several_labels_have_weights_of_their_own_and_rows_weigh_alike():
    labels = some_labels()
    settings = training(class_weights={"scheme": "balanced", "values": {"rage": 10.0}, "cap": 3.0})
    amounts = mitigation(rarest_label(labels), LABELS, settings, labels=labels)
    # 40 / 60 = 0.6667, by name, and 80 / 20 = 4 is above 3.
    assert amounts.table(LABELS.classes) == {
        "anger": {"rows": 60, "sampled": 60, "weight": 0.6667},
        "rage": {"rows": 5, "sampled": 5, "weight": 10.0},
        "joy": {"rows": 20, "sampled": 20, "weight": 3.0, "capped": True},
    }
    assert amounts.row_weights.tolist() == [1] * 100
    facts = amounts.facts(implications=((1, 0),), exclusions=((0, 2),))
    assert facts.weights == pytest.approx((40 / 60, 10, 3))
    assert facts == LabelFacts((60.0, 5.0, 20.0), facts.weights, ((1, 0),), ((0, 2),))


def test_several_labels_are_oversampled_by_the_rarest_of_a_row():
    labels = some_labels()
    settings = training(oversampling={"ratio": 0.5})
    amounts = mitigation(rarest_label(labels), LABELS, settings, labels=labels)
    # 55 rows have anger for their rarest label, 5 rage, 20 joy and 20 none: rage and joy grow to floor(27.5) = 27, and
    # with its rage every row of it brings anger: 55 + 27.
    assert amounts.sampled.tolist() == [82, 27, 27]
    assert amounts.epoch_length == 55 + 27 + 27 + 20
    rows = epoch_rows(rarest_label(labels), LABELS, settings, epoch=1)
    assert labels[rows].sum(0).tolist() == [82, 27, 27]


def test_losses_are_told_of_counts_but_not_of_weights_that_rows_have_already():
    amounts = mitigation(CLASSES, SPACE, training(oversampling={"ratio": 0.2}, class_weights={"strength": 1.0}))
    assert amounts.facts() == LabelFacts((1519.0, 303.0, 303.0, 303.0))


def test_rows_weigh_by_the_density_of_their_scores():
    scores = np.random.default_rng(1).gamma(1.5, 1.5, (1872, 2))
    settings = {"scheme": "label_density", "cap": 3.0, "values": {"pilot": 2.5}}
    amounts = mitigation(CLASSES, SPACE, training(class_weights=settings), scores=scores)
    free = label_density(scores, np.ones(1872))
    assert free.max() > 3
    named = CLASSES == 1
    np.testing.assert_array_equal(amounts.row_weights[~named], np.minimum(free, 3)[~named])
    assert (amounts.row_weights[named] == 2.5).all()
    assert amounts.weights[0] == pytest.approx(np.minimum(free, 3)[CLASSES == 0].mean())
    assert amounts.capped.tolist() == [free[tier == CLASSES].max() > 3 and tier != 1 for tier in range(4)]


def test_density_without_scores_and_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"training.class_weights.scheme: label_density weighs rows by their scores"):
        mitigation(CLASSES, SPACE, training(class_weights={"scheme": "label_density"}))
    with pytest.raises(ValueError, match=r"training.class_weights.values: must name .* got \['deployed'\]"):
        mitigation(CLASSES, SPACE, training(class_weights={"values": {"deployed": 2.0}}))


@pytest.mark.parametrize(
    ("task", "section", "message"),
    [
        (
            {"kind": "multiclass"},
            {"scheme": "label_density"},
            "training.class_weights.scheme: label_density weighs rows by their scores, and a task of kind multiclass",
        ),
        (
            {"kind": "multiclass", "classes": ["a", "b"]},
            {"values": {"c": 2.0}},
            r"training.class_weights.values: must name some of \['a', 'b'\], got \['c'\]",
        ),
        ({"kind": "multiclass"}, {"scheme": "blanced"}, r"must be one of \['balanced', .*, 'power'\], got 'blanced'"),
        ({"kind": "multiclass"}, {"values": {"c": 0.0}}, "greater than 0"),
    ],
)
def test_faults_are_found_before_the_data_are_read(task, section, message):
    trial = {"data": {"path": "rows.csv"}, "task": task, "training": {"class_weights": section}}
    with pytest.raises(ValidationError, match=message):
        TrialConfig.model_validate(trial)
