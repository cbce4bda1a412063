"""What varies between rendered biopsy images, and within which ranges.

Sources: spermatozoon, WHO laboratory manual 5th ed. (2010) §2.15: head 4.0-5.0 × 2.5-3.5 µm, midpiece about as
long as the head, tail about 45 µm; red cells 6-8 µm and white cells 7-15 µm, Hoffbrand's Essential Haematology;
Sertoli and germ cells, round spermatids 7-9 µm: Verheyen et al. 1995 (Hum Reprod 10:2956) and Holstein et al.
2003 (Reprod Biol Endocrinol 1:107); tubules 150-250 µm across, Schlegel 1999 (Hum Reprod 14:131). Image sizes
and kinds: Wu et al. 2021, "Characteristics".
"""

from dataclasses import dataclass, field

Range = tuple[float, float]

PHENOTYPES = ("normal", "bent_tail", "deformed", "head_only", "out_of_focus", "occluded")
SIZES = {"dense": (1050, 1680), "diffuse": (400, 640)}  # height, width in px, as published


CELLS: dict[str, tuple[Range, Range]] = {
    "red_cell": ((25, 320), (2, 40)),
    "white_cell": ((6, 50), (0, 7)),
    "spermatid": ((15, 130), (1, 14)),
    "epithelial_cell": ((6, 50), (0, 5)),
    "debris": ((50, 320), (5, 60)),
}


@dataclass(frozen=True)
class BiopsyRanges:
    """Ranges (low, high) from which images and patients draw; lengths in µm, shares in 0..1."""

    # spermatozoa
    sperm_per_image: tuple[float, ...] = (0.45, 0.29, 0.13, 0.06, 0.035, 0.02, 0.01, 0.005)  # share with 0, 1, 2 …
    extra_sperm: dict[str, int] = field(default_factory=lambda: {"dense": 0, "diffuse": 0})  # in every image
    phenotype_shares: tuple[float, ...] = (0.52, 0.14, 0.10, 0.07, 0.09, 0.08)  # in the order of PHENOTYPES
    places: int = 3  # tried for each; the least crowded is taken, since nobody labels what lies under a tubule
    head_length: Range = (4.0, 5.0)
    head_width: Range = (2.5, 3.5)
    midpiece_length: Range = (3.5, 5.5)
    tail_length: Range = (32.0, 48.0)
    tail_width: Range = (0.45, 0.75)  # at its start; the end is half as wide
    tail_waves: Range = (0.3, 1.5)  # half-waves along the tail
    tail_swing: Range = (0.0, 0.5)  # radians
    bend: Range = (1.0, 2.4)  # radians, of a bent tail
    coiled_share: float = 0.3  # of bent tails that coil up instead
    coil: Range = (4.0, 9.0)  # radians that a coiled tail turns
    sperm_height: Range = (1.3, 2.4)  # optical thickness of the head
    sperm_absorption: Range = (0.05, 0.4)
    tail_strength: Range = (0.22, 0.45)  # of the head's thickness and absorption
    # other cells: how many in a dense and a diffuse image
    cells: dict[str, tuple[Range, Range]] = field(default_factory=lambda: dict(CELLS))
    clumps: Range = (2, 9)  # places in a dense image where cells gather
    clump_share: Range = (0.1, 0.6)  # of a dense image's cells that lie in one
    clump_size: Range = (8.0, 30.0)  # standard deviation of the cells about its middle
    floating_share: float = 0.15  # of cells above or below the focus
    floating_blur: Range = (1.5, 4.0)
    # tissue
    tubules: Range = (0, 3)  # of a dense image
    tubule_width: Range = (90.0, 220.0)
    fibres: Range = (0, 4)  # threads without a head, which pass for tails
    extra_fibres: dict[str, int] = field(default_factory=lambda: {"dense": 0, "diffuse": 0})  # in every image
    fibre_height: Range = (0.15, 0.6)
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
