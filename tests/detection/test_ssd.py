import pytest
import torch

from icsilib.detection.default_boxes import MAP_SIZES, default_boxes, match
from icsilib.detection.losses import multibox_loss
from icsilib.detection.ssd import SSD


@pytest.mark.parametrize(("side", "resample"), [(300, "pool"), (640, "pool"), (640, "bilinear"), (192, "pool")])
def test_every_input_gives_8732_predictions(side, resample):
    torch.manual_seed(0)
    network = SSD(resample).eval()
    with torch.inference_mode():
        maps = network.maps(torch.rand(1, 3, side, side))
        logits, offsets = network(torch.rand(1, 3, side, side))
    assert [m.shape[-1] for m in maps] == list(MAP_SIZES)
    assert logits.shape == (1, 8732, 2)
    assert offsets.shape == (1, 8732, 4)


def test_the_authors_network_has_their_maps_boxes_and_parameters():
    """40, 20, 10, 5, 3 and 2 cells at 640 px, and the 4,611,014 parameters that their checkpoint's index names."""
    network = SSD(layout="authors").eval()
    assert sum(weight.numel() for weight in network.parameters()) == 4_611_014
    with torch.inference_mode():
        for side in (640, 96):
            maps = network.maps(torch.rand(1, 3, side, side))
            assert [m.shape[-1] for m in maps] == [40, 20, 10, 5, 3, 2]
        logits, offsets = network(torch.rand(1, 3, 96, 96))
    assert (logits.shape, offsets.shape) == ((1, 8028, 2), (1, 8028, 4))


def test_at_300_px_both_ways_of_resampling_change_nothing():
    torch.manual_seed(0)
    pooled = SSD("pool").eval()
    interpolated = SSD("bilinear").eval()
    interpolated.load_state_dict(pooled.state_dict())
    x = torch.rand(1, 3, 300, 300)
    with torch.inference_mode():
        assert torch.equal(pooled(x)[0], interpolated(x)[0])


def test_rows_of_the_output_lie_where_the_default_boxes_do():
    """A bright spot moves the predictions of default boxes around it, and of no small box far away."""
    torch.manual_seed(0)
    network = SSD().eval()
    dark, spot = torch.zeros(1, 3, 300, 300), torch.zeros(1, 3, 300, 300)
    spot[:, :, 60:64, 240:244] = 1
    with torch.inference_mode():
        change = (network(spot)[0] - network(dark)[0]).abs().sum(dim=2)[0, : 38 * 38 * 4]
    centre = default_boxes()[: 38 * 38 * 4, :2]
    reached = centre[change > change.max() / 4]
    assert (reached.mean(dim=0) - torch.tensor([242 / 300, 62 / 300])).abs().max() < 0.05


def test_one_step_on_images_without_sperm_has_a_finite_gradient():
    torch.manual_seed(0)
    network, defaults = SSD(), default_boxes()
    logits, offsets = network(torch.rand(2, 3, 96, 96))
    nothing = match(torch.zeros(0, 4), defaults)
    positive, targets = nothing.positive.expand(2, -1), nothing.offsets.expand(2, -1, -1)
    multibox_loss(logits, offsets, positive, targets).classification.backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert all(torch.isfinite(g).all() for g in gradients)
    assert sum(g.abs().sum() for g in gradients) > 0
