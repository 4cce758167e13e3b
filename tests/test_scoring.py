"""Signs become a fit, and fits become probabilities, whatever the embedder."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from knowledge import scoring
from knowledge.scoring import (
    ANSWERABLE,
    RELATIONS,
    Circumstances,
    Signs,
    circumstances,
    confidence,
    fits,
    probability,
    weights_for,
)

FAMILIES = ["all-MiniLM-L6-v2@1", "bilingual@1", "intfloat/multilingual-e5-small", "fake-64", None]
NOTHING = Signs(*[0.0] * len(Signs._fields))
STRONG = Circumstances(level=6, pieces=0.6, above_crowd=10, length=2)
WEAK = Circumstances(level=1, pieces=0.05, above_crowd=1, length=2)


def test_it_works() -> None:
    weights = weights_for("bilingual@1")
    near, far = NOTHING._replace(dense=6, words=0.5, words_of_best=1), NOTHING._replace(dense=2)
    good, bad = fits(np.array([near, far]), ["fi", "fi"], weights)
    assert good > bad
    sure = confidence(STRONG, "fi", weights)
    assert 0 < confidence(WEAK, "fi", weights) < ANSWERABLE < sure < 1
    assert 0 < probability(bad, good, sure) < probability(good, good, sure) == sure


@pytest.mark.parametrize("embedder", FAMILIES)
def test_every_embedder_has_sane_weights(embedder: str | None) -> None:
    """More of anything that speaks for a passage never lowers its fit, and evidence never lowers confidence."""
    weights = weights_for(embedder)
    for relation in RELATIONS:
        assert min(weights.fit[relation]) >= 0
        assert min(weights.answer[relation]) >= 0
        assert confidence(STRONG, relation, weights) > ANSWERABLE > confidence(WEAK, relation, weights)


def test_words_alone_leave_no_weight_on_vectors() -> None:
    assert all(weights_for(None).fit[relation].dense == 0 for relation in RELATIONS)


def test_what_tells_whether_there_is_an_answer() -> None:
    """The next few may be the same answer again, so those after them are the crowd; few candidates say no more."""
    fits_in_order = [9.0, 8.9, 8.8, 8.7, 8.6, 2.0, 1.0, 0.0]
    assert circumstances("two words", 5.0, 0.4, fits_in_order) == pytest.approx((5.0, 0.4, 8.0, math.log(3)))
    assert circumstances("", 5.0, 0.4, [99.0]).above_crowd == scoring.MOST_ABOVE


def test_no_candidates() -> None:
    assert len(fits(np.empty((0, len(Signs._fields))), [], weights_for("x"))) == 0


def test_far_numbers_stay_probabilities() -> None:
    weights = replace(weights_for("x"), offset=dict.fromkeys(RELATIONS, 1e9))
    assert confidence(STRONG, "en", weights) == pytest.approx(1)
    assert confidence(STRONG, "en", replace(weights, offset=dict.fromkeys(RELATIONS, -1e9))) == pytest.approx(0)
    assert probability(5.0, 1.0, 0.9) == 0.9


def test_the_file_names_signs_that_there_are() -> None:
    document = json.loads((Path(scoring.__file__).parent / "scoring.json").read_text(encoding="utf-8"))
    for family in document["families"].values():
        assert all(family["answer"][relation].keys() <= set(Circumstances._fields) for relation in RELATIONS)
        assert all(family["fit"][relation].keys() <= set(Signs._fields) for relation in RELATIONS)
