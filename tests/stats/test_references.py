"""References without truth, by hand."""

import numpy as np
import pytest

from icsilib.stats import references


def square(x, side=20, at=10):
    mask = np.zeros((40, 60), bool)
    mask[at : at + side, x : x + side] = True
    return mask


def test_leaving_one_out_never_sees_that_person():
    masks = np.stack([square(10), square(10), square(10), square(30)])
    found = references.leave_one_out(masks)
    np.testing.assert_array_equal(found[3], square(10))
    np.testing.assert_array_equal(found[0], square(10))
    changed = masks.copy()
    changed[0] = square(38)
    np.testing.assert_array_equal(references.leave_one_out(changed)[0], found[0])
    with pytest.raises(ValueError, match="at least 3 people"):
        references.leave_one_out(masks[:2])


def test_people_and_model_face_the_same_judges():
    people, model = np.stack([square(10), square(10), square(12)]), square(10)
    human, machine = references.against_majority(model, people)
    # the majority of two is what both hold: columns 12 to 30 of the first two, or the first square
    assert human == pytest.approx([18 / 20, 18 / 20, 18 / 22])
    assert machine == pytest.approx(np.mean([18 / 20, 18 / 20, 1]))
