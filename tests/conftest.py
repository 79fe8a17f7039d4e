"""A tiny model with its tokenizer, and a dozen examples; torch is imported only where it is used."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# Sums over threads differ in their last bits, and tests compare bits.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# lm-eval's bootstrap forks, and a fork of a process that has threads may wait for ever.
os.environ["DISABLE_MULTIPROC"] = "1"

# Programs that a script starts with `&` ignore Ctrl-C, and so does what they start: tests could interrupt nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says something about the machine only.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Files of whole runs that take minutes, the longest first, so that none is left for the end.
LONGEST = (
    *("test_profile.py", "test_reruns.py", "test_interrupted.py", "test_amuro_char.py", "test_bad_input.py"),
    *("test_harness_study.py", "test_hub_study.py", "test_real_text.py", "test_study.py", "test_overtraining_olmo.py"),
    "test_published_study.py",
)


def pytest_collection_modifyitems(items):
    """Keep the order of folders (cheap ones first), but for the longest files."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    whole = [item for item in items if item.path.parent.name in ("slurm", "workflow")]
    whole.sort(key=lambda item: rank.get(item.path.name, len(rank)))
    items[:] = [item for item in items if item not in set(whole)] + whole


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give the tests of one file to one worker, and all of the browser: what they share is made once."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduler(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "browser" if file.startswith("tests/browser/") else file

    return Scheduler(config, log)


# Where a tiny model of some architecture needs other words for its sizes, or more of them.
SIZES = {
    "bloom": {"n_head": 4, "n_layer": 2},
    "deepseek_v2": {"kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 12}
    | {"num_key_value_heads": 4, "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    "gpt_neox": {"num_key_value_heads": 4},
    "hrm_text": {"H_cycles": 1, "L_cycles": 2},
    "mistral": {"sliding_window": 4},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
}
FACTS = {"series": "tiny", "checkpoint": "step8", "step": 8, "tokens": 4096, "lr": 1e-3, "phase": "stable", "seed": 5}
WORDS = "the film was good bad long short a dog cat sat on mat and ran far away to see what is it yes no"


@pytest.fixture(scope="session")
def tokenizer():
    """Make a byte-level BPE tokenizer, as most models have; it knows the words above, each with the space before it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([WORDS] * 4, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|endoftext|>")


@pytest.fixture(scope="session")
def tiny_model():
    """Give a maker of random models of two layers; large initial weights make them sure of what they say."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    torch.set_num_threads(1)

    def make(architecture="llama", *, seed=0, **settings):
        torch.manual_seed(seed)
        sizes = {
            "vocab_size": 384,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 64,
            "initializer_range": 0.15,
            "bos_token_id": None,
            "eos_token_id": 0,
            "pad_token_id": None,
        }
        config = CONFIG_MAPPING[architecture](**sizes | SIZES.get(architecture, {}) | settings)
        return AutoModelForCausalLM.from_config(config).eval()

    return make


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, tokenizer, tiny_model):
    """Save a tiny Llama as a checkpoint folder of the series "tiny"; tests read it and never change it."""
    from ripeness.runtime.files import write_json

    folder = tmp_path_factory.mktemp("checkpoints") / "step8"
    tiny_model("llama").save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(folder / "checkpoint.json", FACTS)
    return folder


@pytest.fixture(scope="session")
def broken(tmp_path_factory, checkpoint):
    """The checkpoint with an output layer of NaN, as a training may leave it: no logit is a number."""
    import shutil

    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("broken") / "step8"
    shutil.copytree(checkpoint, folder)
    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    model.lm_head.weight.data.fill_(float("nan"))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def endless(tmp_path_factory, tokenizer, tiny_model):
    """Save a model whose config names no number of positions, since distances are biases; tests never change it."""
    from ripeness.runtime.files import write_json

    folder = tmp_path_factory.mktemp("checkpoints") / "endless"
    model = tiny_model("bloom")
    del model.config.max_position_embeddings
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(folder / "checkpoint.json", FACTS | {"checkpoint": "endless"})
    return folder


@pytest.fixture(scope="session")
def examples(tmp_path_factory):
    """Write a dozen examples a role, as render_examples does: <folder>/{choice,text}/{train,test,shots}.parquet."""
    from ripeness.tables.columns import EXAMPLES, write_table

    folder = tmp_path_factory.mktemp("examples")
    for role in ("train", "test", "shots"):
        choice, text = [], []
        for number in range(12):
            common = {"item": f"{role}:{number}", "cluster": f"{role}:{number // 2}"}
            gold, times = number % 2, number // 2
            options, words = [" good", " bad"], [["long", "short"][gold], *["far"] * times]
            choice.append(
                common
                | {
                    "prompt": f"the film was {' '.join(words)}\nit is",
                    "choices": options,
                    "gold": gold,
                    "target": options[gold],
                }
            )
            target = f" the {['dog', 'cat'][gold]} ran"
            text.append(
                common | {"prompt": f"see what {' '.join(words)}\nit is", "choices": [], "gold": -1, "target": target}
            )
        write_table(folder / "choice" / f"{role}.parquet", choice, EXAMPLES)
        write_table(folder / "text" / f"{role}.parquet", text, EXAMPLES)
    return folder
