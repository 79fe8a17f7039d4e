"""On a GPU, log-likelihoods are those of one text at a time; sequences in one row do not see each other."""

from unit.models.test_likelihood import (  # noqa: F401
    llama,
    models,
    test_every_token_is_scored_as_by_one_forward_pass_without_cache,
    test_half_precision_models_are_summed_in_single_precision,
    test_identical_contexts_and_single_tokens_are_scored,
    test_log_likelihoods_of_all_continuations_sum_to_one,
)
