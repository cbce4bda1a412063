"""Which trained model a chapter uses: the one that the study ships, or the one that this run has trained."""

from pathlib import Path

from icsilib import detection, segmentation
from icsilib.detection.weights import SHIPPED
from icsilib.segmentation.segmenter import REFERENCE
from icsilib.training.devices import Device
from icsilib.training.runs import WEIGHTS


def segmentation_model(
    out: Path | str, weights: Path | str = "", device: Device = "auto", looks: int = 1
) -> tuple[segmentation.Segmenter, str]:
    """A segmenter and where it comes from; `out` is a folder such as `build/quick`, `weights` a file to use instead.

    It looks once, as the paper's does, or with `looks=2` twice, the study's extension.
    """
    path, origin = _weights(weights, REFERENCE, Path(out) / "segmentation", "segmentation_training")
    return segmentation.load(path, looks, device), origin


def detection_model(
    out: Path | str, weights: Path | str = "", device: Device = "auto"
) -> tuple[detection.Detector, str]:
    """A detector and where it comes from; `out` is a folder such as `build/quick`, `weights` a file to use instead."""
    shipped = SHIPPED / "biopsy_phantom.safetensors"
    path, origin = _weights(weights, shipped, Path(out) / "detection", "detection_training")
    return detection.load(path, device), origin


def _weights(named: Path | str, shipped: Path, trained: Path, notebook: str) -> tuple[Path, str]:
    if named:
        return Path(named), "weights named in the parameters"
    if shipped.exists():
        return shipped, "reference weights shipped with the study"
    found = sorted(trained.rglob(WEIGHTS), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"{shipped}: no such file, nor weights under {trained}; run notebooks/{notebook}.ipynb")
    return found[-1], "weights that this run trained"
