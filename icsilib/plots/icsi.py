"""Figures of the ICSI procedure: frames with their truth, the course of the needle, a looping clip."""

import base64
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from numpy.typing import NDArray
from PIL import Image as PillowImage

from icsilib.data.structures import OF_INJECTIONS, OUTLINES
from icsilib.phantoms.icsi import PHASES, Frame, Procedure
from icsilib.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, YELLOW

GreyImage = NDArray[np.uint8]
PHASE_COLOURS = dict(zip(PHASES, (SKY, GREEN, ORANGE, VERMILION, PURPLE, YELLOW, BLUE, GREY), strict=True))


def show_image(ax: Axes, image: GreyImage, title: str = "") -> None:
    """A grey image (S, S) without ticks, in continuous image coordinates."""
    side = image.shape[0]
    ax.imshow(image, cmap="gray", vmin=0, vmax=255, extent=(0, side, side, 0))
    ax.set(title=title, xticks=[], yticks=[], xlim=(0, side), ylim=(side, 0))
    ax.spines[:].set_visible(False)


def show_truth(ax: Axes, frame: Frame, title: str = "") -> None:
    """A frame with its truth, in the colours of paper A's Figure 2."""
    show_image(ax, frame.image, title)
    for structure in OUTLINES:
        if (outline := getattr(frame, structure.name)) is not None:
            ax.fill(*outline.T, facecolor=structure.colour, edgecolor=structure.colour, alpha=0.4, linewidth=1.2)
    if frame.tip is not None:
        ax.plot(*frame.tip, "o", color=OF_INJECTIONS[-1].colour, markeredgecolor="black", markersize=5)


def show_grid(figure: FigureBase, images: Sequence[GreyImage], columns: int, titles: Sequence[str] = ()) -> None:
    """Images in rows of `columns`, each with its title where there are titles."""
    rows = -(-len(images) // columns)
    for ax, number in zip(np.ravel(figure.subplots(rows, columns, squeeze=False)), range(rows * columns), strict=True):
        ax.axis("off")
        if number < len(images):
            show_image(ax, images[number])
            ax.set_title(titles[number] if titles else "", fontsize=7.5, pad=2)


def phase_frames(video: Procedure) -> list[Frame]:
    """One frame from each phase of a procedure: the last of the indentation, where it is deepest, else the middle."""
    frames = []
    for name in PHASES:
        of_phase = [index for index, phase in enumerate(video.timeline.phase) if phase == name]
        if of_phase:
            frames.append(video.frame(of_phase[-1] if name == "indentation" else of_phase[len(of_phase) // 2]))
    return frames


def anatomy(ax: Axes, video: Procedure, index: int) -> None:
    """A frame with its structures named."""
    frame, scene = video.frame(index), video.scene_at(index)
    show_image(ax, frame.image, f"{video.video_id}, {frame.phase}")
    centre, across = scene.centre, np.array([-scene.u[1], scene.u[0]])
    shell = scene.zona_at(0.0)
    zona = shell[np.argmax(shell @ (scene.u - across))]
    named = {
        "cytoplasm": centre - 0.45 * scene.radius * across,
        "oolemma": frame.oolemma[np.argmax(frame.oolemma @ across)],
        "zona pellucida": zona + 0.09 * (centre - zona),
        "polar body": np.array(scene.polar_body[:2]),
    }
    if frame.tip is not None:
        named |= {"needle tip": frame.tip, "injection needle": frame.tip - 0.9 * scene.radius * scene.u}
    if frame.pipette is not None:
        named["suction pipette"] = frame.pipette.mean(axis=0)
    for name, place in named.items():
        outward = (place - centre) / max(float(np.linalg.norm(place - centre)), 1.0)
        beside = place + scene.size * (0.16 * outward + [0, 0.05])
        text = np.clip(beside, 0.14 * scene.size, 0.86 * scene.size)
        ax.annotate(
            name, place, text, color="white", fontsize=8.5, ha="center", va="center",
            bbox={"facecolor": "black", "alpha": 0.6, "pad": 1.5, "edgecolor": "none"},
            arrowprops={"arrowstyle": "->", "color": YELLOW},
        )  # fmt: skip


def needle_path(axes: Sequence[Axes], frames: Sequence[Frame], video: Procedure) -> None:
    """The tip's path on a frame, and its distance from the oocyte's centre over time, coloured by phase.

    Positive distances lie on the needle's side of the centre; frames without a visible tip leave gaps.
    """
    on_image, over_time = axes
    show_image(on_image, frames[0].image, "path of the tip")
    seconds = np.array([frame.index for frame in frames]) / video.fps
    tips = np.array([frame.tip if frame.tip is not None else (np.nan, np.nan) for frame in frames])
    centres = np.array([video.scene_at(frame.index).centre for frame in frames])
    from_centre = -(tips - centres) @ video.scene.u * video.um_per_px
    for phase, colour in PHASE_COLOURS.items():
        here = np.array([frame.phase == phase for frame in frames])
        if here.any():
            over_time.axvspan(seconds[here][0], seconds[here][-1] + 1 / video.fps, color=colour, alpha=0.18, lw=0)
            over_time.plot(seconds[here], from_centre[here], ".", color=colour, markersize=4, label=phase)
            on_image.plot(*tips[here].T, ".", color=colour, markersize=4)
    radius = video.scene.radius * video.um_per_px
    over_time.axhline(radius, color="black", linewidth=0.8, linestyle="--")
    over_time.text(
        0.7, radius, "membrane at rest", fontsize=8, va="bottom", ha="right", transform=over_time.get_yaxis_transform()
    )
    over_time.set(xlabel="time (s)", ylabel="tip to centre, along the needle (µm)")
    over_time.legend(fontsize=7.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def looping_clip(images: Sequence[GreyImage], fps: float, quality: int = 40) -> str:
    """HTML of a looping animation, as WebP inside the page: needs no player, no server and no network."""
    first, *rest = [PillowImage.fromarray(image) for image in images]
    content = BytesIO()
    options = {"duration": round(1000 / fps), "loop": 0, "quality": quality, "method": 4}
    first.save(content, "WEBP", save_all=True, append_images=rest, **options)
    encoded = base64.b64encode(content.getvalue()).decode()
    side = images[0].shape[1]
    return f'<img alt="A rendered ICSI procedure, looping" width="{side}" src="data:image/webp;base64,{encoded}">'
