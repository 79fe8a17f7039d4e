"""Simulate one seed of the two-layer linear network: pre-training, noise, features, fine-tuning; three tables."""

from ripeness.runtime.command_line import argument_parser, json_option, output_table, run
from ripeness.study.theory_settings import settings_from
from ripeness.tables.columns import write_table
from ripeness.tables.theory_columns import SIMULATED
from ripeness.theory.simulation import simulate


def main(argv: list[str] | None = None) -> None:
    """Write the tables."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", required=True, help="name of the study")
    parser.add_argument("--settings", required=True, type=json_option, help="the study's key `theory`, as JSON")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument(
        "--noisy-networks",
        required=True,
        type=output_table(SIMULATED["noisy_networks"]),
        help="parquet file to write: checkpoints under noise",
    )
    parser.add_argument(
        "--learned-features",
        required=True,
        type=output_table(SIMULATED["learned_features"]),
        help="parquet file to write: a row a feature",
    )
    parser.add_argument(
        "--tuned-networks",
        required=True,
        type=output_table(SIMULATED["tuned_networks"]),
        help="parquet file to write: tuned checkpoints",
    )
    options = parser.parse_args(argv)
    tables = simulate(settings_from(options.settings), options.study, options.seed)
    for name, schema in SIMULATED.items():
        write_table(getattr(options, name), list(tables[name]), schema)


if __name__ == "__main__":
    run(main)
