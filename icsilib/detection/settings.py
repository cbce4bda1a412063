"""Everything that decides a detector and its training, as one frozen record for each profile.

`paper` is what the paper states, with the open points filled in by SSD's own defaults; `authors` is what the files
say that its first author published in 2019 (github.com/Daniel-Wu/IVF_Sperm_Detection); `standard` and `quick` are
the same method at a scale that a CPU finishes. Open points are marked so.
"""

from dataclasses import dataclass
from typing import Any, Literal

from icsilib.detection.default_boxes import AUTHORS_SCALES, PUBLISHED_RATIOS, PUBLISHED_SCALES, LayoutName
from icsilib.detection.ssd import SSD, Resample
from icsilib.training.settings import BaseSettings, by_name, stages_of


@dataclass(frozen=True)
class Settings(BaseSettings):
    """A detector, its training and its detections. Lengths are px of the source image unless said otherwise."""

    # what the network sees
    input_size: int = 640  # px, side of the network's input
    resample: Resample = "pool"  # how 80, 40 and 20 cells become 38, 19 and 10 (open)
    layout: LayoutName = "published"  # feature maps and boxes: 8,732, or the 8,028 of the authors' files
    window: int | None = None  # side of the square cut from an image for one input; None resamples whole images
    overlap: int = 0  # of neighbouring windows; at least the largest sperm
    scales: tuple[float, ...] = PUBLISHED_SCALES  # of the default boxes, as fractions of the input's side (open)
    ratios: tuple[float, float] = PUBLISHED_RATIOS  # of their elongated ones, long side to short side (open)
    # loss
    negatives_per_positive: int = 3
    # What k counts in "in each image with k spermatozoa, we select the 3k negative examples": spermatozoa, as written,
    # or matched default boxes, as in SSD and in the sentence before ("three per positive box").
    mining: Literal["per_match", "per_sperm"] = "per_match"
    empty_images: bool = True  # False leaves images without sperm out of training and validation
    minimum_negatives: int = 6  # of an image without sperm (open)
    localisation_weight: float = 1.0  # (open)
    l2: float = 4e-5  # weight of the squared norm of the weights (open)
    # optimisation
    # "shipped": all weights of `load()`, or of the profile `after`
    initialisation: Literal["imagenet", "shipped", "scratch"] = "imagenet"
    frozen_stages: int = 0  # first stages of MobileNetV2 kept as initialised
    learning_rate: float = 1e-3  # (open)
    schedule: Literal["cosine", "constant"] = "cosine"  # of the learning rate (open)
    warm_up: int = 100  # steps over which the rate rises from zero (open)
    decay: float = 0.9  # of RMSProp's moving average of squared gradients (open)
    momentum: float = 0.9  # (open)
    epsilon: float = 1e-3  # of RMSProp (open)
    batch_size: int = 24  # (open)
    steps: int = 20_000  # (open)
    validate_every: int = 1_000  # steps
    largest_gradient: float = 20.0  # norm to which longer gradients are cut; few positives make rare long ones (open)
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"  # auto: bf16 where the processor multiplies it
    # augmentation
    crop: Literal["zoom", "ssd"] = "zoom"  # this study's, or SSD's random crop without padding
    zoom: float = 1.5  # a window's side is multiplied by up to this or its inverse
    empty_share: float = 0.25  # of windows of images with sperm that are cut anywhere, not around a sperm
    turns: bool = False  # also turn by quarters: a preparation has no upper side (not in the paper)
    sperm_per_visit: int = 4  # an epoch visits an image once for every so many sperm begun, at least once (open)
    brightness: float = 0.2  # largest relative change
    contrast: float = 0.2
    # detections
    score: Literal["softmax", "sigmoid"] = "softmax"  # from the two logits, or from that of sperm alone
    score_threshold: float = 0.01
    nms_iou: float = 0.45
    candidates: int = 400  # best-scoring boxes of an input that enter non-maximum suppression
    detections: int = 100  # boxes kept of an image

    def build(self) -> SSD:
        """The network, newly initialised from torch's random state."""
        return SSD(self.resample, self.layout)


# Sperm of the phantom are more often long and thin than SSD's boxes expect, and a head that lost its tail is a tenth
# of their size.
BIOPSY_SCALES = (0.04, 0.16, 0.28, 0.36, 0.52, 0.74, 0.9)
EARLIER_SCALES = (0.1, 0.17, 0.23, 0.36, 0.5, 0.7, 0.9)  # of the reference run's first stages: nothing for heads alone

_WINDOWS = Settings(
    "windows",
    input_size=300,
    window=400,
    overlap=160,
    scales=EARLIER_SCALES,
    learning_rate=2e-4,
    batch_size=8,
    turns=True,
    minimum_negatives=12,
)
# Cut anywhere half of the time, since most of a biopsy is not sperm: it is here that false detections are unlearnt.
_ANYWHERE = _WINDOWS.with_(initialisation="shipped", frozen_stages=4, empty_share=0.5, minimum_negatives=24, warm_up=50)
# Smaller windows, so that a head is more than a feature map's cell, and boxes for heads alone and for thin tails.
_BIOPSY = _ANYWHERE.with_(window=320, zoom=1.3, scales=BIOPSY_SCALES, ratios=(2.0, 4.5))
PROFILES = by_name(
    Settings("paper", mining="per_sperm"),
    # `ssd_mobilenet_v2_coco.config` at commit ef20b94. What it cannot have here: the beginning, a detector trained on
    # COCO; RMSProp in TensorFlow's form, with ε within the root, which at ε = 1 hardly differs.
    Settings(
        "authors",
        layout="authors",
        scales=AUTHORS_SCALES,
        minimum_negatives=3,
        empty_images=False,
        l2=2e-5,  # times the squared norm; theirs is 4e-5 times half of it
        learning_rate=0.004,
        schedule="constant",
        warm_up=0,
        epsilon=1.0,
        batch_size=18,
        steps=120_000,
        largest_gradient=1e9,  # none is cut
        crop="ssd",
        sperm_per_visit=10**6,  # every image once in an epoch
        brightness=0.0,
        contrast=0.0,
        score="sigmoid",
        score_threshold=1e-8,
        nms_iou=0.6,
        candidates=8028,
    ),
    # The reference run, stage by stage: with the crowded set beside the biopsy images, around sperm; then with half of
    # the windows anywhere, where a thread must be told from a tail; then the same for long; then with smaller windows
    # and other boxes. A stage with the biopsy images alone made the validation worse.
    _WINDOWS.with_(profile="standard-crowd", frozen_stages=4, steps=3000, validate_every=1500),
    _ANYWHERE.with_(profile="standard-threads", after="standard-crowd", steps=1500, validate_every=1500),
    _ANYWHERE.with_(profile="standard-long", after="standard-threads", steps=5500, validate_every=1100),
    _BIOPSY.with_(profile="standard", after="standard-long", steps=6000, validate_every=1500),
    # From scratch or from ImageNet a few minutes are not enough; this profile goes on from the shipped weights. All
    # features stay: over a few steps the means of their normalisation drift, which costs more than the steps bring.
    _BIOPSY.with_(profile="quick", frozen_stages=19, learning_rate=2e-5, warm_up=10, steps=40, validate_every=40),
    Settings(
        "svia",
        input_size=240,
        window=160,
        overlap=24,
        batch_size=8,
        steps=60,
        validate_every=60,
        warm_up=10,
        zoom=1.25,
    ),
)

# A search over what the paper leaves open, one change at a time from the first steps of the reference run, which are
# enough to tell candidates apart.
SEARCHED = PROFILES["standard-crowd"].with_(steps=200, validate_every=200, warm_up=50)
CANDIDATES: dict[str, dict[str, Any]] = {
    "base": {},
    "rate x3": {"learning_rate": 6e-4},
    "all stages trained": {"frozen_stages": 0},
    "rate /3": {"learning_rate": 7e-5},
    "no momentum, rate x10": {"momentum": 0.0, "learning_rate": 2e-3},
    "localisation x2": {"localisation_weight": 2.0},
    "l2 x10": {"l2": 4e-4},
    "more empty windows": {"empty_share": 0.5},
    "zoom 1.2": {"zoom": 1.2},
}


def stages(profile: str) -> list[Settings]:
    """The profiles that are trained one after the other, each from the weights of the one before; `profile` is last."""
    return stages_of(PROFILES, profile)
