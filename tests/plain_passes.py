"""What ripeness computes with a model held against single passes of plain transformers over each text."""

import math
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from ripeness.measure.options import option_scores
from ripeness.measure.prompts import Prompt
from ripeness.models.batching import IGNORED, Example
from ripeness.models.forward.likelihood import Request, log_likelihoods
from ripeness.models.forward.packing import keeps_exactly, narrows_exactly, packs_exactly
from ripeness.models.load import load_model
from ripeness.models.next_token import greedy
from ripeness.models.token_healing import Start
from ripeness.models.tuned_weights import save_model
from ripeness.models.writing import write
from ripeness.study.methods.reading import read_settings
from ripeness.train.loop import batches, train

SHORT, LONG = 21, 60  # the tokens of texts: within the windows of the tiny models, and beyond
NEW_TOKENS = 6
SETTINGS = {"learning_rate": 1e-3, "epochs": 1, "batch_size": 4, "seed": 3, "precision": "fp32", "warmup_ratio": 0.0}


def texts(seed: int, lengths: list[int]) -> list[list[int]]:
    """Random tokens."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(3, 256, (length,), generator=generator).tolist() for length in lengths]


def prompts(longest: int) -> list[Prompt]:
    """Questions with options of several lengths after a shared beginning, at most `longest` tokens."""
    beginning, *rests = texts(1, [9, 3, longest - 14, 5, 4])
    options = [texts(2 + n, [1, 3, 4, 2][: 2 + n % 3]) for n in range(4)]
    return [Prompt(beginning + rest, answers, 0) for rest, answers in zip(rests, options, strict=True)]


def examples(longest: int) -> list[Example]:
    """Twelve prompts with answers, that begin alike, at most `longest` tokens."""
    beginning, *rests = texts(9, [8, *(3 + n * (longest - 12) // 14 for n in range(12))])
    found = []
    for number, rest in enumerate(rests):
        n_answer = 1 + number % 3
        tokens = beginning + rest
        targets = [IGNORED] * (len(tokens) - n_answer) + tokens[-n_answer:]
        found.append(Example(tokens, targets))
    return found


def logits_of(model: PreTrainedModel, tokens: list[int]) -> torch.Tensor:
    """Logits (T, V) of one text by one pass, as transformers has it."""
    return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0].float()


def score(model: PreTrainedModel, context: list[int], answer: list[int]) -> float:
    """The summed log-probability of an answer, by hand."""
    logps = logits_of(model, context + answer[:-1])[len(context) - 1 :].log_softmax(-1)
    return logps.gather(1, torch.tensor(answer)[:, None]).sum().item()


def scores_differ(model: PreTrainedModel, plain: PreTrainedModel, longest: int) -> float:
    """The largest distance of an option's score, in nats, and of running text's."""
    asked = prompts(longest)
    with torch.inference_mode():
        expected = [score(plain, prompt.context, option) for prompt in asked for option in prompt.answers]
        running = [Request(text[:1], text[1:]) for text in texts(5, [longest, longest // 2, 7])]
        expected += [score(plain, request.context, request.completion) for request in running]
    found = [score for scores in option_scores(model, asked, batch_tokens=200) for score in scores]
    found += [sum(logps) for logps in log_likelihoods(model, running, batch_tokens=200)]
    return distance(found, expected)


def distance(found: list[float], expected: list[float]) -> float:
    """The largest distance; infinite where a number is none."""
    return max(abs(a - b) if math.isfinite(a - b) else math.inf for a, b in zip(found, expected, strict=True))


def texts_differ(model: PreTrainedModel, plain: PreTrainedModel, longest: int) -> float:
    """How much more likely another token was than one that was written; and the distance of the targets' scores."""
    asked = prompts(longest - NEW_TOKENS)
    contexts, targets = [prompt.context for prompt in asked], [prompt.answers[0] for prompt in asked]
    written, logps = write(model, list(map(Start, contexts)), targets, greedy(NEW_TOKENS), 200)
    largest = 0.0
    with torch.inference_mode():
        for context, target, new, logp in zip(contexts, targets, written, logps, strict=True):
            if len(new) != NEW_TOKENS:
                return math.inf
            logits = logits_of(plain, context + new[:-1])[len(context) - 1 :]
            missed = logits.max(-1).values - logits.gather(1, torch.tensor(new)[:, None])[:, 0]
            largest = max(largest, missed.max().item(), abs(logp - score(plain, context, target)))
    return largest


def training_differs(folder: Path, longest: int) -> float:
    """The largest distance of a loss in three steps, or of the weights as a share of how far they moved."""
    settings, learned = read_settings(SETTINGS), examples(longest)
    ours, plain = load_model(folder), load_plain(folder).train()
    before = {name: weight.detach().clone() for name, weight in plain.named_parameters()}
    losses = train(ours, learned, settings, pad=0).losses
    optimizer = torch.optim.AdamW(plain.parameters(), lr=settings.learning_rate, weight_decay=0.0)
    expected, firm = [], {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in before.items()}
    planned = batches(learned, settings)
    for step, batch in enumerate(planned):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * (len(planned) - step) / len(planned)
        n_targets, total = sum(len(e.targets) - e.targets.count(IGNORED) for e in batch), 0.0
        for example in batch:
            logits, targets = logits_of(plain, example.tokens)[:-1], torch.tensor(example.targets[1:])
            loss = cross_entropy(logits, targets, reduction="sum") / n_targets
            loss.backward()
            total += loss.item()
        expected.append(total)
        torch.nn.utils.clip_grad_norm_(plain.parameters(), settings.clip)
        largest = max(w.grad.abs().max() for w in plain.parameters() if w.grad is not None)
        for name, weight in plain.named_parameters():  # AdamW makes a step of a gradient that is zero but for rounding
            firm[name] &= False if weight.grad is None else weight.grad.abs() > 1e-4 * largest
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    there = dict(plain.named_parameters())
    apart = sum((weight - there[name])[firm[name]].square().sum().item() for name, weight in ours.named_parameters())
    moved = sum((there[name] - weight)[firm[name]].square().sum().item() for name, weight in before.items())
    save_model(ours, folder, folder / "tuned")
    said = (logits_of(model, learned[0].tokens) for model in (ours.eval(), load_model(folder / "tuned")))
    with torch.inference_mode():
        lost = torch.dist(*said).item()
    return max(distance(losses, expected), math.sqrt(apart / moved), lost)


def load_plain(folder: Path) -> PreTrainedModel:
    """The model as transformers alone loads it."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()


def way(model: PreTrainedModel, longest: int) -> str:
    """How texts of at most so many tokens are read."""
    if not packs_exactly(model, longest):
        return "one by one"
    shares = "packed, shared beginnings" if keeps_exactly(model, longest) else "packed"
    return f"{shares}, narrow" if narrows_exactly(model) else shares


def save(model: PreTrainedModel, folder: Path, config: PreTrainedConfig) -> None:
    """A folder as checkpoints are, with a tokenizer of bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {"<|endoftext|>": 0}
    for character in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[character] = len(vocabulary)
    bytes_alone = Tokenizer(models.BPE(vocabulary, []))
    bytes_alone.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_alone.decoder = decoders.ByteLevel()
    model.save_pretrained(folder)
    if config.model_type != model.config.model_type:  # as published: text is one of several media
        config.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=bytes_alone, eos_token="<|endoftext|>").save_pretrained(folder)
