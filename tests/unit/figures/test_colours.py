"""Colours that stand next to each other are distinct with every form of colour blindness, on both grounds."""

from itertools import combinations

import numpy as np
import pytest
from colour_distance import SIGHT, ciede2000, contrast, distance

from ripeness.figures import colours
from ripeness.figures.network_panels import TARGET_COLOURS

METHODS = [*colours.METHOD_COLOURS.values(), *colours.SPARE_COLOURS]
# colours of one figure, and how far they are apart at least (of CIEDE2000); just noticeable is about 2
SETS = {
    "methods": (list(colours.METHOD_COLOURS.values()), 10),
    "formats": (list(colours.FORMAT_COLOURS.values()), 20),
    "groups": (list(colours.GROUP_COLOURS.values()), 15),
    "methods and spare": (METHODS, 8),
    "targets": (TARGET_COLOURS, 8),
    "ordered": (colours.ORDERED_COLOURS, 8),
    "sizes": (colours.SIZE_COLOURS, 4),
}


def on(ground, colour):
    return colours.DARK.get(colour, colour) if ground == "dark" else colour


@pytest.mark.parametrize(
    "one, other, right",
    [  # Sharma, Wu and Dalal 2005, table 1
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ],
)
def test_distance_is_ciede2000(one, other, right):
    assert ciede2000(np.array(one), np.array(other)) == pytest.approx(right, abs=1e-4)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("ground", colours.GROUND)
@pytest.mark.parametrize("name", SETS)
def test_colours_are_distinguished(name, ground, sight):
    used, least = SETS[name]
    shown = [on(ground, colour) for colour in used]
    nearest = min((distance(a, b, sight), a, b) for a, b in combinations(shown, 2))
    assert nearest[0] >= least, nearest


@pytest.mark.parametrize("ground", colours.GROUND)
def test_lines_show_on_their_ground(ground):
    lines = {*METHODS, *colours.FORMAT_COLOURS.values(), *colours.GROUP_COLOURS.values(), *colours.ORDERED_COLOURS}
    faint = {c: contrast(on(ground, c), colours.GROUND[ground]) for c in lines}
    assert {c: round(found, 2) for c, found in faint.items() if found < 3} == {}


def test_every_colour_of_a_chart_has_one_for_dark_screens():
    sets = [colours.METHOD_COLOURS, colours.FORMAT_COLOURS, colours.GROUP_COLOURS, colours.STATUS_COLOURS]
    used = {colour for one in sets for colour in one.values()}
    used |= {*colours.SPARE_COLOURS, *colours.SIZE_COLOURS, *colours.ORDERED_COLOURS}
    assert used <= set(colours.DARK)
    style = colours.colour_style()
    assert all(f"{name}: {colour};" in style for colour, name in colours.VARIABLES.items())
