"""What each key of findings.json means, in the words of docs/tables.md."""

FINDING = {
    "id": "Name of the claim.",
    "claim": "The claim.",
    "source": "Its publication.",
    "written": "Of a [claim of your own](study.md#claims-of-your-own): when it was written, as seen from results; "
    "else empty.",
    "verdict": "supported, too small to matter, reversed or undecided.",
    "statement": "The result in words.",
    "effect": "The effect.",
    "low": "Lower end of its interval.",
    "high": "Upper end of its interval.",
    "confidence": "Confidence of the interval.",
    "smallest": "The smallest effect that matters, in the same unit.",
    "unit": "Unit of the effect, its interval and the smallest effect.",
    "expects": "What the claim expects: `effect`, `no effect` or `no harm`.",
    "decided_low": "Lower end of the interval that the verdict is read from, after Holm's correction and at the "
    "level of this look; null if the claim may not be decided.",
    "decided_high": "Its upper end.",
    "decided_confidence": "Its confidence.",
    "part": "Of a claim with several parts: the label of the one whose effect is shown.",
    "covers": "The sources of variation that the interval covers.",
    "n_checkpoints": "Number of checkpoints.",
    "n_seeds": "Number of seeds.",
    "n_items": "Number of items.",
    "mde": "The true effect at which 80 % of such studies would support the claim, [with all its "
    "parts](statistics.md#how-a-verdict-is-made); null if no effect is large enough.",
    "power_at_zero": "For a claim of no effect or no harm, and for such parts of a claim: the share of such studies "
    "that would support it (all of them) if the true effect is 0.",
    "p_value": "p of the nearest verdict; null if the claim may not be decided.",
    "p_holm": "p after Holm's correction and that for looks, which decides.",
    "on_these": "`effect`, `low` and `high` on the datasets of the study, where the claim is about [datasets like "
    "these](statistics.md#datasets-checkpoints-and-seeds-are-samples); else null.",
    "parts": "Of a claim with several parts: the numbers and the verdict of each.",
    "needs_more": "Of an undecided claim on scores: for each level (`items`, `seeds`, `checkpoints`, `datasets`) how "
    "many there are `now`, and how many are `needed` for 80 % power at the next look, [the others "
    "fixed](statistics.md#what-would-decide-it); `needed` is null where 100 times as many would not do. `times all "
    "of them` is for all levels together, in times this study. A level whose number or part is not known is left "
    "out. Null if the claim is decided, or nothing tells its parts.",
    "variance": "Of a tested claim on scores: [variance, degrees of freedom] of what its effect varies by, and the "
    "size of the study (`now`); `make plan` reads it.",
    "robustness": "How the verdict fares [with less data](statistics.md#robust-or-fragile): `n_tried` studies with "
    "one dataset, seed or checkpoint left out (`kinds`), `n_same` of which have the same verdict; `changes` lists "
    "the others (`left_out`, `verdict`); `at_half` and `at_double` are the verdicts at half and twice the smallest "
    "effect. Null if the claim may not be decided.",
    "caveats": "Limits.",
    "details": "The rows behind it.",
    "answers": "Of the entries before and after the claims: the rows of an answer; null for a claim.",
    "figure": "The figure that shows it.",
}
