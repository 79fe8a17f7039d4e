"""On a GPU, texts are those of a plain loop, whatever is written side by side."""

from unit.models.test_writing import (  # noqa: F401
    test_a_prompt_is_read_once_for_all_of_its_texts,
    test_texts_are_those_of_a_plain_loop_with_the_same_chances,
    test_texts_depend_on_the_seed_alone_and_not_on_the_batch,
)
