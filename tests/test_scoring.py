"""Signs become a fit, and fits become probabilities, whatever the embedder."""

import json
from pathlib import Path

import numpy as np
import pytest

from knowledge import scoring
from knowledge.scoring import RELATIONS, Circumstances, Signs, Weights, confidence, fits, probability, weights_for

FAMILIES = ["all-MiniLM-L6-v2@1", "bilingual@1", "intfloat/multilingual-e5-small", "fake-64", None]
NOTHING = Signs(*[0.0] * len(Signs._fields))
STRONG = Circumstances(dense=7, above=7, words=0.6, pieces=0.6, above_crowd=8, agreement=1, length=2, across=0)
WEAK = Circumstances(dense=2, above=2, words=0.05, pieces=0.1, above_crowd=0.5, agreement=0, length=2, across=0)


def test_it_works() -> None:
    weights = weights_for("bilingual@1")
    near, far = NOTHING._replace(dense=6, words=0.5, words_of_best=1), NOTHING._replace(dense=2)
    good, bad = fits(np.array([near, far]), ["fi", "fi"], weights)
    assert good > bad
    assert 0 < probability(bad, weights) < probability(good, weights) < 1
    assert 0 < confidence(WEAK, weights) < 0.5 < confidence(STRONG, weights) < 1


@pytest.mark.parametrize("embedder", FAMILIES)
def test_every_embedder_has_sane_weights(embedder: str | None) -> None:
    """More of anything that speaks for a passage never lowers its fit, and evidence never lowers confidence."""
    weights = weights_for(embedder)
    for relation in RELATIONS:
        for sign in ("dense", "words", "pieces", "codes", "words_of_best", "pieces_of_best"):
            assert getattr(weights.fit[relation], sign) >= 0
    assert confidence(STRONG, weights) > scoring.ANSWERABLE > confidence(WEAK, weights)


def test_words_alone_leave_no_weight_on_vectors() -> None:
    assert all(weights_for(None).fit[relation].dense == 0 for relation in RELATIONS)


def test_no_candidates() -> None:
    assert len(fits(np.empty((0, len(Signs._fields))), [], weights_for("x"))) == 0
    assert scoring.above_crowd([]) == 0.0
    assert scoring.above_crowd([3.0]) == 3.0


def test_far_numbers_stay_probabilities() -> None:
    weights = Weights(dict.fromkeys(RELATIONS, NOTHING), (1.0, 0.0), WEAK, 0.0)
    assert probability(1e9, weights) == pytest.approx(1)
    assert probability(-1e9, weights) == pytest.approx(0)


def test_the_file_names_signs_that_there_are() -> None:
    document = json.loads((Path(scoring.__file__).parent / "scoring.json").read_text(encoding="utf-8"))
    for family in document["families"].values():
        assert family["answer"]["signs"].keys() <= set(Circumstances._fields)
        assert all(family["fit"][relation].keys() <= set(Signs._fields) for relation in RELATIONS)
