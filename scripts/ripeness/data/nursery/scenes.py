"""Drawn scenes of the micro-world: one thing on grey with noise, and questions about its colour, its shape, its place.

A scene has no file: its pixels are drawn by numpy from a seed, so that no image library is needed.
"""

import io
import random

import numpy as np

from ripeness.data.nursery.tasks import COLOURS, Row
from ripeness.runtime.errors import UserError
from ripeness.study.pictures import SCENE_SIZE

TASK = "scenes"
SIZE = SCENE_SIZE
SHAPES = ("lamp", "key", "drum", "axe")
PLACES = ("garden", "kitchen", "market", "forest")  # the quarters, line by line
QUESTIONS = {
    "colour": ("what colour is it ?", COLOURS),
    "shape": ("what is it ?", SHAPES),
    "place": ("where is it ?", PLACES),
}
MOST_ROWS = {"train": 60_000, "validation": 6_000, "test": 12_000}
PIXELS = {
    "red": (200, 40, 40), "blue": (40, 60, 210), "green": (40, 160, 60), "white": (240, 240, 240),
    "black": (15, 15, 15), "brown": (120, 70, 30),
}  # fmt: skip
GREY, NOISE = 128, 12.0  # of the ground, and of every number in it (standard deviation)
THING, MOVED = 8, 1  # pixels of a thing's side, and how far it stands from the middle of its quarter, at most


def mask_of(shape: str) -> np.ndarray:
    """Return where a shape has its colour, (THING, THING)."""
    down, right = np.mgrid[:THING, :THING] - (THING - 1) / 2
    if shape == "lamp":  # a disc
        return down**2 + right**2 <= (THING / 2) ** 2 - 2
    if shape == "key":  # a cross
        return (np.abs(down) < 1) | (np.abs(right) < 1)
    if shape == "axe":  # a triangle
        return np.abs(right) <= (down + THING / 2) / 2
    return np.ones((THING, THING), dtype=bool)


def draw(scene: dict[str, str], seed: int) -> np.ndarray:
    """Draw a scene: pixels (SIZE, SIZE, 3) of red, green and blue from 0 to 255."""
    rng = np.random.RandomState(seed)  # whose numbers no version of numpy changes
    pixels = np.full((SIZE, SIZE, 3), float(GREY))
    quarter, edge = SIZE // 2, (SIZE // 2 - THING) // 2
    row, column = divmod(PLACES.index(scene["place"]), 2)
    down, right = (quarter * at + edge + rng.randint(-MOVED, MOVED + 1) for at in (row, column))
    pixels[down : down + THING, right : right + THING][mask_of(scene["shape"])] = PIXELS[scene["colour"]]
    return np.clip(np.rint(pixels + rng.normal(0, NOISE, pixels.shape)), 0, 255).astype(np.uint8)


def scenes(n: int, *, split: str, seed: int) -> list[tuple[dict[str, str], np.ndarray]]:
    """Draw n scenes of a split, each with what is asked of it; a longer list begins with the shorter one."""
    rng = random.Random(f"{TASK} {split} {seed}")
    found = []
    for _ in range(n):
        scene = {asked: rng.choice(answers) for asked, (_, answers) in QUESTIONS.items()}
        found.append((scene, draw(scene, rng.getrandbits(32))))
    return found


def scene_rows(*, n: int, split: str, seed: int) -> list[Row]:
    """Make n rows: three questions about each scene, with the picture as the bytes of a numpy file."""
    if n > MOST_ROWS.get(split, 0):
        raise UserError(
            f"{n} rows of nursery task {TASK!r}, split {split!r}, are more than the {MOST_ROWS.get(split, 0)} there are"
            "\nhint: ask for fewer items in the config"
        )
    made: list[Row] = []
    for number, (scene, pixels) in enumerate(scenes(-(-n // len(QUESTIONS)), split=split, seed=seed)):
        image = npy_bytes(pixels)
        for asked, (question, answers) in QUESTIONS.items():
            name = f"{TASK}-{split}-{number:05d}"
            made.append(
                {
                    "id": f"{name}-{asked}",
                    "scene": name,
                    "image": image,
                    "asked": asked,
                    "question": question,
                    "options": list(answers),
                    "answer": answers.index(scene[asked]),
                }
            )
    return made[:n]


def npy_bytes(pixels: np.ndarray) -> bytes:
    """Return pixels as the content of a numpy file."""
    file = io.BytesIO()
    np.save(file, pixels, allow_pickle=False)
    return file.getvalue()
