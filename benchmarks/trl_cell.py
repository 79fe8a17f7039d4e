"""Tune one checkpoint with SFTTrainer of TRL in a process of its own, as a loop over cells would: for study.py."""

import argparse
import json
import math
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from datasets import Dataset, disable_progress_bars
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer


def main() -> None:
    """Write the tuned model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True, type=Path)
    parser.add_argument("--examples", required=True, type=Path, help="JSONL with prompt and completion")
    parser.add_argument("--settings", required=True, type=json.loads, help="of a method of a study, as JSON")
    parser.add_argument("--output", required=True, type=Path)
    options = parser.parse_args()
    disable_progress_bars()
    settings = options.settings
    rows = [json.loads(line) for line in options.examples.read_text(encoding="utf-8").splitlines()]
    model = AutoModelForCausalLM.from_pretrained(options.checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(options.checkpoint)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    steps = settings["epochs"] * math.ceil(len(rows) / settings["batch_size"])
    config = SFTConfig(
        output_dir=str(options.output), per_device_train_batch_size=settings["batch_size"],
        num_train_epochs=settings["epochs"], learning_rate=settings["learning_rate"], lr_scheduler_type="linear",
        warmup_steps=math.ceil(settings["warmup_ratio"] * steps), weight_decay=0.0, max_grad_norm=1.0,
        completion_only_loss=True, bf16=False, gradient_checkpointing=False, use_cpu=True, dataloader_pin_memory=False,
        max_length=model.config.max_position_embeddings, logging_strategy="no", save_strategy="no", report_to="none",
        disable_tqdm=True, seed=settings["seed"],
    )  # fmt: skip
    trainer = SFTTrainer(model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    trainer.train()
    trainer.save_model(str(options.output))


if __name__ == "__main__":
    main()
