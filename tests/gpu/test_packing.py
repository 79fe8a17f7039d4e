"""On a GPU, packed sequences give the logits of each alone."""

from unit.models.test_packed_attention import (  # noqa: F401
    alike,
    models,
    test_gradients_do_not_leak_from_one_sequence_to_another,
    test_packed_sequences_give_the_logits_of_each_alone,
    test_what_all_begin_with_is_read_once,
)
