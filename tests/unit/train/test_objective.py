"""The loop lowers what an objective says: of units of several answers, with weights of its own, resumed to the bit."""

from dataclasses import dataclass, replace

import pytest
import torch
from killed import killed_after
from small_memory import small_memory

from ripeness.models.batching import Example, encode_examples
from ripeness.study.methods.full import FullSettings
from ripeness.train.loop import train
from ripeness.train.objectives.objective import Objective
from ripeness.train.reading import Reading, Room, counts
from ripeness.train.resume import Progress

SETTINGS = FullSettings(learning_rate=3e-3, epochs=2, batch_size=2, warmup_ratio=0.0, precision="fp32", seed=1)
ROWS = [
    (f"row{n}", "the film " * (1 + n % 3) + "was\nit is", [" good", " very bad and short"][n % 2]) for n in range(8)
]
NAME = "scale_of_answers"


@dataclass(frozen=True)
class Two:
    """Two answers that are read in one row."""

    answers: list[Example]

    @property
    def tokens(self):
        return [token for answer in self.answers for token in answer.tokens]


class Scaled(Objective):
    """Squares of the log-probability of pairs, times a weight that is learned; a buffer counts the steps."""

    def attach(self, model, n_steps):
        module = torch.nn.Module()
        module.scale = torch.nn.Parameter(torch.ones(1))
        module.register_buffer("seen", torch.zeros(n_steps))
        model.add_module(NAME, module)
        self.model = model

    def merge(self, model):
        self.seen = model.scale_of_answers.seen.tolist()
        learned = {"scale": model.scale_of_answers.scale.detach().clone()}
        delattr(model, NAME)
        return learned

    def begin(self, planned, room):
        units = [unit for batch in planned for unit in batch]
        self.first = room.read(lambda reading, n: reading.logps([unit.answers[0] for unit in units], n), units)

    def before_step(self, step, batch, room):
        self.model.scale_of_answers.seen[step] = step + 1 + self.first[0].sum().item()
        return batch[::-1]

    def size(self, batch):
        return len(batch)

    def loss(self, logits, targets, row, size):
        logps = -torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
        pairs = logps.split([sum(counts(unit.answers)) for unit in row])
        return sum((pair.sum() ** 2) * self.model.scale_of_answers.scale[0] for pair in pairs) / size

    def has_diverged(self, losses, n_words):
        return False


@pytest.fixture(scope="module")
def units(tokenizer):
    examples = encode_examples(ROWS, tokenizer, max_length=64)
    return [Two(examples[at : at + 2]) for at in range(0, 8, 2)]


def tune(model, units, **how):
    objective = Scaled()
    outcome = train(model, units, replace(SETTINGS, **how.pop("changes", {})), pad=0, objective=objective, **how)
    return outcome, objective.seen


def same_weights(model, other):
    return all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("row_tokens", [1, 40, 10_000])
def test_what_a_unit_has_is_read_in_one_row_whatever_its_size(tiny_model, units, row_tokens):
    outcome, seen = tune(tiny_model(), units, row_tokens=row_tokens)
    expected, _ = tune(tiny_model(), units)
    assert outcome.losses == pytest.approx(expected.losses, rel=1e-5) and outcome.status == "done"
    assert outcome.learned["scale"] != 1 and not hasattr(tiny_model(), NAME)
    assert [value - seen[0] for value in seen] == [0, 1, 2, 3]


def test_a_model_that_reads_nothing_side_by_side_has_the_same_losses(tiny_model, units, monkeypatch):
    expected, _ = tune(tiny_model(), units)
    monkeypatch.setattr("ripeness.models.forward.packing.reach", lambda model: 0)
    monkeypatch.setattr("ripeness.train.reading.reads_together", lambda model, longest: False)
    outcome, _ = tune(tiny_model(), units)
    assert outcome.losses == pytest.approx(expected.losses, rel=1e-4)


@pytest.mark.parametrize("n_steps", [1, 3])
def test_a_killed_training_goes_on_to_the_same_weights_and_buffers(tiny_model, units, tmp_path, n_steps):
    expected_model = tiny_model()
    expected, seen = tune(expected_model, units)
    progress = Progress(tmp_path / "state", "mine", seconds=0)

    with killed_after(n_steps):
        tune(tiny_model(), units, progress=progress)
    model = tiny_model()
    outcome, again = tune(model, units, progress=progress)
    assert (outcome.losses, again) == (expected.losses, seen)
    assert torch.equal(outcome.learned["scale"], expected.learned["scale"]) and same_weights(model, expected_model)


def test_rows_of_units_are_halved_until_they_fit_into_memory(tiny_model, units, caplog):
    model, most = tiny_model(), max(len(unit.tokens) for unit in units) + 5
    with small_memory(model, lambda: most):
        outcome, _ = tune(model, units, changes={"batch_size": 4, "epochs": 4})
    expected, _ = tune(tiny_model(), units, changes={"batch_size": 4, "epochs": 4})
    assert "out of memory: from now on at most" in caplog.text and outcome.row_tokens < 2048
    assert outcome.losses == pytest.approx(expected.losses, rel=1e-4)


@pytest.mark.parametrize("is_packed", [False, True])
def test_log_probabilities_are_those_of_single_passes(tiny_model, units, is_packed):
    from ripeness.models.forward.packing import packing

    model = tiny_model().train()
    answers = [answer for unit in units for answer in unit.answers]
    if is_packed:
        with packing(model, 64) as can:
            assert can
            found = Room(Reading(model, 0, can, "fp32"), 50).read(lambda reading, n: reading.logps(answers, n), units)
    else:
        found = Reading(model, 0, False, "fp32").logps(answers, 50)
    assert model.training
    for answer, logps in zip(answers, found, strict=True):
        expected = model.eval()(torch.tensor([answer.tokens])).logits[0].log_softmax(-1)
        n = counts([answer])[0]
        places = range(len(answer.tokens) - n - 1, len(answer.tokens) - 1)
        assert logps.tolist() == pytest.approx([expected[t, answer.tokens[t + 1]].item() for t in places], abs=1e-4)
