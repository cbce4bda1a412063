import torch

from icsilib.segmentation.dsnt import dsnt, tip_confidence
from icsilib.segmentation.experiments import fit_heatmap, receptive_field
from icsilib.segmentation.settings import Settings


def test_js_makes_the_heatmap_compact_and_the_euclidean_term_alone_does_not():
    tip = (0.4, -0.3)
    alone, both = (fit_heatmap(tip, 1.0, lambda2, steps=600)[None] for lambda2 in (0.0, 1.0))
    for heatmap in (alone, both):
        assert torch.dist(dsnt(heatmap)[0], torch.tensor(tip)) < 0.05
    assert tip_confidence(alone, dsnt(alone)) < 0.5 < 0.9 < tip_confidence(both, dsnt(both))


def test_receptive_field_of_one_pooling_is_as_counted_by_hand():
    # Cell k of the bottleneck: two 3×3 convolutions on the input (±2 px), pooling in pairs, two more (±2 cells):
    # px 2k-6 to 2k+7. A mask's pixel 2k: 3×3 head, twice two convolutions (±5 px), bilinear from cells k-3 to k+3.
    assert receptive_field(Settings("", size=64, widths=(1, 1))) == {"masks": 26, "heatmap": 14}


def test_receptive_field_ends_at_the_frame():
    assert receptive_field(Settings("", size=16, widths=(1, 1, 1))) == {"masks": 16, "heatmap": 16}
