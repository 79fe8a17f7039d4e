"""Name the inputs of a training as options, and refuse options that do not go together, before anything is read."""

import argparse
from dataclasses import asdict

from ripeness.models.forward.running_text import read_rows
from ripeness.models.reward import has_reward
from ripeness.models.tuned_state import is_small, kind_of_state, stays_attached
from ripeness.runtime.command_line import existing, json_option
from ripeness.runtime.errors import UserError
from ripeness.runtime.made_here import check_no_overlap
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import ANSWERS, POLICY, RULE, TEXT, Labelled, MethodSettings, TrainingSettings
from ripeness.study.objectives.goal import draws_pairs, draws_texts, ranked_by
from ripeness.study.objectives.register import LEARNED
from ripeness.train.training_pictures import check_pictures

READ = (
    "checkpoint", "start", "start_record", "examples", "validation", "text", "pictures", "held_out", "reward_model",
    "reward_record", "replay_text", "curvature_text",
)  # fmt: skip
FOR_POLICY = ("rule", "held_out", "reward_model", "reward_record")


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the options that name what a training reads."""
    parser.add_argument("--checkpoint", required=True, type=existing, help="folder of the checkpoint to tune")
    parser.add_argument(
        "--start", nargs="?", type=existing, help="folder of a model tuned from the checkpoint, to start from"
    )
    parser.add_argument(
        "--start-record", nargs="?", type=existing, help="record of its training; where that diverged, nothing is tuned"
    )
    parser.add_argument("--pictures", nargs="?", type=existing, help="folder that encode_images wrote for the examples")
    parser.add_argument("--of", nargs="*", default=[], type=existing, help="models whose adapters are fused")
    parser.add_argument(
        "--examples", nargs="?", type=existing, help="training examples, JSONL or parquet, or a folder of train.parquet"
    )
    parser.add_argument("--text", nargs="?", type=existing, help="UTF-8 text to learn in the place of examples")
    parser.add_argument(
        "--validation", type=existing, help="examples on which a kind without steps chooses its penalty"
    )
    parser.add_argument(
        "--rule",
        type=json_option,
        help='how texts of a policy end and are rewarded, e.g. {"max_new_tokens": 60, "metric": "exact_match"}',
    )
    parser.add_argument("--held-out", type=existing, help="examples on whose prompts a policy is measured at its end")
    parser.add_argument("--reward-model", nargs="?", type=existing, help="folder of the model that rewards a policy")
    parser.add_argument(
        "--reward-record",
        nargs="?",
        type=existing,
        help="record of its training; where that diverged, nothing is tuned",
    )
    parser.add_argument("--replay-text", type=existing, help="pre-training text: train.npy of a corpus, or UTF-8 text")
    parser.add_argument(
        "--curvature-text", type=existing, help="running text (parquet: item, text) on which forgetting is measured"
    )


def check_options(options: argparse.Namespace, settings: MethodSettings) -> None:
    """Refuse what cannot be done before anything is read."""
    for output in (options.output, options.record):
        for source in filter(None, (*(getattr(options, name) for name in READ), *options.of)):
            check_no_overlap(output, source)
    check_texts(options, settings)
    check_models(options, settings)
    check_pictures(settings, options.start, options.pictures, options.gpus)
    check_gpus(options, settings)
    if bool(options.validation) == KINDS[settings.kind].takes_steps:
        way = "leave --validation out" if options.validation else "name them as --validation FILE"
        does = "nothing" if options.validation else "its penalty"
        raise UserError(f"kind {settings.kind} chooses {does} on validation items\nhint: {way}")
    check_curvature(options, settings)
    check_reward(options)


def check_texts(options: argparse.Namespace, settings: MethodSettings) -> None:
    """Refuse examples or texts that the settings do not name, or the lack of those that they do."""
    if (settings.learns == TEXT) != bool(options.text) or bool(options.text) == bool(options.examples):
        raise UserError(
            f"settings.learns is {settings.learns or ANSWERS}, for which a training reads "
            f"--{'text' if settings.learns == TEXT else 'examples'} alone\nhint: give that option and not the other one"
        )
    if bool(vars(settings).get("replay")) != bool(options.replay_text):
        raise UserError(
            "`replay` of the settings is the share of what --replay-text names\nhint: give both, or none of them"
        )


def check_models(options: argparse.Namespace, settings: MethodSettings) -> None:
    """Refuse a checkpoint, a start, or other models that the training cannot start from or read."""
    wanted = sum(len(one.datasets) for one in KINDS[settings.kind].reads(vars(settings)))
    if len(options.of) != wanted:
        raise UserError(
            f"--of names {len(options.of)} models, but the settings of kind {settings.kind} name {wanted}\n"
            "hint: one for each of the `datasets` in `of`; none for other kinds"
        )
    given = [one for one in (options.checkpoint, options.start) if one and stays_attached(one)]
    found = next((one for one in given if settings.kind not in KINDS[str(kind_of_state(one))].followers), None)
    if found:
        followers = KINDS[str(kind_of_state(found))].followers
        raise UserError(
            f"what was learned in {found} is stored next to the weights of its checkpoint, and a training of kind "
            f"{settings.kind} that starts from it would lose it\nhint: "
            + (f"kind: {' or '.join(followers)}, or " if followers else "")
            + "start from a checkpoint, or from a model of a kind that merges"
        )
    found = next((one for one in filter(None, (options.checkpoint, options.start)) if has_reward(one)), None)
    if found:
        raise UserError(
            f"{found} is a reward model, which no longer generates words, so no training starts from it\n"
            "hint: start from the model that it was trained from"
        )
    if KINDS[settings.kind].has_small_state and is_small(options.checkpoint):
        raise UserError(
            f"{options.checkpoint} is a small state next to a checkpoint, and a training of kind {settings.kind} "
            "does not start from it\n"
            f"hint: --start {options.checkpoint}, and its checkpoint as --checkpoint"
        )


def check_gpus(options: argparse.Namespace, settings: MethodSettings) -> None:
    """Refuse several GPUs for what is trained on one."""
    if options.gpus > 1 and settings.learns in LEARNED:
        raise UserError(f"what learns {settings.learns} is trained on one GPU\nhint: --gpus 1")
    if options.gpus > 1 and isinstance(settings, Labelled):
        does = "tuned" if isinstance(settings, TrainingSettings) else "fitted"
        raise UserError(f"a model of kind {settings.kind} is {does} on one GPU\nhint: --gpus 1")


def check_curvature(options: argparse.Namespace, settings: MethodSettings) -> None:
    """Refuse a text for the curvature where none is measured, or that cannot be read."""
    if options.curvature_text and not KINDS[settings.kind].moves_weights(asdict(settings)):
        raise UserError("the weights do not change, so there is no curvature\nhint: leave out --curvature-text")
    if options.curvature_text and options.gpus > 1:
        raise UserError("the curvature is measured on one GPU\nhint: --gpus 1, or no --curvature-text")
    if options.curvature_text:
        read_rows(options.curvature_text)  # refused now rather than after the training


def check_reward(options: argparse.Namespace) -> None:
    """Refuse options of texts that are drawn where none are, and their lack where they are."""
    settings = options.settings
    if not draws_texts(settings):
        if given := [f"--{name.replace('_', '-')}" for name in FOR_POLICY if getattr(options, name)]:
            raise UserError(
                f"{' and '.join(given)}: they belong to a policy, and none is trained\nhint: leave the options out"
            )
        return
    if draws_pairs(settings) and options.held_out:
        raise UserError("--held-out: what learns preferences is measured by predict.py\nhint: leave the option out")
    if options.rule is None:
        what = "policy" if settings["learns"] == POLICY else "from drawn pairs"
        raise UserError(f"what learns {what} needs --rule\nhint: e.g. " + """--rule '{"max_new_tokens": 60}'""")
    key = "pairs" if draws_pairs(settings) else "reward"
    if (ranked_by(settings) == RULE) == bool(options.reward_model):
        way = "leave --reward-model out" if options.reward_model else "--reward-model FOLDER"
        raise UserError(f"settings.{key} is {settings[key]!r}, which goes with another option\nhint: {way}")
    if options.reward_model and not has_reward(options.reward_model):
        raise UserError(f"{options.reward_model} is no reward model\nhint: name one that learned reward")
