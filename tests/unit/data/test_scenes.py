"""Drawn scenes: the same from one seed, what they show, and rows that ask about it."""

from collections import Counter

import numpy as np
import pytest

from ripeness.data.nursery.scenes import (
    GREY,
    PIXELS,
    PLACES,
    QUESTIONS,
    SHAPES,
    SIZE,
    draw,
    mask_of,
    scene_rows,
    scenes,
)
from ripeness.runtime.errors import UserError
from ripeness.storage.pictures import read_picture


def test_one_seed_draws_one_scene_to_the_bit_on_any_machine():
    scene = {"colour": "red", "shape": "key", "place": "forest"}
    pixels = draw(scene, 7)
    assert (pixels.shape, pixels.dtype) == ((SIZE, SIZE, 3), np.uint8)
    assert np.array_equal(pixels, draw(scene, 7)) and not np.array_equal(pixels, draw(scene, 8))
    assert int(pixels.astype(np.int64).sum()) == 218_340


@pytest.mark.parametrize("place", PLACES)
def test_a_scene_has_its_colour_in_its_quarter_and_grey_elsewhere(place):
    for colour, value in PIXELS.items():
        pixels = draw({"colour": colour, "shape": "drum", "place": place}, 1).astype(float)
        quarters = pixels.reshape(2, SIZE // 2, 2, SIZE // 2, 3).transpose(0, 2, 1, 3, 4).reshape(4, -1, 3)
        at = PLACES.index(place)
        near = np.abs(quarters - np.array(value)).max(axis=2) < 60
        assert near[at].sum() >= 60  # of 64 pixels of a thing
        for other in set(range(4)) - {at}:
            assert np.abs(quarters[other].mean() - GREY) < 3


def test_shapes_differ_in_many_pixels():
    masks = [mask_of(shape) for shape in SHAPES]
    for place, mask in enumerate(masks):
        assert mask.any()
        for other in masks[place + 1 :]:
            assert (mask != other).sum() >= 12


def test_rows_ask_three_questions_about_each_scene_with_the_right_option():
    rows = scene_rows(n=31, split="train", seed=0)
    drawn = scenes(11, split="train", seed=0)
    assert [row["asked"] for row in rows[:4]] == [*QUESTIONS, "colour"]
    for number, row in enumerate(rows):
        scene, pixels = drawn[number // 3]
        assert row["options"][row["answer"]] == scene[row["asked"]]
        assert np.array_equal(read_picture(row["image"], "here"), pixels)
    assert len({row["id"] for row in rows}) == 31 and Counter(row["scene"] for row in rows).most_common()[0][1] == 3


def test_splits_share_no_picture_and_a_longer_list_begins_with_the_shorter_one():
    parts = {split: scene_rows(n=90, split=split, seed=0) for split in ("train", "validation", "test")}
    images = [{row["image"] for row in rows} for rows in parts.values()]
    assert len(set.union(*images)) == sum(map(len, images)) == 90
    assert scene_rows(n=30, split="train", seed=0) == parts["train"][:30] != scene_rows(n=30, split="train", seed=1)


def test_answers_are_even_over_scenes():
    found = [scene for scene, _ in scenes(1200, split="test", seed=0)]
    for asked, (_, answers) in QUESTIONS.items():
        counts = Counter(scene[asked] for scene in found)
        assert set(counts) == set(answers) and min(counts.values()) > 0.75 * 1200 / len(answers)


def test_more_rows_than_there_are_are_refused():
    with pytest.raises(
        UserError, match="6001 rows of nursery task 'scenes', split 'validation', are more than the 6000"
    ):
        scene_rows(n=6001, split="validation", seed=0)
