import pytest
import torch

from icsilib.segmentation.nested_unet import NestedUNet
from icsilib.segmentation.second_look.widening import widened


@pytest.fixture
def narrow():
    torch.manual_seed(0)
    network = NestedUNet((3, 4, 5), 16).double()
    network(torch.randn(8, 1, 16, 16).double())  # so that the running statistics are not the initial ones
    return network


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("training", [False, True])
def test_widened_network_computes_the_same(narrow, factor, training):
    wide = NestedUNet([factor * width for width in (3, 4, 5)], 16).double()
    wide.load_state_dict(widened(narrow.state_dict(), wide))
    image = torch.randn(2, 1, 16, 16).double()
    for here, there in zip(narrow.train(training)(image), wide.train(training)(image), strict=True):
        torch.testing.assert_close(here, there)


def test_copies_of_a_channel_begin_alike_and_learn_different_things(narrow):
    wide = NestedUNet((6, 8, 10), 16).double()
    wide.load_state_dict(widened(narrow.state_dict(), wide))
    first = wide.get_parameter("conv0_0.0.weight")  # reads the image, which has one channel
    torch.testing.assert_close(first[0], first[1])
    wide(torch.randn(2, 1, 16, 16).double()).y_seg.mean().backward()
    assert (first.grad[0] - first.grad[1]).norm() > 0.1 * first.grad[0].norm()


def test_equal_shapes_come_back_as_they_are(narrow):
    before = torch.get_rng_state()
    same = widened(narrow.state_dict(), narrow)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, same[name]) for name, value in narrow.state_dict().items())


@pytest.mark.parametrize("widths", [(4, 6, 8), (6, 8), (6, 8, 10, 12), (2, 4, 5)])
def test_other_networks_are_refused(narrow, widths):
    with pytest.raises(ValueError, match="narrower by a whole factor"):
        widened(narrow.state_dict(), NestedUNet(widths, 16))
