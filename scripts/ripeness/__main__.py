"""Run the command without an installation: python scripts/ripeness, or python -m ripeness."""

import sys
from pathlib import Path

if not __package__:  # python scripts/ripeness; the folder itself is no place of modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from ripeness.cli.start import main

if __name__ == "__main__":
    main()
