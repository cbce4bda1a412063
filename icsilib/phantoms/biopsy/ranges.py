"""What varies between rendered biopsy images, and within which ranges.

Sources: spermatozoon, WHO laboratory manual 5th ed. (2010) §2.15: head 4.0-5.0 × 2.5-3.5 µm, midpiece about as
long as the head, tail about 45 µm; red cells 6-8 µm and white cells 7-15 µm, Hoffbrand's Essential Haematology;
Sertoli and germ cells, round spermatids 7-9 µm: Verheyen et al. 1995 (Hum Reprod 10:2956) and Holstein et al.
2003 (Reprod Biol Endocrinol 1:107); tubules 150-250 µm across, Schlegel 1999 (Hum Reprod 14:131). Image sizes
and kinds: Wu et al. 2021, "Characteristics".
"""

from dataclasses import dataclass

Range = tuple[float, float]

PHENOTYPES = ("normal", "bent_tail", "deformed", "head_only", "out_of_focus", "occluded")
SIZES = {"dense": (1050, 1680), "diffuse": (400, 640)}  # height, width in px, as published


@dataclass(frozen=True)
class BiopsyRanges:
    """Ranges (low, high) from which images and patients draw; lengths in µm, shares in 0..1."""

    # spermatozoa
    sperm_per_image: tuple[float, ...] = (0.45, 0.29, 0.13, 0.06, 0.035, 0.02, 0.01, 0.005)  # share with 0, 1, 2 …
    phenotype_shares: tuple[float, ...] = (0.52, 0.14, 0.10, 0.07, 0.09, 0.08)  # in the order of PHENOTYPES
    head_length: Range = (4.0, 5.0)
    head_width: Range = (2.5, 3.5)
    midpiece_length: Range = (3.5, 5.5)
    tail_length: Range = (32.0, 48.0)
    tail_width: Range = (0.5, 0.9)
    tail_waves: Range = (0.3, 1.5)  # half-waves along the tail
    tail_swing: Range = (0.0, 0.5)  # radians
    bend: Range = (1.0, 2.4)  # radians, of a bent tail
    sperm_height: Range = (1.3, 2.4)  # optical thickness of the head
    sperm_absorption: Range = (0.05, 0.4)
    # other cells: how many in a dense and a diffuse image
    cells: dict[str, tuple[Range, Range]] = None  # type: ignore[assignment]
    # tissue
    tubules: Range = (0, 3)  # of a dense image
    tubule_width: Range = (90.0, 220.0)
    fibres: Range = (0, 4)  # threads without a head, which pass for tails
    # view
    um_per_px_dense: Range = (0.24, 0.42)
    um_per_px_diffuse: Range = (0.30, 0.60)
    # optics and camera, by patient
    field_level: Range = (0.42, 0.78)
    field_gradient: Range = (0.0, 0.2)
    mottle: Range = (0.002, 0.02)
    relief: Range = (0.0, 0.55)  # modulation contrast
    phase: Range = (0.1, 0.5)  # dark rim and bright halo of a slightly defocused bright field
    defocus: Range = (0.5, 1.3)
    tint: Range = (-0.05, 0.05)  # of each colour channel
    gamma: Range = (0.8, 1.3)
    noise: Range = (0.004, 0.02)
    jpeg_quality: Range = (65, 96)
    # artefacts of the raw image, before correction
    glare_share: float = 0.25
    rings_share: float = 0.3

    def __post_init__(self) -> None:
        if self.cells is None:
            object.__setattr__(self, "cells", dict(CELLS))


CELLS: dict[str, tuple[Range, Range]] = {
    "red_cell": ((10, 90), (2, 25)),
    "white_cell": ((4, 25), (0, 6)),
    "spermatid": ((6, 40), (1, 9)),
    "epithelial_cell": ((3, 22), (0, 4)),
    "debris": ((20, 140), (5, 45)),
}
