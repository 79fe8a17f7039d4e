"""What each column of the tables of a study means, in the words of docs/tables.md."""

WHO = {
    "study": "Name of the study.",
    "series": "Run of pre-training, by its name in the config.",
    "checkpoint": "Checkpoint, by its name in the config.",
    "step": "Step of its pre-training.",
    "tokens": "Tokens of pre-training that it has seen.",
    "lr": "Learning rate of its last step of pre-training.",
    "phase": "stable, decayed or annealed ([decay.md](decay.md)).",
    "pretraining_seed": "Seed of the pre-training run.",
    "dataset": "What the model was tuned on; for method `base`, the probe itself.",
    "format": "Format that the model was tuned in; for method `base`, that of the probe.",
    "method": "How it was tuned; `base` is the untouched checkpoint.",
    "learning_rate": "Learning rate of the tuning; null for `base`.",
    "seed": "Seed of the tuning; for `base`, the seed that draws the shots.",
    "suite": "Suite that requested the measurement; `base` for the untouched checkpoint.",
    "probe": "What it was measured on: a dataset, a text, or a task of lm-eval.",
    "probe_kind": "choice, preference, generation, text, or harness (a task of lm-eval).",
    "probe_format": "Format of the prompts that were asked; `lm_eval` for a task of lm-eval.",
    "shots": "Number of solved examples in the prompt.",
    "split": "test or validation; null for text.",
    "is_chosen": "False for a learning rate that was not chosen (see below), and for published numbers of shots that "
    "are not compared; otherwise true.",
}
MEASURED = {
    "metric": "Name of the metric; they are listed below.",
    "is_primary": "True for the primary metric of the probe, which findings and figures read: `metric` of the task, "
    "or `bits_per_byte` for running text.",
    "value": "The value of the metric.",
    "se": "Standard error over items, clustered where items share a passage.",
    "n_items": "Number of items.",
    "chance": "For accuracies and shares of pairs preferred: the score of a blind choice.",
    "majority": "The score of always giving the most frequent correct answer. Where options belong to the item, no "
    "model sees their position, and it equals chance.",
    "n_seeds": "Number of seeds; 1 but for published numbers.",
    "source": "`measured`, `lm_eval <version>`, or the files of [published tables](published.md), whose suites are "
    "`base`, `own dataset` and `other dataset`.",
    "reason": "Why `value` is null ([below](#missing-numbers)).",
}
RIGHT = "Whether the best option is correct or [equivalent](#equivalent-options)"
PLACED = {  # joined to the items where they are exported, queried or opened
    "prompt": "The prompt of the item in the format that was asked, without shots; of a chat, the last turn.",
    "options": "The options of a choice, as they are scored, with their space.",
    "answer": "The right answer, as it is scored.",
}
ITEM = {
    "item": "Id of the item.",
    "cluster": "Id of its cluster: items that share a passage.",
    "gold": "The correct answer.",
    "prediction": "The predicted answer.",
    "score": "The value of the primary metric, from 0 to 1.",
    "is_correct": f"{RIGHT}, by the task's `normalisation`; null where not available.",
    "is_correct_raw": f"{RIGHT}, by the plain log-likelihood.",
    "is_correct_char": f"{RIGHT}, per character.",
    "is_correct_byte": f"{RIGHT}, per byte.",
    "is_correct_token": f"{RIGHT}, per token.",
    "is_correct_pmi": f"{RIGHT}, minus the log-likelihood of the option after `unconditional`.",
    "is_preferred": "Whether the better of two answers is more probable, or has the higher reward.",
    "is_preferred_token": "The same per token.",
    "logp_gold": "Log-likelihood of the correct option.",
    "margin": "Lead of the best correct option over the best wrong one.",
    "is_tie": "Whether more than one option with different meanings is best.",
    "rouge_l": "ROUGE-L F1 of the generated answer, from 0 to 1.",
    "exact_match": "Whether the generated answer equals a correct one.",
    "text": "The generated answer.",
    "nll": "Negative log-likelihood of a passage, or of the correct answer.",
    "n_tokens": "Tokens of the passage, or of the correct answer.",
    "n_bytes": "Bytes of the passage.",
    "n_prompt_tokens": "Tokens of the prompt.",
    "is_truncated": "True only where lm-eval cut a prompt from the left; other probes reject what does not fit.",
    "n_dropped_shots": "Whole shots left out so that the prompt fits.",
    "harness": "lm-eval's own record of the item: `metric`, `value`, and `is_mean` (false where the value is that of "
    "the whole task).",
    "reason": "Why scores are null.",
}
CELL = {
    "kind": "What moves ([methods](methods.md#kinds)). Like all that follows but status and dropped shots, null for "
    "`base`.",
    "learns": "What is learned: answers, text, preferences, reward or policy.",
    "start": "Method of the cell whose model this one starts from (`from`); null where that is the checkpoint.",
    "start_dataset": "Dataset that this start was tuned on, where it is another one.",
    "rewarded_by": "What a [policy](methods.md#a-policy) is rewarded by: rule, the method of a reward model, or both "
    "(rule and rm); null for others.",
    "examples": "The [dose](methods.md#doses) of a method that has some; null for others.",
    "doses_of": "The method under which a dose is listed; null for others.",
    "status": "done or diverged.",
    "reason": "Why it diverged, and which measurements have no number.",
    "n_examples": "Examples.",
    "n_tokens": "Their tokens over all steps that were planned, or in which states were read once.",
    "n_truncated": "Truncated examples; always 0.",
    "final_loss": "The last loss, or that of a fit (`features`).",
    "displacement": "L2 norm of tuned minus checkpoint weights over all tensors, tied tensors once; null where the "
    "model itself stays as it is, and for kinds that do not merge.",
    "relative_displacement": "The displacement divided by the norm of the checkpoint's weights.",
    "curvature": "Curvature of the loss on pre-training text, at the checkpoint along the displacement; null unless "
    "the study requests it.",
    "trainable_parameters": "Numbers that were trained.",
    "state_bytes": "Bytes on disk of what was learned: of all weights, or of the small state.",
    "tokens_seen": "Tokens that were read in all steps that were taken, with replayed text.",
    "steps": "Steps that were taken, fewer than planned in a training that diverged.",
    "train_seconds": "Seconds of the training alone, over all attempts, without loading and saving.",
    "peak_bytes": "Most memory at once: what tensors held on the GPU (the first of several), or without a GPU all "
    "memory of the process, with its libraries.",
    "kl": "Of a [policy](methods.md#a-policy): KL divergence of its own texts to the start. This and what follows "
    "are of test prompts, and null for other trainings.",
    "win_rate": "How often a text of the result is worth more than one of the start.",
    "reward": "Mean of what texts of the result are rewarded with.",
    "reward_before": "The same of the model that it started from.",
    "truth": "Mean of what the task's rule says of texts of the result.",
    "truth_se": "Its standard error over prompts.",
    "truth_before": "The same of the model that it started from.",
    "truth_before_se": "Its standard error over prompts.",
    "pass_at_1": "How likely a text is right.",
    "pass_at_1_se": "Its standard error over prompts.",
    "pass_at_1_before": "The same of the model that it started from.",
    "pass_at_1_before_se": "Its standard error over prompts.",
    "pass_at_64": "How likely one of 64 texts is right.",
    "pass_at_64_se": "Its standard error over prompts.",
    "pass_at_64_before": "The same of the model that it started from.",
    "pass_at_64_before_se": "Its standard error over prompts.",
    "distinct": "Share of pairs of texts after a prompt that differ.",
    "distinct_before": "The same of the model that it started from.",
    "n_dropped_shots": "Shots left out, in all prompts of the cell.",
    "train_precision": "fp32 or bf16, for the forward and backward pass. Weights are trained in fp32.",
    "predict_precision": "fp32 or bf16, of the measurements.",
}
TUNED = {
    name: f"{WHO[name].removesuffix('.')}: of a displacement; null for other perturbations."
    for name in ("dataset", "format", "method", "learning_rate", "seed")
}
PERTURBED = {
    "perturbation": "noise, rounding, or displacement (by tuning).",
    "normalisation": "Of noise; empty for the others.",
    "scale": "Scale of noise; bits of rounding; norm of a displacement.",
    "noise_seed": "Seed that drew the noise. The draw is the same at every scale, normalisation and checkpoint of a "
    "series, so differences are paired. Null for the others.",
    "probe": "Text on which the loss was measured, a name under `texts`.",
    "base_loss": "Loss before.",
    "loss": "Loss after.",
    "increase": "Loss after minus loss before.",
    "se": "Standard error of the increase over passages, paired: that of a ratio of sums, change of loss over "
    "tokens. It does not cover the draw of the noise; compare rows with several seeds for that.",
    "base_perplexity": "e to the power of the loss before.",
    "perplexity": "e to the power of the loss after.",
    "curvature": "Along a displacement; null for the others.",
    "n_items": "Passages.",
    "n_tokens": "Their tokens.",
    "reason": "Why `loss`, `increase`, `se` or a perplexity is null: passages without a finite loss, or a perplexity "
    "too large for a number. Findings that rank losses treat such a loss under noise as larger than any other, and say "
    "so.",
}
AUDITED = {
    "check": "Name of the check.",
    "stage": "grid, items, prompts or results.",
    "severity": "fatal, warning, note, or passed.",
    "where": "The place.",
    "seen": "What was found there.",
    "why": "Why it matters.",
    "is_acknowledged": "Whether the study acknowledges the check.",
    "reason": "The reason that the study gives.",
}
