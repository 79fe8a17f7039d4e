"""Claims of the theory on simulated networks: each can fall."""

import json

import numpy as np
import polars as pl
import pytest
from networks import ON_NETWORKS

from ripeness.findings.deciding import adjusted
from ripeness.findings.finding import Settings
from ripeness.findings.network_tuning import rises
from ripeness.findings.register import all_findings, as_rows
from ripeness.findings.study_tables import Tables


def test_a_rise_is_after_the_checkpoint_that_is_best_for_the_other_seeds():
    values = np.array([[4.0, 2.0, 3.0], [4.0, 3.0, 2.0], [4.0, 2.0, 3.0]])
    # for the second seed the others say that the middle is best
    assert rises(values) == pytest.approx([0.5, 2 / 3 - 1, 0.5])
    falling = np.array([[3.0, 2.0, 1.0], [5.0, 2.0, 1.0]])
    assert rises(falling).tolist() == [0.0, 0.0]


def test_findings_come_from_the_tables(networks):
    found = {finding.id: finding for finding in all_findings(Tables.of(simulated=networks), Settings())}
    assert list(found) == list(ON_NETWORKS)
    assert all(finding.source == "Springer et al. 2025, section 4" for finding in found.values())
    assert found["sensitivity-grows"].verdict == "supported"
    assert abs(found["learned-at-a-loss"].effect) < 10
    assert found["fixed-rate-degrades"].n_seeds == 2 and len(found["fixed-rate-degrades"].details) == 8
    assert "reversed" in found["tuned-rate-rotated"].caveats[-1]


def turned(networks, name, column, value):
    """The networks with one column of one of them replaced."""
    return networks | {name: networks[name].with_columns(value.alias(column))}


def verdict(networks, name):
    alone = ON_NETWORKS[name].test(Tables.of(simulated=networks), Settings())
    return adjusted([alone], Settings())[0].verdict


def test_every_claim_can_fall(networks):
    shift = 1 + 0.001 * pl.col("seed")  # so that intervals have a width
    late, tuned = pl.col("checkpoint"), "tuned_networks"
    falls, rise = (1.0 - 0.1 * late) * shift, (1.0 + 0.2 * late) * shift
    assert verdict(turned(networks, "noisy_networks", "increase", falls), "sensitivity-grows") == "reversed"
    doubled = pl.col("threshold") / 2
    assert verdict(turned(networks, "learned_features", "threshold", doubled), "learned-at-a-loss") == "reversed"
    for name in ("fixed-rate-degrades", "pull-does-not-cure"):
        assert verdict(turned(networks, tuned, "loss", falls), name) == "too small to matter"
        assert verdict(turned(networks, tuned, "loss", rise), name) == "supported"
    assert verdict(turned(networks, tuned, "task_loss", rise), "tuned-rate-aligned") == "reversed"
    assert verdict(turned(networks, tuned, "task_loss", falls), "tuned-rate-aligned") == "supported"
    assert verdict(turned(networks, tuned, "task_loss", rise), "tuned-rate-rotated") == "supported"
    assert verdict(turned(networks, tuned, "task_loss", falls), "tuned-rate-rotated") == "too small to matter"
    earlier = pl.when(pl.col("pull") > 0).then(rise).otherwise(falls)
    assert verdict(turned(networks, tuned, "loss", earlier), "pull-delays") == "reversed"


def test_one_seed_decides_nothing(networks):
    one = {name: table.filter(seed=1) for name, table in networks.items()}
    found = all_findings(Tables.of(simulated=one), Settings())
    assert {finding.verdict for finding in found} == {"undecided"}
    assert "one seed has no spread" in found[0].statement and json.dumps(as_rows(found), allow_nan=False)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_delay_that_no_logarithm_has_is_undefined_in_the_sentence(networks):
    at_the_start = turned(networks, "tuned_networks", "time", pl.lit(0.0))
    found = ON_NETWORKS["pull-delays"].test(Tables.of(simulated=at_the_start), Settings())
    assert found.verdict == "undecided"
    assert "an undefined number of times as late" in found.statement
    assert all(row["effect"] is None for row in found.details)
