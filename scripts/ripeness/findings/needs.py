"""What a study must have measured for a claim to be tested: conditions on its tables, which claims name."""

from collections.abc import Callable

import polars as pl

from ripeness.findings.aligned import ALIGNED
from ripeness.findings.indicators.of_items import short_methods
from ripeness.findings.seeing import stages_of, without_first
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import TEXT
from ripeness.study.grid import VIEWS
from ripeness.study.methods.settings import ANSWERS, POLICY, RULE
from ripeness.tables.ways_of_tuning import READING, Way, most_comparable, smaller_methods, ways_of

Need = Callable[[Tables], bool]


def has_items(tables: Tables) -> bool:
    """Say whether scores of single items are there."""
    return tables.has("scores")


def is_without_items(tables: Tables) -> bool:
    """Say whether there are measurements and no items, as in published tables."""
    return tables.has("measurements") and not has_items(tables)


def has_networks(tables: Tables) -> bool:
    """Say whether linear networks were simulated."""
    return tables.has("simulated")


def has_cells(tables: Tables) -> bool:
    """Say whether the study ran models of its own, cell by cell; numbers that are read from tables have no items."""
    return has_items(tables) and tables.has("cells")


def has_noise(tables: Tables) -> bool:
    """Say whether a checkpoint was perturbed with noise."""
    return tables.sensitivity is not None and "noise" in tables.sensitivity["perturbation"]


def has_tuned_text(tables: Tables) -> bool:
    """Say whether a tuned model was measured on running text."""
    tuned = pl.col("method") != "base"
    return not tables.measurements.filter(tuned, pl.col("probe_kind") == TEXT).is_empty()


def has_noise_or_tuned_text(tables: Tables) -> bool:
    """Say whether the loss on running text was measured after some change of the weights."""
    return has_noise(tables) or has_tuned_text(tables)


def has_several_rates(tables: Tables) -> bool:
    """Say whether a method was tried at several learning rates."""
    rates = tables.cells.group_by("method", "dataset").agg(pl.col("learning_rate").n_unique())["learning_rate"]
    return bool((rates > 1).any())


def has_several_methods(tables: Tables) -> bool:
    """Say whether models were tuned to write answers in several ways that compare."""
    return most_comparable(in_words(tables).values()) > 1


def has_linear_reading(tables: Tables) -> bool:
    """Say whether the answers were read off the states of untouched models (a method of kind features)."""
    is_reading = (pl.col("kind") == READING) & pl.col("start").is_null()
    return has_cells(tables) and not tables.cells.filter(is_reading).is_empty()


def in_words(tables: Tables) -> dict[str, Way]:
    """Return the ways after which a model answers in words, whose loss compares with that of others."""
    return {name: way for name, way in ways_of(tables.cells).items() if not way.has_labels}


def has_smaller_methods(tables: Tables) -> bool:
    """Say whether a way of tuning trains fewer numbers than the largest one."""
    cells = tables.cells.filter(pl.col("method").is_in(list(in_words(tables))))
    return any(smaller_methods(cells, name) for name in in_words(tables))


def has_three_methods(tables: Tables) -> bool:
    """Say whether models of the study were tuned in three ways or more that compare."""
    return has_cells(tables) and most_comparable(ways_of(tables.cells).values()) > 2


def has_doses(tables: Tables) -> bool:
    """Say whether models were tuned on doses of examples."""
    is_dose = pl.col("doses_of").is_not_null() & pl.col("start").is_null()
    return has_cells(tables) and not tables.cells.filter(is_dose).is_empty()


def has_several_phases(tables: Tables) -> bool:
    """Say whether checkpoints of several phases of pre-training were tuned, or perturbed with noise."""
    changed = [tables.cells.select("phase")]
    if tables.sensitivity is not None and has_noise(tables):
        changed.append(tables.sensitivity.select("phase"))
    return pl.concat(changed)["phase"].n_unique() > 1


def has_tuned_scores(tables: Tables) -> bool:
    """Say whether scores of tuned models were measured, with items or in tables that have none."""
    is_tuned = (pl.col("method") != "base") & (pl.col("probe_kind") != TEXT)
    is_there = tables.has("measurements") and not tables.measurements.filter(is_tuned).is_empty()
    return is_there and (tables.has("all_items") or not has_items(tables))


def has_untouched_text(tables: Tables) -> bool:
    """Say whether untouched checkpoints were measured on running text."""
    return not tables.measurements.filter(method="base", probe_kind=TEXT).is_empty()


def has_margin(tables: Tables) -> bool:
    """Say whether it was measured how far untouched checkpoints tell right from wrong answers."""
    return not tables.measurements.filter(method="base", metric="margin").is_empty()


def has_short_tuning(tables: Tables) -> bool:
    """Say whether one way of tuning costs a third of another or less."""
    return has_cells(tables) and bool(short_methods(tables.cells))


def has_alignment(tables: Tables) -> bool:
    """Say whether models learned preferences or from rewards."""
    return tables.has("cells") and not tables.cells.filter(pl.col("learns").is_in(ALIGNED)).is_empty()


def has_stages(tables: Tables) -> bool:
    """Say whether models learned so from the start of another tuning."""
    return has_alignment(tables) and not later_stages(tables).is_empty()


def later_stages(tables: Tables) -> pl.DataFrame:
    """List the cells of stages of alignment that follow another training."""
    return tables.cells.filter(pl.col("learns").is_in(ALIGNED), pl.col("start").is_not_null())


def has_policy_alone(tables: Tables) -> bool:
    """Say whether the checkpoint was reinforced, and tuned on answers, without a stage before."""
    learned = set(tables.cells.filter(pl.col("start").is_null())["learns"])
    return has_alignment(tables) and {ANSWERS, POLICY} <= learned


def has_rule_policies(tables: Tables) -> bool:
    """Say whether the rule of a task rewarded a policy."""
    return tables.has("cells") and not tables.cells.filter(pl.col("rewarded_by") == RULE).is_empty()


def has_control(tables: Tables) -> bool:
    """Say whether a reward model rewarded a policy, and the rule another one."""
    return has_rule_policies(tables) and not tables.cells.filter(pl.col("rewarded_by") != RULE).is_empty()


def has_tuned_policies(tables: Tables) -> bool:
    """Say whether the rule rewarded a policy that follows another training."""
    return has_rule_policies(tables) and not later_stages(tables).filter(pl.col("rewarded_by") == RULE).is_empty()


def has_seeing(tables: Tables) -> bool:
    """Say whether projector and model were tuned together on questions about pictures."""
    return tables.has("cells") and bool(stages_of(tables.cells))


def has_exchanged(tables: Tables) -> bool:
    """Say whether such models were asked with other pictures than those asked about."""
    return has_seeing(tables) and not tables.measurements.filter(suite=VIEWS).is_empty()


def has_no_first_stage(tables: Tables) -> bool:
    """Say whether the same training was done with a first stage and without one."""
    found = stages_of(tables.cells) if tables.has("cells") else []
    return bool(found) and without_first(tables.cells, found[0]) is not None
