"""One sentence or two on what studies of this size would show of a claim."""

from collections.abc import Mapping
from typing import Any


def power_line(finding: Mapping[str, Any]) -> str:
    """Say at which true effect 80 % of such studies would support the claim; empty where nothing tells.

    Of a claim with several parts all must be supported: the parts that expect no effect set the most that can be.
    """
    parts, at, share = finding.get("parts"), finding.get("mde"), finding.get("power_at_zero")
    what = "the claim with all its parts" if parts else "the claim"
    said = [] if at is None else [f"Of such studies, 80 % would support {what} at a true effect of {at:.2f}."]
    if share is None:
        return " ".join(said)
    if any(part.get("expects") == "effect" for part in parts or ()):
        said.append(
            f"Parts that expect no effect are supported in {share:.0%} of such studies if there is none: "
            "more cannot support the whole claim, however large its effects."
        )
    else:
        said.append(f"If the true effect is 0, {share:.0%} of such studies would support {what}.")
    return " ".join(said).replace("%", " %").replace("  %", " %")
