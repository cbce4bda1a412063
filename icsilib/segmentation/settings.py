"""Everything that decides a segmentation model and its training, as one frozen record for each profile.

`paper` is what paper A states, with its open points filled in and marked so; `standard` and `quick` are the same
method at a scale that a CPU finishes. They take the heatmap from a finer level than the bottleneck, which at an input
of 144 px has only 18×18 cells: so it has about as many as the paper's, 64×64.
"""

from dataclasses import dataclass
from typing import Literal

from icsilib.data.preprocess import Preprocess
from icsilib.segmentation.augmentation import KINDS
from icsilib.segmentation.nested_unet import PAPER_WIDTHS, NestedUNet
from icsilib.training.settings import SHIPPED, BaseSettings, by_name, stages_of


@dataclass(frozen=True)
class Settings(BaseSettings):
    """A model, its input and its training. Defaults are the paper's wherever it says."""

    # what the network sees, §2.1
    size: int = 512  # px, side of the square input
    clip_limit: float | None = 2.0  # of CLAHE; None leaves CLAHE out (open)
    closeups: bool = False  # whether it sees close-ups of the tip instead of whole frames (not in the paper)
    # the network, §2.2
    widths: tuple[int, ...] = PAPER_WIDTHS
    reading: str = "decoder"  # of §2.2 on upsampling; this one has the published 2.6 million parameters
    nested: bool = True
    heatmap_level: int | None = None  # level that the heatmap comes from; None is the bottleneck, as in the paper
    # the loss, §2.3
    lambda1: float = 1.0  # weight of the Euclidean term, in normalised units (open)
    lambda2: float = 1.0  # weight of the Jensen–Shannon term, in nats (open)
    sigma_px: float = 1.0  # of the target heatmap, in its cells (open)
    lambda_absent: float = 0.0  # weight of a flat heatmap where there is no tip (not in the paper)
    # optimisation, §2.3
    learning_rate: float = 1e-3  # "initial"
    decay: Literal["none", "cosine"] = "cosine"  # from the initial rate to zero (open)
    warm_up: int = 0  # steps over which the rate rises from zero
    batch_size: int = 4
    epochs: int = 31
    averaging: float = 0.0  # decay a step of the moving average of weights kept beside them; 0 keeps none
    kept_of_start: float = 0.0  # share of the weights that the run began with in the finished ones (not in the paper)
    augmentation: tuple[str, ...] = KINDS
    # the machine; none of these changes what is computed beyond rounding
    precision: Literal["auto", "32-true", "bf16-mixed"] = (
        "auto"  # auto: bf16 where the processor multiplies it natively
    )
    channels_last: bool = True
    compile: bool = False
    workers: int = 0  # processes that load and augment beside the training process

    @property
    def preprocess(self) -> Preprocess:
        """How a frame becomes this model's input."""
        return Preprocess(size=self.size, clip_limit=self.clip_limit)

    def build(self) -> NestedUNet:
        """The network, newly initialised from torch's random state."""
        return NestedUNet(self.widths, self.size, self.reading, self.nested, self.heatmap_level)


# The shipped weights are of the reading that puts two convolutions after the upsampling of every node.
_SMALL = Settings(
    "",
    widths=(16, 32, 64, 128),
    reading="every node",
    heatmap_level=1,
    learning_rate=4e-3,
    warm_up=50,
    averaging=0.995,
)
_PROGRESSIVE = Settings("", precision="bf16-mixed")
_WIDE = _SMALL.with_(widths=PAPER_WIDTHS, size=144)
_WIDE_STAGE = _WIDE.with_(learning_rate=5e-4, epochs=3, warm_up=200, averaging=0.999)
_GOES_ON = {"batch_size": 8, "learning_rate": 2e-3}
_PLAIN = ("flips", "noise")  # augmentation that leaves the frame as a camera gives it

# Off the GPU a profile goes on from the weights of a smaller size: what a frame shows is learnt where a step is cheap,
# where exactly it lies at the larger size. From `standard-wide` on the network has the paper's widths, before that half
# of them: those steps take half the time, and the wider network begins as the narrow one ended. The stages after it
# leave out what bends, turns and covers frames, which a network of this size and training pays for with accuracy; the
# last one crops none, either. `quick` goes on from the shipped weights, as somebody with videos of their own would;
# `scratch` is what minutes give from random ones.
PROFILES = by_name(
    Settings("paper", workers=8),
    # The published network, optimiser, batch, augmentations and number of epochs, most of them on smaller pictures,
    # which is what two cores can do. A stage begins with the weights of the one before and with a new optimiser.
    _PROGRESSIVE.with_(profile="progressive-128", size=128, epochs=24),
    _PROGRESSIVE.with_(profile="progressive-256", size=256, epochs=6, learning_rate=5e-4, after="progressive-128"),
    _PROGRESSIVE.with_(profile="progressive", epochs=1, learning_rate=2e-4, after="progressive-256"),
    _SMALL.with_(profile="standard-64", size=64, batch_size=16, epochs=8),
    _SMALL.with_(profile="standard-96", size=96, epochs=4, after="standard-64", **_GOES_ON),
    _SMALL.with_(profile="standard-128", size=128, epochs=4, after="standard-96", **_GOES_ON),
    _SMALL.with_(profile="standard-128-more", size=128, epochs=5, after="standard-128", **_GOES_ON),
    _SMALL.with_(
        profile="standard-144", size=144, epochs=1, batch_size=8, learning_rate=1e-3, after="standard-128-more"
    ),
    _WIDE_STAGE.with_(profile="standard-wide", learning_rate=7e-4, kept_of_start=0.5, after="standard-144"),
    _WIDE_STAGE.with_(profile="standard-plain", augmentation=_PLAIN, kept_of_start=0.5, after="standard-wide"),
    _WIDE_STAGE.with_(profile="standard-crop", augmentation=("crop", *_PLAIN), after="standard-plain"),
    _WIDE_STAGE.with_(profile="standard", epochs=1, augmentation=_PLAIN, kept_of_start=0.25, after="standard-crop"),
    _WIDE_STAGE.with_(
        profile="closeup", size=128, closeups=True, epochs=1, augmentation=_PLAIN, after=SHIPPED, lambda_absent=0.1
    ),
    _WIDE.with_(profile="quick", epochs=1, batch_size=8, learning_rate=3e-4, warm_up=20, averaging=0.98, after=SHIPPED),
    _SMALL.with_(profile="scratch-64", size=64, batch_size=16, epochs=3, averaging=0.98),
    _SMALL.with_(profile="scratch", size=96, epochs=2, averaging=0.98, after="scratch-64", **_GOES_ON),
)


def stages(profile: str) -> list[Settings]:
    """The profiles that are trained one after the other, each from the weights of the one before; `profile` is last."""
    return stages_of(PROFILES, profile)
