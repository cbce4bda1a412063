import dsntnn
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from icsilib.segmentation.dsnt import cell_centres, dsnt, gaussian_heatmap, spatial_softmax, to_normalised, to_pixels


def random_scores(seed=0, dtype=torch.float64, shape=(5, 9, 12)):
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_cell_centres_of_four_cells():
    assert cell_centres(4, torch.zeros(())).tolist() == [-0.75, -0.25, 0.25, 0.75]


def test_coordinate_of_a_heatmap_worked_by_hand():
    heatmap = torch.zeros(1, 4, 4)
    heatmap[0, 1, 3], heatmap[0, 3, 3] = 0.25, 0.75  # x = .75; y = .25·(-.25) + .75·.75
    assert dsnt(heatmap).tolist() == [[0.75, 0.5]]


def test_dsnt_agrees_with_dsntnn_in_value_and_gradient():
    ours = random_scores().requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    weights = torch.tensor([1.0, -2.0], dtype=torch.float64)
    a, b = dsnt(spatial_softmax(ours)), dsntnn.dsnt(dsntnn.flat_softmax(theirs[:, None]))[:, 0]
    (a * weights).sum().backward()
    (b * weights).sum().backward()
    torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=0)


def test_gaussian_agrees_with_dsntnn():
    centre = torch.tensor([[0.3, -0.2], [0.0, 0.9]], dtype=torch.float64)
    theirs = dsntnn.make_gauss(centre[:, None], (9, 12), 1.5)[:, 0]
    torch.testing.assert_close(gaussian_heatmap(centre, (9, 12), 1.5), theirs, atol=1e-5, rtol=0)


@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.floats(1.0, 3.0))
def test_dsnt_finds_the_centre_of_a_gaussian(x, y, sigma_px):
    centre = torch.tensor([[x, y]], dtype=torch.float64)
    torch.testing.assert_close(dsnt(gaussian_heatmap(centre, (64, 64), sigma_px)), centre, atol=1e-3, rtol=0)


def test_standard_deviation_of_the_gaussian_is_in_heatmap_cells():
    heatmap = gaussian_heatmap(torch.zeros(1, 2, dtype=torch.float64), (64, 64), 2.0)
    cells = torch.arange(64) - 31.5
    assert (heatmap[0].sum(dim=0) * cells**2).sum().item() == pytest.approx(4.0, rel=1e-6)


def test_pixels_and_normalised_coordinates():
    # The centre of the first of four pixels is continuous coordinate 0.5, normalised -0.75.
    points = torch.tensor([[0.5, 2.0]])
    assert to_normalised(points, 4).tolist() == [[-0.75, 0.0]]
    torch.testing.assert_close(to_pixels(to_normalised(points, 4), 4), points)


def test_sigma_must_be_positive():
    with pytest.raises(ValueError, match="sigma_px=0"):
        gaussian_heatmap(torch.zeros(1, 2), (4, 4), 0)
