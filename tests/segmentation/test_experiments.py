import torch

from icsilib.segmentation.dsnt import dsnt, tip_confidence
from icsilib.segmentation.experiments import ABLATION, VARIANTS, fit_heatmap


def test_js_makes_the_heatmap_compact_and_the_euclidean_term_alone_does_not():
    tip = (0.4, -0.3)
    alone, both = (fit_heatmap(tip, 1.0, lambda2, steps=600)[None] for lambda2 in (0.0, 1.0))
    for heatmap in (alone, both):
        assert torch.dist(dsnt(heatmap)[0], torch.tensor(tip)) < 0.05
    assert tip_confidence(alone, dsnt(alone)) < 0.5 < 0.9 < tip_confidence(both, dsnt(both))


def test_variants_differ_from_the_base_in_one_thing_and_have_their_own_folders():
    base, *others = VARIANTS
    assert base.changes == {}
    for variant in others:
        assert len(variant.changes) == 1
        assert ABLATION.with_(**variant.changes) != ABLATION
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    assert all(variant.name.isascii() for variant in VARIANTS)
