"""A learning rate is chosen on validation items, and on nothing else."""

import pytest

from ripeness.tables.chosen_rates import best_model, choose_rates, mark_chosen
from ripeness.tables.columns import CELLS, MEASUREMENTS, conform

RECIPE = {"series": "s", "checkpoint": "step8", "dataset": "film", "format": "io", "method": "full"}
VALIDATION = {"suite": "validation", "probe_kind": "choice", "metric": "accuracy", "is_primary": True, "n_items": 80}
LOSS = {"metric": "answer_loss", "is_primary": False}


def rows_of(scores, **changes):
    """Give measurements and cells of rates: {rate: score of each seed, None where the training diverged}."""
    measurements, cells = [], []
    for rate, values in scores.items():
        for seed, value in enumerate(values, 1):
            place = RECIPE | changes | {"learning_rate": rate, "seed": seed}
            cells.append(place | {"status": "done" if value is not None else "diverged"})
            if value is not None:
                measurements.append(place | VALIDATION | {"value": value})
    return measurements, cells


def choose(measurements, cells):
    return choose_rates(conform(measurements, MEASUREMENTS), conform(cells, CELLS))


def chosen(measurements, cells):
    return choose(measurements, cells).filter("is_chosen")["learning_rate"].to_list()


@pytest.mark.parametrize(
    ("scores", "rate"),
    [
        ({1e-4: [0.6, 0.7], 1e-3: [0.8, 0.9], 1e-2: [0.7, 0.7]}, 1e-3),
        ({1e-4: [0.9, 0.1], 1e-3: [0.6, 0.6]}, 1e-3),  # the mean over seeds counts
        ({1e-3: [0.8, 0.8], 1e-4: [0.8, 0.8]}, 1e-4),  # the lower of two equal ones
        ({1e-4: [0.6, 0.6], 1e-2: [1.0, None]}, 1e-4),  # a rate that kills some trainings goes last
        ({1e-3: [None, None], 1e-2: [None, None]}, 1e-3),
    ],
)
def test_the_best_rate_on_validation_items_is_chosen(scores, rate):
    assert chosen(*rows_of(scores)) == [rate]


@pytest.mark.parametrize("none", [None, float("nan")])
def test_a_rate_without_a_number_on_validation_items_goes_last_as_one_that_diverged(none):
    measurements, cells = rows_of({1e-4: [0.6, 0.6], 1e-3: [0.7, 0.7], 1e-2: [1.0, 1.0]})
    measurements[-1]["value"] = none
    found = choose(measurements, cells)
    assert found.filter("is_chosen")["learning_rate"].to_list() == [1e-3]
    assert found["value"].to_list() == [0.6, 0.7, None]  # no mean over fewer seeds
    assert chosen(measurements[-2:], cells[-2:]) == []  # a single rate is no choice
    best = best_model(conform(measurements, MEASUREMENTS), "film", "full")
    assert (best["learning_rate"], best["value"]) == (1e-2, 1.0)  # the other seed of that rate
    measurements[-2]["value"] = none
    assert best_model(conform(measurements, MEASUREMENTS), "film", "full")["learning_rate"] == 1e-3


def test_test_items_other_suites_and_other_metrics_choose_nothing():
    measurements, cells = rows_of({1e-4: [0.9], 1e-3: [0.5]})
    others = [{"metric": name, "is_primary": False} for name in ("accuracy_char", "logp_gold")]
    for change in ({"suite": "in-domain"}, *others):
        measurements += [row | change | {"value": 1 - row["value"]} for row in measurements[:2]]
        measurements += [row | change | {"value": 99.0} for row in measurements[1:2]]
    assert chosen(measurements, cells) == [1e-4]


@pytest.mark.parametrize(("primary", "best"), [("rouge_l", 1e-3), ("exact_match", 1e-4)])
def test_generated_text_is_compared_by_the_primary_metric_of_its_task(primary, best):
    measurements, cells = rows_of({1e-4: [0.2], 1e-3: [0.3]})
    measurements = [row | {"probe_kind": "generation", "metric": "rouge_l"} for row in measurements]
    measurements += [row | {"metric": "exact_match", "value": 1 - row["value"]} for row in measurements]
    measurements = [row | {"is_primary": row["metric"] == primary} for row in measurements]
    assert chosen(measurements, cells) == [best]


def test_less_of_a_loss_is_better_also_as_the_primary_metric():
    measurements, cells = rows_of({1e-4: [0.2], 1e-3: [0.3]})
    losses = [row | {"metric": "answer_loss"} for row in measurements]
    assert (chosen(measurements, cells), chosen(losses, cells)) == ([1e-3], [1e-4])


def test_a_method_may_be_chosen_by_the_loss_of_right_answers_of_which_less_is_better():
    measurements, cells = rows_of({1e-4: [0.9, 0.9], 1e-3: [0.5, 0.6]})
    losses = rows_of({1e-4: [1.5, 2.5], 1e-3: [1.0, 1.2]})[0]
    measurements += [row | LOSS for row in losses]
    other = rows_of({1e-4: [0.9], 1e-3: [0.5]}, method="other")
    tables = conform(measurements + other[0], MEASUREMENTS), conform(cells + other[1], CELLS)
    for by, rates in [({}, [1e-4, 1e-4]), ({"full": "loss", "other": "score"}, [1e-3, 1e-4])]:
        found = choose_rates(*tables, by).filter("is_chosen")
        assert found.sort("method")["learning_rate"].to_list() == rates
    found = choose_rates(*tables, {"full": "loss"}).filter(method="full")
    assert found.select("metric", "value").rows() == [("answer_loss", 2.0), ("answer_loss", 1.1)]
    best = best_model(tables[0], "film", "full", "loss")
    assert (best["learning_rate"], best["seed"], best["metric"], best["value"]) == (1e-3, 1, "answer_loss", 1.0)
    assert best_model(tables[0], "film", "full")["metric"] == "accuracy"


def test_labels_which_have_no_loss_a_token_are_compared_by_the_log_probability_of_the_right_one():
    logp = {"metric": "logp_gold", "is_primary": False}
    measurements, cells = rows_of({1e-3: [0.7], 1e-2: [0.9]})  # the score, which is not asked
    measurements += [row | logp for row in rows_of({1e-3: [-0.2], 1e-2: [-0.4]})[0]]
    others, more = rows_of({1e-3: [0.7], 1e-2: [0.9]}, method="words")
    others += [row | logp for row in rows_of({1e-3: [-0.2], 1e-2: [-0.4]}, method="words")[0]]
    others += [row | LOSS for row in rows_of({1e-3: [0.3], 1e-2: [0.1]}, method="words")[0]]
    tables = conform(measurements + others, MEASUREMENTS), conform(cells + more, CELLS)
    found = choose_rates(*tables, {"full": "loss", "words": "loss"}).filter("is_chosen")
    assert dict(found.select("method", "learning_rate").iter_rows()) == {"full": 1e-3, "words": 1e-2}
    assert dict(found.select("method", "metric").iter_rows()) == {"full": "logp_gold", "words": "answer_loss"}


def test_every_checkpoint_dataset_format_and_method_has_a_rate_of_its_own():
    measurements, cells = [], []
    for number, change in enumerate(({}, {"checkpoint": "b"}, {"dataset": "b"}, {"format": "b"}, {"method": "b"})):
        more = rows_of({1e-4: [number % 2], 1e-3: [0.5]}, **change)
        measurements, cells = measurements + more[0], cells + more[1]
    assert sorted(chosen(measurements, cells)) == [1e-4, 1e-4, 1e-3, 1e-3, 1e-3]


def test_a_rate_at_the_edge_of_the_list_is_marked():
    assert choose(*rows_of({1e-4: [0.6], 1e-3: [0.8], 1e-2: [0.7]}))["is_at_edge"].to_list() == [False, False, False]
    assert choose(*rows_of({1e-4: [0.6], 1e-3: [0.7], 1e-2: [0.8]}))["is_at_edge"].to_list() == [False, False, True]


def test_the_whole_curve_is_kept_with_its_divergences():
    curve = choose(*rows_of({1e-4: [0.6, 0.8], 1e-3: [0.9, None]}))
    assert curve.select("learning_rate", "value", "n_seeds", "n_diverged", "is_chosen").rows() == [
        (1e-4, 0.7, 2, 0, True),
        (1e-3, 0.9, 2, 1, False),
    ]


def test_a_method_with_one_rate_and_the_untouched_model_are_no_choice_and_always_marked():
    measurements, cells = rows_of({1e-4: [0.6], 1e-3: [0.8]})
    single, base = rows_of({1e-3: [0.5]}, method="fixed"), rows_of({None: [0.4]}, method="base")
    table = conform([*measurements, *single[0], *base[0]], MEASUREMENTS)
    curve = choose_rates(table, conform([*cells, *single[1], *base[1]], CELLS))
    assert curve["method"].unique().to_list() == ["full"]
    marked = mark_chosen(table.lazy(), curve).collect()
    assert marked["is_chosen"].to_list() == [False, True, True, True]
    assert marked.drop("is_chosen").equals(table)


def test_the_model_to_keep_is_the_best_on_validation_items_over_formats_rates_and_seeds():
    measurements, _ = rows_of({1e-4: [0.6, 0.7], 1e-3: [0.8, None]})
    measurements += rows_of({1e-4: [0.75, 0.85], 1e-3: [0.2, 0.3]}, format="instruct")[0]
    measurements += rows_of({1e-4: [0.99]}, dataset="book")[0] + rows_of({1e-4: [0.99]}, method="other")[0]
    measurements += [row | {"suite": "in-domain", "value": 1.0} for row in measurements[:1]]
    best = best_model(conform(measurements, MEASUREMENTS), "film", "full")
    assert best == {
        "format": "instruct", "learning_rate": 1e-4, "seed": 2, "metric": "accuracy", "value": 0.85, "n_items": 80,
    }  # fmt: skip


def test_of_two_equally_good_models_the_first_is_kept():
    measurements = rows_of({1e-3: [0.8, 0.8], 1e-4: [0.8]})[0]
    best = best_model(conform(measurements, MEASUREMENTS), "film", "full")
    assert (best["learning_rate"], best["seed"]) == (1e-4, 1)
