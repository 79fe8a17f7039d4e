"""Start the command, which takes a second to load: Ctrl-C is no error then either."""

import sys
from importlib import import_module


def main() -> None:
    """Load the command and run it; 130 is the status of one that was stopped."""
    try:
        import_module("ripeness.cli.app").main()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
