"""What is said of the power of studies: of one claim, of no effect, and of a claim with several parts."""

import pytest

from ripeness.report.power_line import power_line

EFFECT, HARM = {"expects": "effect"}, {"expects": "no harm"}


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        ({"mde": None, "power_at_zero": None}, ""),
        ({"mde": 0.0512}, "Of such studies, 80 % would support the claim at a true effect of 0.05."),
        (
            {"power_at_zero": 0.314},
            "If the true effect is 0, 31 % of such studies would support the claim.",
        ),
        (
            {"mde": 0.05, "power_at_zero": 0.97, "parts": [EFFECT, HARM]},
            "Of such studies, 80 % would support the claim with all its parts at a true effect of 0.05. Parts that "
            "expect no effect are supported in 97 % of such studies if there is none: more cannot support the whole "
            "claim, however large its effects.",
        ),
        (
            {"power_at_zero": 0.4, "parts": [HARM, HARM]},
            "If the true effect is 0, 40 % of such studies would support the claim with all its parts.",
        ),
    ],
)
def test_what_studies_of_this_size_would_show(finding, said):
    assert power_line(finding) == said
