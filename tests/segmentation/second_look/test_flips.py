import numpy as np
import pytest
import torch

from icsilib.segmentation import load
from icsilib.segmentation.dsnt import dsnt
from icsilib.segmentation.nested_unet import NestedUNet
from icsilib.segmentation.second_look import with_flips
from icsilib.segmentation.second_look.flips import FlipAveraged


@pytest.fixture
def model() -> NestedUNet:
    torch.manual_seed(0)
    return NestedUNet((4, 8), 16).eval()


@torch.inference_mode()
def test_a_mirrored_frame_gives_the_mirrored_answer(model: NestedUNet) -> None:
    image = torch.randn(2, 1, 16, 16)
    once, mirrored = FlipAveraged(model)(image), FlipAveraged(model)(image.flip(-1))
    torch.testing.assert_close(mirrored.y_seg, once.y_seg.flip(-1))
    torch.testing.assert_close(mirrored.heatmap, once.heatmap.flip(-1))
    torch.testing.assert_close(mirrored.y_coords * torch.tensor([-1.0, 1.0]), once.y_coords)
    assert not torch.allclose(model(image.flip(-1)).y_seg, model(image).y_seg.flip(-1))


@torch.inference_mode()
def test_it_is_the_mean_of_four_answers(model: NestedUNet) -> None:
    image = torch.randn(1, 1, 16, 16)
    answers = [model(image.flip(axes)).y_seg.flip(axes) for axes in ([], [2], [3], [2, 3])]
    averaged = FlipAveraged(model)(image)
    torch.testing.assert_close(averaged.y_seg, sum(answers) / 4)
    torch.testing.assert_close(averaged.heatmap.sum(dim=(1, 2)), torch.ones(1))
    torch.testing.assert_close(averaged.y_coords, dsnt(averaged.heatmap))


def test_a_segmenter_takes_photographs_with_flips() -> None:
    photo = np.random.default_rng(0).integers(0, 255, (90, 120), dtype=np.uint8)
    assert with_flips(load()).predict(photo).masks.shape == (2, 90, 120)
