"""The colours of figures, in the light and in the dark; a colour means the same in every figure.

Those that stand next to each other are apart for readers with normal sight and with each form of colour blindness, and
all show on their ground: tests/unit/figures/test_colours.py measures distance and contrast.
"""

METHOD_COLOURS = {
    "base": "#6b6b6b",
    "full": "#0072b2",
    "lora": "#d55e00",
}
FORMAT_COLOURS = {
    "default": "#030363",
    "io": "#3ea38e",
    "instruct": "#8c42fa",
    "chat": "#f90606",
    "lettered": "#570f1e",
}
SPARE_COLOURS = ["#29a3a3", "#521414", "#0505c7", "#7a4c1f", "#141452"]
GROUP_COLOURS = {"not learned": "#d55e00", "learned": "#0072b2", "difference": "#444444"}
STATUS_COLOURS = {"done": "#a6c8de", "diverged": "#d55e00", "missing": "#e8e8e8"}
SIZE_COLOURS = ["#e8a06c", "#dd7f48", "#cc6130", "#b04722", "#8e3318", "#6b2310", "#48160a"]  # from small to large
# Viridis without its yellow end: lines are ordered by a number.
ORDERED_COLOURS = ["#6f9e12", "#1b8a86", "#3b4c8f", "#380147"]
LIGHT_INK, DARK_INK = "#ffffff", "#222222"  # of numbers in coloured squares, which are the same on every screen

GROUND = {"light": "#ffffff", "dark": "#14191f"}
# What each colour is on a dark screen; one that is not here is the same there.
DARK = {
    "#6b6b6b": "#9e9e94", "#0072b2": "#56b4e9", "#d55e00": "#f08a3c",
    "#030363": "#c3e0fd", "#3ea38e": "#fafa38", "#8c42fa": "#9938fa", "#f90606": "#e00606", "#570f1e": "#e69999",
    "#29a3a3": "#c3fdc3", "#521414": "#f3cee0", "#0505c7": "#0673e0", "#7a4c1f": "#786d6d", "#141452": "#fafa38",
    "#e8a06c": "#7d3a1c", "#dd7f48": "#9c4a24", "#cc6130": "#bb5d30", "#b04722": "#d67746", "#8e3318": "#ea9566",
    "#6b2310": "#f6b48e", "#48160a": "#fdd5bd",
    "#6f9e12": "#3f6fb5", "#1b8a86": "#2bb0a8", "#3b4c8f": "#8fd744", "#380147": "#fdf3a0",
    "#a6c8de": "#2f5f80", "#e8e8e8": "#3c4753",
    "#222": "#e4e9ee", "#333": "#d5dbe1", "#444": "#c1c9d1", "#444444": "#c1c9d1", "#555": "#a5b0bc",
    "#888": "#8a95a1", "#888888": "#8a95a1", "#909090": "#8a95a1", "#999": "#7d8894", "#ddd": "#3c4753",
    "#dddddd": "#3c4753", "#eee": "#2a323b", "white": "#14191f",
}  # fmt: skip
VARIABLES = {colour: f"--chart-{place}" for place, colour in enumerate(DARK)}


def colour_style() -> str:
    """Write the style sheet that gives each colour of a chart its value, in the light and in the dark."""
    light = " ".join(f"{name}: {colour};" for colour, name in VARIABLES.items())
    dark = " ".join(f"{name}: {DARK[colour]};" for colour, name in VARIABLES.items())
    return (
        f"/* Colours of charts. */\n:root {{ {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    )
