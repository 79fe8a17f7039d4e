"""Simulated networks: the tables of two seeds of a small one, as the programs write and collect them."""

import json

import pytest

import collect_simulations
import simulate_linear_network
from ripeness.figures.register import BY_ID
from ripeness.findings.needs import has_networks
from ripeness.findings.register import CLAIMS
from ripeness.study.schema import check_config
from ripeness.tables.theory_columns import SIMULATED, by_name

ON_NETWORKS = {claim.id: claim for claim in CLAIMS if has_networks in claim.needs}
OF_NETWORKS = {name: figure for name, figure in BY_ID.items() if "simulations" in figure.needs}
STUDY = {"study": "t", "title": "t", "theory": {}}
# A small network, quick to simulate.
SMALL = {
    "seeds": [1, 2], "width": 8, "n_checkpoints": 6, "first_time": 3.0, "last_time": 60.0, "gammas": [0.06, 0.2],
    "draws": 60, "steps": 40, "rates": [0.01, 0.03, 0.1, 60.0], "fixed_rates": [0.03, 0.1], "pulls": [0.0, 0.3],
}  # fmt: skip


def theory_of(**change):
    return check_config(STUDY | {"theory": SMALL | change})["theory"]


@pytest.fixture(scope="session")
def networks(tmp_path_factory):
    """The tables of two seeds of the small network, as the programs write and collect them."""
    folder = tmp_path_factory.mktemp("theory")
    values = theory_of()
    settings = json.dumps({key: value for key, value in values.items() if key != "seeds"})
    for seed in values["seeds"]:
        outputs = {f"--{name.replace('_', '-')}": folder / f"seed{seed}" / f"{name}.parquet" for name in SIMULATED}
        arguments = {"--study": "t", "--settings": settings, "--seed": seed} | outputs
        simulate_linear_network.main([str(word) for pair in arguments.items() for word in pair])
    for name in SIMULATED:
        seeds = [str(folder / f"seed{seed}" / f"{name}.parquet") for seed in values["seeds"]]
        collect_simulations.main(["--table", name, "--simulated", *seeds, "--output", str(folder / f"{name}.parquet")])
    return by_name([folder / f"{name}.parquet" for name in SIMULATED])
