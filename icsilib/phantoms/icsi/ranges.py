"""What varies between rendered ICSI procedures, and within which ranges.

Anatomy and tools follow the literature; optics and camera are deliberately wide (domain randomisation), so that
a model trained on the phantom may meet photographs of laboratories that nobody rendered.

Sources: oocyte and zona, ESHRE/Alpha atlas of human embryology (Magli et al. 2012, Hum Reprod 27 suppl 1);
cytoplasm 105-125 µm and zona 13-20 µm, Goyanes et al. 1990 (Hum Reprod 5:613) and Bertrand et al. 1995
(Hum Reprod 10:1189); holding and injection pipettes, Palermo et al. 1992 (Lancet 340:17) and Nagy et al.,
"Intracytoplasmic sperm injection" in Textbook of ART (5th ed., ch. 13): injection needle 5-7 µm outer
diameter with a bevel of 30-50°, holding pipette 60-140 µm outer and 15-35 µm inner diameter; membrane
behaviour at injection, Nagy et al. 1995 (Hum Reprod 10:3171: broken by pricking alone or by suction) and Danfour &
Elmahaishi 2010 (Middle East Fertil Soc J, doi 10.1016/j.mefs.2010.08.003: no, curved or funnel-shaped resistance);
relief of modulation contrast, Hoffman & Gross 1975 (Appl Opt 14:1169).
"""

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class IcsiRanges:
    """Ranges (low, high) from which each procedure draws; lengths in µm, angles in degrees, shares in 0..1."""

    # oocyte
    cytoplasm_diameter: Range = (105.0, 125.0)
    wobble: Range = (0.004, 0.03)  # of the radius, of each low harmonic of the outline
    perivitelline_gap: Range = (2.0, 9.0)
    zona_thickness: Range = (13.0, 20.0)
    polar_body_diameter: Range = (11.0, 18.0)
    polar_body_dent: Range = (0.2, 0.75)  # of the body's diameter that presses into the oolemma
    granularity: Range = (0.3, 1.6)
    granule_size: Range = (0.6, 2.4)
    vacuole_share: float = 0.15
    refractile_body_share: float = 0.2
    cluster_share: float = 0.3
    speckle: Range = (0.0, 0.06)  # grain of the cytoplasm in brightness, beside its relief
    cleaving_share: float = 0.12  # cells that have begun to divide; never injected, kept so that lobes are not alien
    lobe_radius: Range = (0.5, 0.8)  # of the radius
    cumulus_share: float = 0.5
    cumulus_size: Range = (15.0, 60.0)
    # suction pipette
    no_pipette_share: float = 0.03
    pipette_outer_diameter: Range = (60.0, 140.0)
    pipette_inner_diameter: Range = (15.0, 38.0)
    pipette_angle: Range = (-14.0, 14.0)
    zona_drawn_in: Range = (1.0, 7.0)
    pipette_wall_level: Range = (-0.45, 0.3)
    pipette_edge_level: Range = (-0.95, -0.15)
    pipette_bore_level: Range = (-0.35, 0.75)
    pipette_flare: Range = (1.0, 2.4)  # bore in the shaft, of the bore at the mouth
    pipette_rounding: Range = (0.12, 0.5)  # radius of the fire-polished tip, of the outer radius
    # injection needle
    needle_diameter: Range = (5.0, 7.0)
    needle_angle: Range = (-16.0, 16.0)
    needle_taper: Range = (0.0, 0.035)  # growth of the half-width per unit length behind the tip
    needle_bevel: Range = (25.0, 50.0)
    needle_spike: Range = (0.0, 3.0)  # length of the fine point before the bevel
    needle_edge_level: Range = (-0.75, -0.12)
    needle_lumen_level: Range = (-0.1, 0.35)
    needle_fade: Range = (0.0, 0.7)  # contrast lost towards the far end of the shaft
    needle_inside: Range = (0.45, 1.0)  # contrast that remains inside the dark cytoplasm
    needle_defocus: Range = (0.3, 1.6)
    sperm_level: Range = (-0.45, -0.2)
    bright_needle_share: float = 0.2  # edges brighter than the field instead of darker
    # procedure
    frames: Range = (136, 171)
    breakthrough_depth: Range = (0.25, 0.95)  # of the radius, indentation at which the oolemma gives way
    funnel_width: Range = (0.08, 0.28)  # of the radius
    kidney: Range = (0.15, 0.6)  # share of the indentation that is broad instead of funnel-like
    funnel_left: Range = (0.02, 0.2)  # share of the indentation that stays beside the needle once broken
    zona_dent: Range = (0.04, 0.18)  # of the radius, how far the zona yields before it is pierced
    zona_inner_edge: Range = (0.0, 0.8)  # of the zona's height, lost towards the perivitelline space
    aspiration_breakage_share: float = 0.35
    # view
    um_per_px_512: Range = (0.30, 0.72)  # at 512 px; each kit takes a part of the range
    off_centre: Range = (-0.10, 0.10)  # of the side
    roll: Range = (-20.0, 20.0)
    mirrored_share: float = 0.5
    # optics and camera
    field_level: Range = (0.34, 0.72)
    field_gradient: Range = (0.0, 0.22)
    mottle: Range = (0.004, 0.03)
    vignetting: Range = (0.0, 0.35)
    relief: Range = (0.25, 1.15)
    rim_width: Range = (0.05, 0.14)  # of the radius: how wide the membrane's relief is
    cytoplasm_level: Range = (-0.22, 0.05)
    zona_level: Range = (-0.07, 0.12)
    membrane_line: Range = (0.0, 0.35)
    membrane_halo: Range = (0.0, 0.25)  # bright line just outside the oolemma
    defocus: Range = (0.4, 1.8)
    gamma: Range = (0.7, 1.5)
    contrast: Range = (0.65, 1.3)
    noise: Range = (0.004, 0.03)
    jpeg_quality: Range = (55, 97)
    dust: Range = (0, 10)
    debris: Range = (0, 7)
    caption_share: float = 0.12  # procedures with a burnt-in caption
    round_field_share: float = 0.06  # procedures whose field stop darkens the corners
    well_share: float = 0.08  # procedures filmed in a well, whose wall is a bright ring with darkness outside
    hidden_needle_share: float = 0.12  # procedures with a spell in which the needle cannot be seen


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
