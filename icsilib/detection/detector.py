"""From an image of any size to boxes with scores: windows, network, decoding, non-maximum suppression."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from icsilib.detection.boxes import cxcywh_to_xywh
from icsilib.detection.default_boxes import decode, default_boxes
from icsilib.detection.settings import Settings
from icsilib.detection.windows import Pixels, Window, cut, in_core, resize, tile
from icsilib.training.devices import Device, resolve_device

Network = Callable[[Tensor], tuple[Tensor, Tensor]]  # (B, 3, S, S) in [0, 1] → logits and offsets, as `SSD.forward`


@dataclass(frozen=True)
class Detections:
    """Sperm found in one image, best first. Unpacks as `boxes, scores`."""

    boxes: NDArray[np.float64]  # (K, 4) xywh, px of the image
    scores: NDArray[np.float64]  # (K,) in (0, 1]

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        return iter((self.boxes, self.scores))

    def above(self, threshold: float) -> "Detections":
        """Those whose score reaches `threshold`."""
        kept = self.scores >= threshold
        return Detections(self.boxes[kept], self.scores[kept])


class Detector:
    """A network together with the settings that lead from an image to it and back."""

    def __init__(self, network: Network, settings: Settings, device: Device = "auto") -> None:
        self.device = resolve_device(device)
        self.network = network.to(self.device) if isinstance(network, nn.Module) else network
        self.settings = settings
        self._defaults = default_boxes(settings.scales, settings.ratios, settings.layout).to(self.device)

    def predict(self, image: NDArray[np.uint8], batch_size: int = 8) -> Detections:
        """Sperm in one image of 8 bits, RGB (H, W, 3) or grey (H, W)."""
        return next(self.predict_many([image], batch_size))

    def count_windows(self, image: Pixels) -> int:
        """How many inputs the network needs for one image."""
        return len(tile(image.shape[1], image.shape[0], self.settings.window, self.settings.overlap))

    @torch.inference_mode()
    def predict_many(self, images: Iterable[NDArray[np.uint8]], batch_size: int = 8) -> Iterator[Detections]:
        """Sperm in each of `images`, in order; windows of several images share a batch."""
        waiting: list[list[Detections]] = []
        done = 0
        windows = self._windows(images)
        while chunk := list(islice(windows, batch_size)):
            for (number, window, _), found in zip(chunk, self._run([pixels for *_, pixels in chunk]), strict=True):
                waiting.extend([] for _ in range(number - done - len(waiting) + 1))
                waiting[number - done].append(in_image(found, window, self.settings.input_size))
            # The last image of a chunk may go on in the next.
            while len(waiting) > 1:
                yield self._merged(waiting.pop(0))
                done += 1
        for parts in waiting:
            yield self._merged(parts)

    def _windows(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[tuple[int, Window, Pixels]]:
        settings = self.settings
        for number, image in enumerate(images):
            pixels = as_rgb(image)
            for window in tile(pixels.shape[1], pixels.shape[0], settings.window, settings.overlap):
                part = cut(pixels, window.x, window.y, window.width, window.height)
                yield number, window, resize(part, settings.input_size)

    def _run(self, inputs: list[Pixels]) -> list[Detections]:
        """Detections of each input, boxes xywh in px of the input."""
        boxes, scores = self.candidates(torch.from_numpy(np.stack(inputs)).to(self.device))
        pixels = (boxes * self.settings.input_size).double().cpu().numpy()
        return [
            suppress(Detections(b, s), self.settings.nms_iou, self.settings.score_threshold, self.settings.detections)
            for b, s in zip(pixels, scores.double().cpu().numpy(), strict=True)
        ]

    def candidates(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Best-scoring boxes (B, K, 4), xywh as fractions of the input, and scores (B, K) of (B, S, S, 3) bytes."""
        logits, offsets = self.network(inputs.permute(0, 3, 1, 2).float() / 255)
        logits = logits.float()
        sperm = logits[..., 1].sigmoid() if self.settings.score == "sigmoid" else logits.softmax(dim=-1)[..., 1]
        scores, best = sperm.topk(self.settings.candidates, dim=1)
        picked = offsets.float().gather(1, best[..., None].expand(-1, -1, 4))
        boxes = cxcywh_to_xywh(torch.stack([decode(o, self._defaults[b]) for o, b in zip(picked, best, strict=True)]))
        return boxes, scores

    def _merged(self, parts: list[Detections]) -> Detections:
        if len(parts) == 1:
            return parts[0]
        every = Detections(
            np.concatenate([part.boxes for part in parts]), np.concatenate([part.scores for part in parts])
        )
        return suppress(every, self.settings.nms_iou, self.settings.score_threshold, self.settings.detections)


def check_finite(found: Detections, where: str = "detections") -> None:
    """Raise `ValueError` if a box or a score is not a finite number."""
    if not (np.isfinite(found.boxes).all() and np.isfinite(found.scores).all()):
        raise ValueError(f"{where}: a box or score is not a finite number; look at the model that gave it")


def suppress(found: Detections, iou: float, threshold: float, limit: int) -> Detections:
    """Non-maximum suppression: of boxes that overlap by more than `iou` keep the best, at most `limit` in all.

    Boxes whose score does not exceed `threshold` are dropped first. Best come first. Raises `ValueError` for a box or
    score that is not finite, which would suppress nothing or everything.
    """
    check_finite(found)
    order = np.argsort(-found.scores, kind="stable")
    boxes, scores = found.boxes[order], found.scores[order]
    kept = np.array(cv2.dnn.NMSBoxes(boxes, scores, threshold, iou), dtype=np.int64).reshape(-1)[:limit]  # type: ignore[arg-type]
    return Detections(boxes[kept], scores[kept])


def in_image(found: Detections, window: Window, input_size: int) -> Detections:
    """Detections in px of an input as those of the image, without those that a neighbouring window answers for."""
    scale = np.array([window.width, window.height] * 2) / input_size
    boxes = found.boxes * scale + [window.x, window.y, 0, 0]
    own = in_core(boxes, window)
    return Detections(boxes[own], found.scores[own])


def as_rgb(image: NDArray[np.uint8]) -> Pixels:
    """An image of 8 bits, grey (H, W) or RGB (H, W, 3), as RGB; raises `ValueError` for any other."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f"image of {image.dtype}, shape {image.shape}: needs 8-bit grey (H, W) or RGB (H, W, 3)")
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
