"""List what the hub says of the weights of a study's checkpoints, before any is downloaded, and refuse equal ones.

Nothing is fetched but the lists of files. Ends with status 2 where checkpoints that are said to be different have the
same weights, unless the study says why that is meant.
"""

import logging
from concurrent.futures import ThreadPoolExecutor

from ripeness.audit.weights import CHECK, same_weights
from ripeness.hub.weight_digests import AT_ONCE, listed_weights
from ripeness.runtime.command_line import argument_parser, json_option, output_file, run
from ripeness.runtime.files import write_json
from ripeness.study.audit_checks import refusal, with_passed


def main(argv: list[str] | None = None) -> None:
    """Write the plan's `weights` with the record of each checkpoint that comes from the hub."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--plan", required=True, type=json_option, help="{series, weights} of the audit's plan, as JSON"
    )
    parser.add_argument("--sources", required=True, type=json_option, help="{series: {checkpoint: source}} as JSON")
    parser.add_argument("--acknowledge", type=json_option, default={}, help="reasons by check, as JSON")
    parser.add_argument("--output", required=True, type=output_file, help="JSON file to write")
    options = parser.parse_args(argv)
    plan = options.plan
    places = [(series, name) for series, sources in options.sources.items() for name in sources]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        records = list(pool.map(lambda place: listed_weights(options.sources[place[0]][place[1]]), places))
    for (series, name), record in zip(places, records, strict=True):
        plan["weights"][series]["checkpoints"][name] = record
    rows = with_passed(same_weights(plan), [CHECK], options.acknowledge)
    for row in rows:
        logging.info("%s: %s %s", row.severity, row.where, row.seen)
    if error := refusal(rows):
        raise error
    write_json(options.output, plan["weights"])


if __name__ == "__main__":
    run(main)
