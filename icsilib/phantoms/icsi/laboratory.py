"""Three kits and four operators, as paper A's videos have them; settings of the generator, no person and no clinic."""

from dataclasses import dataclass

from icsilib.phantoms.icsi.ranges import Range


@dataclass(frozen=True)
class Kit:
    """One of the three ICSI kits: part of the scale range, sharpness and glass."""

    name: str
    scale: Range  # shares of `um_per_px_512`
    sharpness: float  # factor on the defocus
    glass: float  # factor on the pipette's edge contrast
    light: float  # added to the field's level


@dataclass(frozen=True)
class Operator:
    """One of the four operators: pace, angle, depth, pauses and tremor."""

    name: str
    pace: float  # factor on the duration of the movements
    angle: float  # degrees added to the needle's angle
    depth: float  # of the radius, added to how deep the tip goes
    pause: float  # share of the procedure spent holding still
    tremor: float  # µm, standard deviation of the tip's jitter


KITS = (
    Kit("kit-A", (0.0, 0.35), 0.8, 1.1, 0.03),
    Kit("kit-B", (0.3, 0.7), 1.0, 0.9, -0.03),
    Kit("kit-C", (0.6, 1.0), 1.2, 1.0, 0.0),
)
OPERATORS = (
    Operator("operator-1", 0.85, 3.0, 0.00, 0.10, 0.25),
    Operator("operator-2", 1.00, -4.0, 0.10, 0.20, 0.15),
    Operator("operator-3", 1.20, 0.0, -0.10, 0.28, 0.35),
    Operator("operator-4", 1.05, 6.0, 0.20, 0.15, 0.50),
)
