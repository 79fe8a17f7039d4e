"""Kinds of tuning: settings that are read and checked, and the part of the schema that follows from them."""

from dataclasses import MISSING, fields
from typing import get_type_hints

import pytest

from ripeness.models.methods.register import ATTACH
from ripeness.runtime.errors import UserError
from ripeness.study.methods.full import FullSettings
from ripeness.study.methods.limits import choices_of
from ripeness.study.methods.lora import LoraSettings
from ripeness.study.methods.reading import read_settings
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.schema_part import SCHEMA, kinds_part, schema_of, with_part
from ripeness.study.methods.settings import Labelled, MethodSettings, Seeing, TrainingSettings
from ripeness.study.objectives.register import LEARNED, LEARNS
from ripeness.study.schema import fill_defaults, read_schema, resolve

SCHEMA_OF_METHOD = read_schema(SCHEMA)["$defs"]["method"]
NOT_OF_A_TRAINING = {"from", "text", "gpu", "choose_by", "datasets", "by_dataset"}
FULL = {"kind": "full", "learning_rate": 1e-3, "epochs": 1, "batch_size": 2, "seed": 3}
LORA = FULL | {"kind": "lora", "rank": 8, "alpha": 16}
ADAPTER = FULL | {"kind": "adapter", "size": 8}
FUSION = FULL | {"kind": "fusion", "of": {"method": "adapter", "datasets": ["a", "b"]}}
FEATURES = {"kind": "features", "seed": 3}
ADALORA = LORA | {"kind": "adalora"}


def test_the_schema_has_the_part_of_the_kinds_as_make_schema_writes_it():
    text = SCHEMA.read_text(encoding="utf-8")
    assert with_part(text) == text, "run `make schema`"
    assert kinds_part().items() <= SCHEMA_OF_METHOD["properties"].items()


def test_keys_types_and_defaults_of_the_schema_are_those_of_the_dataclasses():
    properties = SCHEMA_OF_METHOD["properties"]
    of_kinds = {field.name: field for kind in KINDS.values() for field in fields(kind.settings)}
    of_kinds |= {field.name: field for learned in LEARNED.values() for field in fields(learned.settings)}
    assert properties.keys() - NOT_OF_A_TRAINING == of_kinds.keys() - {"seed", "labels", "width", "encoder_digest"}
    shared = [field for field in fields(TrainingSettings) if field.name not in ("seed", "kind", "replay")]
    hints = get_type_hints(TrainingSettings)
    for field in shared:
        found = resolve(properties[field.name], read_schema(SCHEMA))
        assert found.get("default") == (None if field.default is MISSING else field.default), field.name
        wanted = schema_of(hints[field.name])
        if field.name == "learning_rate":  # of which a method has a list
            wanted = {"type": ["number", "array"]}
        if field.name == "examples":
            wanted = {"type": ["integer", "array"]}
        if field.name == "learns":
            wanted = {"enum": list(LEARNS)}
        assert wanted.items() <= found.items(), field.name
    assert SCHEMA_OF_METHOD["required"] == ["kind"]
    required = {field.name for field in shared if field.default is MISSING}
    assert set(SCHEMA_OF_METHOD["else"]["required"]) == required
    without = SCHEMA_OF_METHOD["if"]["properties"]["kind"]["enum"]
    assert without == [name for name, kind in KINDS.items() if not kind.takes_steps]


@pytest.mark.parametrize("given", [FULL, LORA, FULL | {"kind": "head", "moves": "all"}], ids=["full", "lora", "head"])
def test_a_method_that_leaves_defaults_out_is_the_same_as_one_with_those_of_the_schema(given):
    filled = dict(given)
    fill_defaults(filled, SCHEMA_OF_METHOD, read_schema(SCHEMA))
    training = {key: value for key, value in filled.items() if key not in NOT_OF_A_TRAINING}
    assert read_settings(training) == read_settings(given)


def test_both_registers_have_the_same_kinds_each_with_its_own_settings():
    assert {kind.settings for kind in KINDS.values()} == ATTACH.keys()
    for name, kind in KINDS.items():
        shared = {field.name for field in fields(TrainingSettings if kind.takes_steps else MethodSettings)}
        shared |= {field.name for field in fields(Labelled)} if kind.has_labels else set()
        shared |= {field.name for field in fields(Seeing)} if kind.sees else set()
        assert choices_of(kind.settings)["kind"] == (name,)
        assert {field.name for field in fields(kind.settings)} == shared | kind.keys.keys()


def test_settings_are_read_as_those_of_their_kind():
    assert read_settings(FULL | {"pull": 1}) == FullSettings(learning_rate=1e-3, epochs=1, batch_size=2, seed=3, pull=1)
    assert read_settings(LORA | {"modules": ["q_proj"], "pull": None}) == LoraSettings(
        learning_rate=1e-3, epochs=1, batch_size=2, seed=3, rank=8, alpha=16, modules=("q_proj",)
    )
    without = {key: value for key, value in FULL.items() if key != "kind"}
    assert read_settings(without) == read_settings(FULL)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (FULL | {"epoch": 8}, "settings: unknown key 'epoch'\nhint: did you mean 'epochs'?"),
        (LORA | {"ranks": 8}, "settings: unknown key 'ranks'\nhint: did you mean 'rank'?"),
        (FULL | {"kind": "lor"}, "settings: unknown kind 'lor'\nhint: did you mean 'lora'?"),
        (FULL | {"kind": "nonesuch"}, "settings: unknown kind 'nonesuch'\nhint: known are full, lora"),
        (FULL | {"kind": ["lora"]}, r"settings: unknown kind \['lora'\]\nhint: did you mean 'lora'"),
        (FULL | {"schedule": "step"}, "unknown schedule 'step'\nhint: known are linear, constant, cosine"),
        (FULL | {"schedule": ["linear"]}, r"unknown schedule \['linear'\]\nhint: "),
        (FULL | {"learning_rate": None}, "settings: missing 'learning_rate'\nhint: known are "),
        (FULL | {"learning_rate": "fast"}, "settings: learning_rate is 'fast', not a number"),
        (LORA | {"alpha": None}, "kind lora lacks alpha\nhint: e.g. rank: 8 and alpha: 16; "),
        (
            FULL | {"rank": 8, "modules": ["q_proj"]},
            "kind full has no rank, modules\nhint: kind: lora or adalora, or leave ",
        ),
        (LORA | {"pull": 0.1}, "`pull` holds weights near .*\nhint: "),
        (FULL | {"replay": 1.0}, "settings.replay: 1.0 is not below 1\nhint: "),
        (FULL | {"replay": "much"}, "settings: replay is 'much', not a number"),
        (FULL | {"steps": 0}, "settings.steps: 0 is less than 1\nhint: "),
        (FULL | {"pull": 0.0}, "settings.pull: 0.0 is not above 0\nhint: "),
        (LORA | {"rank": 0}, "settings.rank: 0 is less than 1\nhint: "),
        (LORA | {"rank": 20000}, "settings.rank: 20000 is more than 10000\nhint: "),
        (LORA | {"variant": "lora+"}, "settings: unknown variant 'lora\\+'\nhint: "),
        (LORA | {"variant": ["dora"]}, r"settings: unknown variant \['dora'\]\nhint: "),
        (FULL | {"variant": "dora"}, "kind full has no variant\nhint: kind: lora, or leave "),
        (FULL | {"modules": ["q_proj"]}, "kind full has no modules\nhint: kind: lora or adalora or ia3 or oft or peft"),
        (FULL | {"rank": 8, "block_size": 8}, "kind full has no rank, block_size\nhint: kind: lora or "),
        (FULL | {"kind": "ia3", "input_modules": ["fc2"]}, "fc2 is not among `modules`\nhint: "),
        (FULL | {"kind": "oft"}, "kind oft lacks block_size\nhint: e.g. block_size: 8"),
        (FULL | {"kind": "oft", "block_size": 1}, "settings.block_size: 1 is less than 2\nhint: "),
        (ADALORA | {"initial_rank": 8}, "settings.initial_rank: 8 is not above the rank of 8 at the end\nhint: e.g. "),
        (ADALORA | {"steps": 9, "final_steps": 9}, "9 steps leave none to allocate ranks in, after 0 .*\nhint: more "),
        (LORA | {"quantised": "int8"}, "settings: unknown quantised 'int8'\nhint: known are nf4"),
        (
            LORA | {"quantised": "nf4", "variant": "pissa"},
            "pissa takes a part out of the weights, .*\nhint: leave out ",
        ),
        (FULL | {"quantised": "nf4"}, "kind full has no quantised\nhint: kind: lora, or leave "),
        (FULL | {"kind": "peft"}, "kind peft lacks type\nhint: e.g. type: HRA and options"),
        (
            FULL | {"kind": "peft", "type": "HRR"},
            "settings.type: peft has no 'HRR' that merges .*\nhint: did you mean",
        ),
        (FULL | {"kind": "peft", "type": "LORA"}, "settings.type: LORA cannot be used: it has a .*\nhint: kind: lora"),
        (FULL | {"kind": "peft", "type": "TRAINABLE_TOKENS"}, "which `token_indices` names, .*\nhint: e.g. options"),
        (FULL | {"kind": "peft", "type": "HRA", "options": [8]}, "settings: options is \\[8\\], not an object"),
        (FULL | {"kind": "prefix"}, "kind prefix lacks tokens\nhint: e.g. tokens: 8"),
        (FULL | {"kind": "prompt", "tokens": 0}, "settings.tokens: 0 is less than 1\nhint: "),
        (FULL | {"kind": "prompt", "tokens": 8, "initial": "zero"}, "unknown initial 'zero'\nhint: known are tokens, "),
        (
            FULL | {"kind": "prefix", "tokens": 8, "encoder": 64, "initial": "tokens"},
            "settings.initial: with an encoder virtual tokens do not start .*\nhint: leave out `initial` or `encoder`",
        ),
        (
            FULL | {"kind": "prompt", "tokens": 8, "encoder_type": "lstm"},
            "settings.encoder_type: there is no encoder\nhint: give its inner size, e.g. encoder: 64",
        ),
        (FULL | {"kind": "prefix", "tokens": 8, "encoder_type": "lstm"}, "has no encoder_type\nhint: kind: prompt, or"),
        (FULL | {"kind": "prefix", "tokens": 8, "pull": 0.1}, "virtual tokens leave these as they are\nhint: take out"),
        (
            FULL | {"kind": "prefix", "tokens": 8, "gpu": 2},
            "with virtual tokens cannot be split over 2 GPUs\nhint: gpu",
        ),
        (FULL | {"tokens": 8}, "kind full has no tokens\nhint: kind: prefix or prompt, or leave "),
        (FULL | {"kind": "freeze"}, "kind freeze leaves nothing to train\nhint: one or more of blocks, norms, "),
        (FULL | {"kind": "freeze", "norms": False}, "kind freeze leaves nothing to train\nhint: "),
        (FULL | {"kind": "freeze", "blocks": 0}, "kind freeze leaves nothing to train\nhint: "),
        (FULL | {"kind": "freeze", "blocks": -1}, "settings.blocks: -1 is less than 1\nhint: "),
        (FULL | {"kind": "freeze", "norms": 1}, "settings: norms is 1, not true or false"),
        (FULL | {"kind": "freeze", "blocks": 2, "pull": 0.1}, "`pull` holds all weights .*\nhint: "),
        (FULL | {"kind": "freeze", "blocks": 2, "gpu": 2}, "partly frozen cannot be split over 2 GPUs\nhint: gpu: 1"),
        (FULL | {"kind": "adapter"}, "kind adapter lacks size\nhint: e.g. size: 8"),
        (ADAPTER | {"size": 0}, "settings.size: 0 is less than 1\nhint: "),
        (ADAPTER | {"places": "attention"}, "settings: unknown places 'attention'\nhint: known are both, feed-forward"),
        (ADAPTER | {"drop": 0}, "settings.drop: 0 is less than 1\nhint: "),
        (ADAPTER | {"drop": "robust"}, "settings: drop is 'robust', not a whole number"),
        (ADAPTER | {"robust": True}, "`robust` drops adapters at random, but .*\nhint: drop: 1 or more"),
        (ADAPTER | {"pull": 0.1}, "`pull` holds weights near .*\nhint: "),
        (ADAPTER | {"gpu": 2}, "a model with adapters cannot be split over 2 GPUs\nhint: gpu: 1"),
        (FULL | {"size": 8}, "kind full has no size\nhint: kind: adapter, or leave "),
        (FULL | {"kind": "fusion"}, "kind fusion lacks of\nhint: e.g. of: "),
        (FUSION | {"of": {"method": "adapter"}}, "does not name a method .* and a list of `datasets`\nhint: e.g. "),
        (FUSION | {"of": "adapter"}, "does not name a method .* and a list of `datasets`\nhint: e.g. "),
        (FUSION | {"of": {"method": ["adapter"], "datasets": ["a", "b"]}}, "does not name a method .*\nhint: e.g. "),
        (FUSION | {"of": FUSION["of"] | {"datasets": ["a"]}}, "a fusion needs 2 or more, .*\nhint: name "),
        (FUSION | {"of": FUSION["of"] | {"datasets": ["a", "a"]}}, "datasets are a, a; a fusion .*\nhint: name "),
        (FUSION | {"of": FUSION["of"] | {"dataset": "a"}}, "does not name a method .*\nhint: e.g. "),
        (FULL | {"kind": "head"}, "kind head lacks moves\nhint: e.g. moves: head, or moves: all"),
        (FULL | {"kind": "head", "moves": "some"}, "unknown moves 'some'\nhint: known are head, all"),
        (FULL | {"kind": "head", "moves": "all", "replay": 0.5}, "`replay` reads text by .*\nhint: "),
        (FULL | {"kind": "head", "moves": "all", "pull": 0.5}, "`pull` holds all weights near .*\nhint: "),
        (FULL | {"kind": "head", "moves": "all", "gpu": 2}, "cannot be split over 2 GPUs\nhint: gpu: 1"),
        (FULL | {"moves": "all"}, "kind full has no moves\nhint: kind: head, or leave "),
        (FULL | {"kind": "features"}, "takes no steps of an optimizer, and has no learning_rate, epochs, batch_size\n"),
        (
            FEATURES | {"schedule": "cosine"},
            "takes no steps of an optimizer, and has no schedule\nhint: kind: ",
        ),
        (FEATURES | {"by_dataset": {"a": {}}}, "takes no steps of an optimizer, and has no by_dataset\nhint: "),
        (FEATURES | {"penalties": [0.1, 0]}, "settings.penalties: 0 is not above 0, so .*\nhint: use a small one"),
        (FEATURES | {"penalties": "small"}, "settings: penalties is 'small', not a list"),
        (FEATURES | {"gpu": 2}, "a model that is read once cannot be split over 2 GPUs\nhint: gpu: 1"),
        ({key: value for key, value in FULL.items() if key != "seed"}, "missing 'seed'\nhint: known are "),
    ],
)
def test_settings_that_cannot_be_are_refused_with_a_hint(values, message):
    with pytest.raises(UserError, match=message):
        read_settings(values)


def test_the_estimate_of_a_small_state_is_on_the_safe_side_and_small_for_large_models():
    size = KINDS["lora"].state_size
    # all linear layers of Llama-2-7B at rank 8: 32 blocks of 4 x (4096 + 4096) and 3 x (4096 + 11008), each times 8
    real = 32 * 8 * (4 * 8192 + 3 * 15104)
    assert real < size({"rank": 8}, 6_738_415_616) < 6_738_415_616 / 50
    assert size({"rank": 1000}, 1000) == 1000
    assert KINDS["full"].state_size({}, 1000) == 1000
