"""A wider network that begins as the narrow one: Net2Wider of Chen, Goodfellow and Shlens (2016, arXiv:1511.05641).

A small network learns what a frame shows in a fraction of the time. Widening hands that on: every channel is copied,
and the weights that read the copies sum to the weight that read the original, so that both networks compute the same
function. The copies are read with unequal weights, which is what lets them learn different things.
"""

import torch
from torch import Tensor, nn

UNEQUAL = 0.5  # spread of the weights that read the copies of a channel, in standard deviations of their layer


def widened(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The `state` of a narrower network in the shapes of `network`, whose widths are the same multiple of its own.

    A `state` that has these shapes already comes back as it is, and torch's random state is then not used. Raises
    `ValueError` where the widths are no such multiple, or the networks have other layers.
    """
    wide = network.state_dict()
    if unfit := [name for name in wide if name not in state or not _fits(state[name].shape, wide[name].shape)]:
        have = tuple(state[unfit[0]].shape) if unfit[0] in state else "nothing"
        raise ValueError(
            f"weights to begin with: {have} for {unfit[0]}, which here has {tuple(wide[unfit[0]].shape)}; "
            "give weights of the same network, or of one narrower by a whole factor"
        )
    return {
        name: _widen(state[name], like) if like.shape != state[name].shape else state[name]
        for name, like in wide.items()
    }


def _fits(narrow: torch.Size, wide: torch.Size) -> bool:
    multiples = all(there % here == 0 for here, there in zip(narrow[:2], wide[:2], strict=False))
    return len(narrow) == len(wide) and multiples and narrow[2:] == wide[2:]


def _widen(narrow: Tensor, like: Tensor) -> Tensor:
    """Weights (channels out, channels in, …) or one value a channel, with every channel copied."""
    wide = narrow.repeat_interleave(like.shape[0] // narrow.shape[0], 0)
    if like.dim() == 1 or like.shape[1] == narrow.shape[1]:
        return wide
    copies = like.shape[1] // narrow.shape[1]
    noise = UNEQUAL * narrow.std() * torch.randn(*wide.shape[:2], copies, *wide.shape[2:])
    shares = wide.unsqueeze(2) / copies + noise - noise.mean(2, keepdim=True)
    return shares.flatten(1, 2)
