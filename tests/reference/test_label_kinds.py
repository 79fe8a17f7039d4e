"""Kinds that choose among label words give what other code does: scikit-learn, and a loop by hand with transformers."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import cross_entropy

from ripeness.models.batching import label_examples
from ripeness.models.forward.last_states import last_states
from ripeness.models.label_map import map_of
from ripeness.models.methods.attached import LabelledStates
from ripeness.models.methods.features import fitted
from ripeness.study.methods.reading import read_settings
from ripeness.train.fitting import Questions, fit
from ripeness.train.loop import batches, rate_at, train

N = 48
CONTEXTS = [[n % 7 + 2, n % 11 + 9, n // 7 + 3, *[n % 5 + 40] * (n % 4), n % 13 + 20] for n in range(2 * N)]
SHARED = {"epochs": 5, "batch_size": 10, "seed": 1, "precision": "fp32"}
RATES = {"head": 0.03, "all": 0.001}


@torch.no_grad()
def hidden_states(model, contexts):
    """The last hidden states of transformers, one text at a time."""
    read = (model(torch.tensor([context]), output_hidden_states=True).hidden_states[-1][0, -1] for context in contexts)
    return torch.stack(list(read)).double().numpy()


@pytest.mark.parametrize("n_labels", [2, 3, 5])
@pytest.mark.parametrize("strength", [1.0, 0.03, 0.001])
def test_probabilities_are_those_of_scikit_learn(tiny_model, n_labels, strength):
    golds = torch.tensor([(n % 7 + n % 3) % n_labels for n in range(2 * N)])
    states = hidden_states(tiny_model("llama"), CONTEXTS)
    scaler = StandardScaler().fit(states[:N])
    # with two labels its weights are one vector, that of ours the difference of two: half the penalty
    c = (2 if n_labels == 2 else 1) / (N * strength)
    # its default, lbfgs, is no nearer than 1e-4 to the minimum where the penalty is weak
    reference = LogisticRegression(C=c, tol=1e-12, max_iter=1000, solver="newton-cholesky")
    expected = reference.fit(scaler.transform(states[:N]), golds[:N]).predict_log_proba(scaler.transform(states[N:]))
    found = fitted(LabelledStates(torch.tensor(states[:N]), golds[:N]), strength, tuple("abcde"[:n_labels]))
    assert np.abs(found.logps(torch.tensor(states[N:])).numpy() - expected).max() < 1e-5


def test_a_fit_to_a_model_is_that_of_scikit_learn_to_states_of_transformers(tiny_model):
    golds = [(n % 7 + n % 3) % 3 for n in range(2 * N)]
    settings = read_settings({"kind": "features", "seed": 1, "penalties": [0.03], "precision": "fp32"})
    model = tiny_model("llama")
    states = hidden_states(model, CONTEXTS)
    train, test = Questions(CONTEXTS[:N], golds[:N]), Questions(CONTEXTS[N:], golds[N:])
    _, record = fit(model, train, test, settings.with_labels(("a", "b", "c")))
    scaler = StandardScaler().fit(states[:N])
    reference = LogisticRegression(C=1 / (N * 0.03), tol=1e-12, max_iter=1000, solver="newton-cholesky")
    expected = reference.fit(scaler.transform(states[:N]), golds[:N]).predict_log_proba(scaler.transform(states[N:]))
    read = last_states(model, CONTEXTS[N:], batch_tokens=4096)
    assert np.abs(map_of(model).logps(read).numpy() - expected).max() < 1e-4  # states are read in single precision
    loss = -expected[np.arange(N), golds[N:]].mean()
    assert record["validation_losses"] == [[0.03, pytest.approx(loss, abs=1e-5)]]


def by_hand(model, examples, settings, layer):
    """Tune a model and a layer behind it by AdamW, one text at a time; give the loss of every step."""
    weights = [*layer.parameters(), *(model.model.parameters() if settings.moves == "all" else ())]
    optimizer, losses, planned = torch.optim.AdamW(weights, weight_decay=0.0), [], batches(examples, settings)
    model.train()
    for step, batch in enumerate(planned):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate_at(step, len(planned), settings)
        states = [model.model(torch.tensor([one.tokens[:-1]])).last_hidden_state[0, -1] for one in batch]
        loss = cross_entropy(layer(torch.stack(states)), torch.tensor([one.targets[-1] for one in batch]))
        losses.append(loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, settings.clip)
        optimizer.step()
        optimizer.zero_grad()
    return losses


@pytest.mark.parametrize("moves", ["head", "all"])
@pytest.mark.parametrize("architecture", ["llama", "gemma2", "bloom"])
def test_losses_of_a_layer_are_those_of_a_loop_by_hand(tiny_model, architecture, moves):
    examples = label_examples(CONTEXTS[:40], [n % 3 for n in range(40)], pad=0)
    settings = read_settings(SHARED | {"kind": "head", "moves": moves, "learning_rate": RATES[moves]})
    layer = torch.nn.Linear(32, 3)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    base = tiny_model(architecture)
    base.model = getattr(base, base.base_model_prefix)
    expected = by_hand(base, examples, settings, layer)
    outcome = train(tiny_model(architecture), examples, settings.with_labels(("a", "b", "c")), pad=0)
    assert len(outcome.losses) == 20 and outcome.status == "done"
    assert outcome.losses == pytest.approx(expected, abs=1e-4)
    assert outcome.losses[-1] < outcome.losses[0]
