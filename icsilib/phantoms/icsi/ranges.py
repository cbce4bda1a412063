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
relief of modulation contrast, Hoffman & Gross 1975 (Appl Opt 14:1169). Ranges named neither there nor below are the
study's own, set by eye: wide enough to hold what photographs of embryos in wells look like (`icsilib.data.embryo`).
"""

from dataclasses import asdict, dataclass, field, replace

Range = tuple[float, float]


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


KITS = (  # as paper A's videos have three kits and four operators; settings of the generator, no clinic and no person
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


@dataclass(frozen=True)
class HardScenes:
    """Ranges that replace those of `IcsiRanges` in a share of the procedures: photographs of another kind.

    Time-lapse wells, low-power views, cells without tools, strong relief, crisp grain, poor exposure. They keep a
    model from taking the one bright round thing for the cell.
    """

    well_share: float = 0.65
    well_rim_level: Range = (-0.15, 1.1)
    well_rim_width: Range = (0.02, 0.15)
    well_outside_level: Range = (-0.15, 0.45)
    round_field_share: float = 0.1
    neighbour_share: float = 0.12
    letterbox_share: float = 0.12
    caption_share: float = 0.3
    no_tools_share: float = 0.2
    no_pipette_share: float = 0.2
    hidden_needle_share: float = 0.3
    cleaving_share: float = 0.35
    fragmented_share: float = 0.6
    pronuclei_share: float = 0.15
    cumulus_share: float = 0.7
    cumulus_clumps: Range = (1, 4)
    cumulus_relief: Range = (0.3, 2.2)
    off_centre: Range = (-0.26, 0.26)
    field_level: Range = (0.28, 0.8)
    brightest_field: float = 0.8
    field_gradient: Range = (0.0, 0.6)
    relief: Range = (0.5, 2.2)
    relief_contrast: Range = (0.5, 1.1)
    rim_width: Range = (0.025, 0.12)
    dome: Range = (0.0, 0.16)
    granularity: Range = (0.2, 1.1)
    granule_size: Range = (0.3, 0.9)
    speckle: Range = (0.03, 0.12)
    speckle_size: Range = (0.3, 0.75)
    height_blur: Range = (0.5, 0.9)
    membrane_line: Range = (0.1, 0.6)
    cytoplasm_level: Range = (-0.2, 0.2)
    zona_speckle: Range = (0.01, 0.08)
    zona_fade: Range = (0.3, 1.0)
    zona_relief: Range = (0.05, 0.7)
    defocus: Range = (0.3, 1.1)
    gamma: Range = (0.5, 1.8)
    contrast: Range = (0.5, 1.9)
    noise: Range = (0.002, 0.045)
    jpeg_quality: Range = (40, 97)


@dataclass(frozen=True)
class CloseScenes:
    """Ranges of injections seen close, as photographs show them and paper A's figures do not.

    The cell fills most of the frame, pressed flat between the tools; it gives way so far ahead of the needle that it
    becomes two lobes joined by a bridge; of the holding pipette a bright bore between black walls is in view at the
    frame's edge; the needle is two thin lines that fade deep in the cytoplasm; light may be so strong that the field
    is white, with a corona of cumulus cells about the zona.
    """

    um_per_px_512: Range = (0.25, 0.5)
    elongation: Range = (0.0, 0.3)
    off_centre: Range = (-0.1, 0.1)
    breakthrough_depth: Range = (0.5, 1.7)
    beyond_breakthrough: Range = (0.0, 0.5)
    funnel_width: Range = (0.12, 0.75)
    kidney: Range = (0.0, 0.5)
    pipette_outer_diameter: Range = (90.0, 180.0)
    pipette_inner_diameter: Range = (15.0, 60.0)
    pipette_edge_level: Range = (-1.0, -0.4)
    pipette_edge_width: Range = (2.0, 12.0)
    pipette_bore_level: Range = (-0.2, 0.9)
    needle_edge_level: Range = (-0.75, -0.1)
    needle_fade: Range = (0.0, 0.9)
    needle_inside: Range = (0.3, 1.0)
    field_level: Range = (0.3, 1.0)
    brightest_field: float = 1.0
    cumulus_share: float = 0.5
    cumulus_clumps: Range = (1, 9)
    cumulus_reach: Range = (0.9, 2.6)
    cumulus_size: Range = (15.0, 50.0)
    zona_level: Range = (-0.1, 0.25)
    gamma: Range = (0.6, 1.6)
    contrast: Range = (0.6, 1.9)
    defocus: Range = (0.4, 2.6)
    jpeg_quality: Range = (25, 97)


@dataclass(frozen=True)
class IcsiRanges:
    """Ranges (low, high) from which each procedure draws; lengths in µm, angles in degrees, shares in 0..1."""

    # oocyte
    cytoplasm_diameter: Range = (105.0, 125.0)
    zona_eccentricity: Range = (-0.4, 0.4)  # shift of the zona against the cell, of the perivitelline gap
    polar_body_angle: Range = (-0.5, 0.5)  # radians off 6 or 12 o'clock
    wobble: Range = (0.004, 0.03)  # of the radius, of each low harmonic of the outline
    elongation: Range = (0.0, 0.0)  # by how much the cell is flattened along the needle's axis, of the radius
    perivitelline_gap: Range = (2.0, 9.0)
    zona_thickness: Range = (13.0, 20.0)
    polar_body_diameter: Range = (11.0, 18.0)
    polar_body_height: Range = (0.25, 0.9)  # of its radius, in the height map
    polar_body_dent: Range = (0.2, 0.75)  # of the body's diameter that presses into the oolemma
    dome: Range = (0.08, 0.24)  # of the radius: how high the cell bulges inside its rim
    granularity: Range = (0.3, 1.6)
    granule_size: Range = (0.45, 2.0)
    vacuole_share: float = 0.15
    vacuole_radius: Range = (3.0, 9.0)
    refractile_body_share: float = 0.2
    refractile_body_radius: Range = (1.5, 4.0)
    inclusion_place: Range = (-0.5, 0.5)  # of the radius, off the centre
    cluster_share: float = 0.3
    cluster_radius: Range = (0.25, 0.5)  # of the cell's radius
    speckle: Range = (0.0, 0.09)  # grain of the cytoplasm in brightness, beside its relief
    speckle_size: Range = (0.35, 1.0)
    cleaving_share: float = 0.06  # cells that have begun to divide; never injected, kept so that lobes are not alien
    lobe_radius: Range = (0.5, 0.8)  # of the radius
    lobe_border_width: Range = (0.7, 2.5)
    lobe_border_depth: Range = (1.0, 5.0)
    lobe_hides: Range = (0.2, 0.9)  # of the borders that lie behind a nearer cell
    lobe_height: Range = (0.4, 1.0)  # of the rim's width
    fragmented_share: float = 0.0  # of the dividing cells: one of their cells has fallen into fragments
    fragments: Range = (10, 40)  # in number; fewer than the second
    fragment_radius: Range = (0.08, 0.3)  # of the cell's radius
    fragment_height: Range = (0.3, 1.3)  # of its radius
    cumulus_share: float = 0.5
    cumulus_size: Range = (15.0, 60.0)
    cumulus_clumps: Range = (1, 2)
    cumulus_reach: Range = (0.6, 1.8)  # of the zona's thickness, from the oolemma to the clump's inner side
    cumulus_cells: Range = (6, 21)  # in a clump
    cumulus_cell_radius: Range = (3.0, 7.0)
    cumulus_cell_level: Range = (0.4, 1.0)  # height of a cell, of the highest
    cumulus_blur: Range = (0.8, 2.0)
    cumulus_darkness: Range = (0.0, 0.35)
    cumulus_relief: Range = (0.3, 1.4)
    pronuclei_share: float = 0.05  # two faint discs, as in a cell that is fertilised
    pronucleus_diameter: Range = (16.0, 26.0)
    pronuclei_place: Range = (-0.3, 0.3)  # of the radius, off the centre
    pronucleus_depth: Range = (0.1, 0.5)  # of its radius
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
    pipette_edge_width: Range = (1.2, 4.5)
    pipette_inner_edge: Range = (0.3, 1.0)  # strength of the bore's edges, of the outer ones
    pipette_halo: Range = (0.0, 0.25)  # bright line along the inside of the edges
    pipette_bent_light: Range = (0.0, 0.3)
    pipette_cover: Range = (0.5, 1.0)  # share of what lies behind that the glass hides
    pipette_defocus: Range = (0.4, 1.6)  # px
    pipette_leaves_share: float = 0.1  # procedures that begin or end without the pipette in view
    pipette_away_least: float = 6.0  # frames with it away or on its way
    pipette_away_most: float = 0.25  # of all frames, likewise
    pipette_pace: Range = (8.0, 20.0)  # frames that it takes to leave
    # injection needle
    needle_diameter: Range = (5.0, 7.0)
    needle_angle: Range = (-16.0, 16.0)
    needle_offset: Range = (-0.15, 0.15)  # of the radius, of its axis from the cell's centre
    needle_taper: Range = (0.0, 0.035)  # growth of the half-width per unit length behind the tip
    needle_bevel: Range = (25.0, 50.0)
    needle_spike: Range = (0.0, 3.0)  # length of the fine point before the bevel
    needle_edge_level: Range = (-0.75, -0.12)
    needle_lumen_level: Range = (-0.1, 0.35)
    needle_fade: Range = (0.0, 0.7)  # contrast lost towards the far end of the shaft
    needle_inside: Range = (0.45, 1.0)  # contrast that remains inside the dark cytoplasm
    needle_defocus: Range = (0.3, 1.6)
    sperm_level: Range = (-0.45, -0.2)
    released_sperm: float = 0.25  # contrast of a sperm left in the cytoplasm, of one in the needle
    bright_needle_share: float = 0.2  # edges brighter than the field instead of darker
    needle_in_view: float = 8.0  # of the needle's length that the frame must show for its tip to be labelled
    tip_contrast: float = 8.0  # grey levels that the needle must change about its tip for the tip to be labelled
    tip_contrast_to_texture: float = 0.8  # the same, of the grey levels' standard deviation there without it
    no_tools_share: float = 0.03  # procedures that show the cell only: the needle never comes
    no_tools_cleaving_share: float = 0.6  # the same, of the procedures with a dividing cell
    # procedure
    needle_start: Range = (0.15, 1.1)  # of the radius, from the zona to where the needle comes into being
    frames: Range = (136, 171)
    breakthrough_depth: Range = (0.25, 0.95)  # of the radius, indentation at which the oolemma gives way
    beyond_breakthrough: Range = (0.0, 0.25)  # of the radius, how much deeper the sperm is let go
    tip_at_aspiration: Range = (-0.04, 0.04)  # of the radius, off the deepest point
    tip_at_release: Range = (-0.05, 0.05)
    withdrawal: Range = (0.3, 1.2)  # of the radius, how far beyond the zona the needle goes
    further_withdrawal: Range = (0.0, 0.4)
    phase_duration: Range = (0.75, 1.3)  # factor on each phase's usual share of the procedure
    relaxation: Range = (1.0, 2.5)  # frames in which the broken membrane springs back to a third
    aspirated_cytoplasm: Range = (5.0, 30.0)  # length drawn into the needle
    funnel_width: Range = (0.08, 0.28)  # of the radius
    kidney: Range = (0.15, 0.6)  # share of the indentation that is broad instead of funnel-like
    funnel_left: Range = (0.02, 0.2)  # share of the indentation that stays beside the needle once broken
    zona_dent: Range = (0.04, 0.18)  # of the radius, how far the zona yields before it is pierced
    zona_inner_edge: Range = (0.0, 0.8)  # of the zona's height, lost towards the perivitelline space
    aspiration_breakage_share: float = 0.35
    # view
    # At 512 px; each kit takes a part of it. A cell fills a quarter to three quarters of the frame.
    um_per_px_512: Range = (0.29, 0.88)
    off_centre: Range = (-0.12, 0.12)  # of the side
    stage_drift: Range = (0.0, 5.0)  # over the whole procedure
    focus_drift: Range = (0.0, 0.6)  # of the defocus, up and down in the course of the procedure
    drift_course: Range = (1.0, 6.0)  # radians of a wave that stage and focus go through
    roll: Range = (-20.0, 20.0)
    mirrored_share: float = 0.5
    # optics and camera
    field_level: Range = (0.36, 0.74)
    brightest_field: float = 0.8
    field_gradient: Range = (0.0, 0.22)
    mottle: Range = (0.004, 0.03)
    vignetting: Range = (0.0, 0.35)
    relief: Range = (0.25, 1.4)
    relief_contrast: Range = (0.4, 0.8)  # brightness that the steepest slope gains or loses
    height_blur: Range = (0.5, 1.0)  # of 0.5 px and 0.4 µm, by which heights are blurred before their slope is taken
    rim_width: Range = (0.05, 0.14)  # of the radius: how wide the membrane's relief is
    cytoplasm_level: Range = (-0.22, 0.05)
    zona_level: Range = (-0.07, 0.12)
    zona_speckle: Range = (0.0, 0.04)  # grain of the zona in brightness
    zona_grain_size: Range = (0.8, 2.5)
    zona_relief: Range = (0.4, 1.0)  # height of the zona's edge, of 0.35 thicknesses
    zona_fade: Range = (0.0, 0.9)  # of the zona's relief and level, lost gradually towards its outside
    membrane_line: Range = (0.0, 0.35)
    membrane_halo: Range = (0.0, 0.25)  # bright line just outside the oolemma
    defocus: Range = (0.3, 1.6)  # px, at 512 px
    gamma: Range = (0.7, 1.5)
    contrast: Range = (0.65, 1.5)
    noise: Range = (0.004, 0.03)
    jpeg_quality: Range = (55, 97)
    dust: Range = (0, 10)
    debris: Range = (0, 7)
    debris_radius: Range = (0.8, 4.0)
    debris_level: Range = (-0.3, 0.25)
    clump_share: float = 0.08  # procedures in which a clump of debris drifts over the needle's tip
    clump_radius: Range = (5.0, 11.0)
    clump_drift: float = 0.35  # µm a frame, standard deviation along each axis
    clump_level: Range = (0.1, 0.4)
    caption_share: float = 0.12  # procedures with a burnt-in caption
    round_field_share: float = 0.06  # procedures whose field stop darkens the corners
    field_stop: Range = (0.42, 0.62)  # radius of the field stop, of the side
    field_stop_edge: Range = (20.0, 140.0)  # its steepness, per side
    field_stop_shift: Range = (-0.08, 0.08)
    well_share: float = 0.06  # procedures filmed in a well or drop
    drop_share: float = 0.25  # of the wells: so wide that the frame shows a stretch of its edge only
    drop_radius: Range = (0.8, 3.0)  # of the side
    drop_edge_reach: Range = (1.1, 2.2)  # of the oocyte's radius, from its centre to the drop's edge
    well_radius: Range = (0.2, 0.75)
    well_edge: Range = (0.002, 0.012)
    well_outer_edge: Range = (1.0, 6.0)  # softness of the rim's outer side, of its inner
    well_rim_width: Range = (0.01, 0.14)
    well_rim_level: Range = (-0.25, 0.8)
    well_outside_level: Range = (-0.05, 0.6)
    well_gradient: Range = (0.0, 1.0)  # of the light outside, from the far side to the near
    well_dimming: Range = (0.0, 1.0)  # of the rim, on its dark side
    well_streaks: Range = (0.3, 1.5)  # frequency of the rings beyond the rim
    well_rings: Range = (0, 3)
    well_ring_place: Range = (-0.6, 2.0)  # of the rim's width, from its inner side
    well_ring_width: Range = (0.08, 0.4)  # of the rim's width
    well_ring_level: Range = (-0.35, 0.35)
    neighbour_share: float = 0.03  # procedures with another cell near, out of focus
    neighbour_size: Range = (0.4, 1.1)  # of the oocyte's radius
    neighbours: Range = (1, 2)
    neighbour_reach: Range = (1.05, 1.5)  # of its radius, from the zona's surroundings to its centre
    neighbour_blur: Range = (2.5, 7.0)
    letterbox_share: float = 0.04  # procedures between black bars, as screens record them
    letterbox: Range = (0.03, 0.13)  # of the side, each bar
    level_bars_share: float = 0.7  # of them: bars above and below, not left and right
    hidden_needle_share: float = 0.12  # procedures with a spell in which the needle fades out of the focal plane
    hidden_spell: Range = (2.0, 14.0)  # frames, half of the spell
    hidden_fading: Range = (1.0, 8.0)  # frames
    hard_share: float = 0.0  # procedures that take the ranges of `hard`
    hard: HardScenes = field(default_factory=HardScenes)
    close_share: float = 0.0  # procedures that take the ranges of `close`
    close: CloseScenes = field(default_factory=CloseScenes)

    def with_scenes(self, scenes: HardScenes | CloseScenes) -> "IcsiRanges":
        """These ranges with those of `scenes` in their place."""
        return replace(self, **asdict(scenes))
