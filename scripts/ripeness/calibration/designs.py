"""The cells of the calibration: what each draws, and what it is there for."""

from dataclasses import dataclass, replace
from typing import Any

from ripeness.calibration.loss_studies import LossDesign
from ripeness.calibration.ripe_studies import RipeDesign
from ripeness.calibration.score_studies import ScoreDesign

# By finding: what a design calls its effect, and the smallest one; None where the claim is that there is none.
EFFECTS: dict[str, tuple[str, float | None]] = {
    "gain-by-learning": ("gain_gap", 0.02),
    "format-spread": ("format_fall", 0.02),
    "transfer-between-types": ("harm_generation", 0.02),
    "transfer-within-type": ("carried", None),
    "progressive-sensitivity": ("noise_slope", 0.1),
    "degradation-at-fixed-rate": ("rise", 0.02),
    "decay-or-tokens": ("decay", 0.1),
    "mitigation": ("kept", 0.02),
    "displacement-constancy": ("moves", None),
}
OTHER_PARTS = ("harm_choice", "cost")  # of joint claims: that there is no such effect


@dataclass(frozen=True)
class Cell:
    """Studies of one design; scores, losses or both, or answers to which checkpoint is ripe.

    With `is_own` claims of a user's own are tested on the scores, and no others.

    With a `reach` effects are the smallest one plus so many times what the detectable size is beyond it, which studies
    at the edge tell; claims of no effect are true.
    """

    name: str
    scores: ScoreDesign | None = None
    losses: LossDesign | None = None
    ripe: RipeDesign | None = None
    reach: int = 0
    is_own: bool = False


NULL = ScoreDesign()
EDGE = replace(NULL, gain_gap=0.02, format_fall=0.02, harm_generation=0.02, harm_choice=0.02, carried=0.02)
FLAT = LossDesign()
LOSS_EDGE = LossDesign(noise_slope=0.1, rise=0.02, moves=0.1, decay=0.1, kept=0.02, cost=0.02)
MANY: dict[str, Any] = {"n_learned": 6, "n_never": 6, "n_generation": 6, "n_items": 100, "n_seeds": 2}
TWELVE: dict[str, Any] = {"n_learned": 4, "n_never": 4, "n_generation": 4}
CHOICES: dict[str, Any] = {"n_generation": 0}


def on_scores(name: str, design: ScoreDesign, **changes: Any) -> Cell:
    """Make a cell on scores from a design with some changes."""
    return Cell(name, scores=replace(design, **changes))


def on_losses(name: str, design: LossDesign, **changes: Any) -> Cell:
    """Make a cell on losses from a design with some changes."""
    return Cell(name, losses=replace(design, **changes))


def on_own(name: str, design: ScoreDesign, **changes: Any) -> Cell:
    """Make a cell on claims of a user's own."""
    return Cell(name, scores=replace(design, **changes), is_own=True)


CELLS: tuple[Cell, ...] = (
    Cell("null", scores=NULL, losses=FLAT),
    Cell("edge", scores=EDGE, losses=LOSS_EDGE),
    Cell("detectable size", scores=replace(EDGE, **TWELVE), losses=LOSS_EDGE, reach=1),
    Cell("twice the detectable size", scores=replace(EDGE, **TWELVE), losses=LOSS_EDGE, reach=2),
    on_scores("reverse", NULL, gain_gap=-0.08, format_fall=-0.04, harm_generation=-0.06, harm_choice=0.08, carried=0.1),
    on_scores("harm both ways", NULL, harm_generation=0.1, harm_choice=0.1),
    *(on_scores(f"edge, {n} checkpoints", EDGE, n_checkpoints=n) for n in (4, 6, 20)),
    *(on_scores(f"edge, {n} seed{'s' * (n > 1)}", EDGE, n_seeds=n) for n in (1, 2, 5)),
    *(on_scores(f"edge, {n} items", EDGE, n_items=n) for n in (50, 1000)),
    on_scores("edge, 2 datasets", EDGE, n_learned=1, n_never=1, n_generation=0),
    on_scores("edge, 18 datasets", EDGE, **MANY),
    on_scores("gains scatter .08, 4 datasets", NULL, gain_sd=0.08, **CHOICES),
    on_scores("gains scatter .08, 8 datasets", NULL, gain_sd=0.08, n_learned=4, n_never=4, n_generation=0),
    on_scores("gains scatter .08, 18 datasets", NULL, gain_sd=0.08, **MANY),
    on_scores("gains scatter .04, 8 datasets", NULL, gain_sd=0.04, n_learned=4, n_never=4, n_generation=0),
    on_scores("gains scatter .08, gap .15", NULL, gain_sd=0.08, gain_gap=0.15, n_learned=4, n_never=4, n_generation=0),
    on_scores("formats scatter .03", NULL, format_sd=0.03),
    on_scores("formats scatter .03, 18 datasets", NULL, format_sd=0.03, **MANY),
    on_scores("edge, transfers scatter .05", EDGE, transfer_sd=0.05),
    on_scores("edge, transfers scatter .05, 18 datasets", EDGE, transfer_sd=0.05, **MANY),
    on_scores("edge, checkpoints scatter .01", EDGE, checkpoint_sd=0.01),
    on_scores("edge, checkpoints scatter .02, rho .6", EDGE, checkpoint_sd=0.02, rho=0.6),
    on_scores("edge, 20 checkpoints scatter .02, rho .6", EDGE, n_checkpoints=20, checkpoint_sd=0.02, rho=0.6),
    on_scores("edge, seeds scatter .05, 1 seed, 1000 items", EDGE, seed_sd=0.05, n_seeds=1, n_items=1000),
    on_scores("edge, seeds scatter .05, 2 seeds, 1000 items", EDGE, seed_sd=0.05, n_seeds=2, n_items=1000),
    on_scores("edge, clusters of 5", EDGE, cluster_size=5),
    on_scores("edge, missing cells, uneven seeds", EDGE, missing=0.05, is_uneven=True),
    on_scores("edge, 15 % failed", EDGE, failed=0.15),
    on_scores("edge, annealed only", EDGE, phase="annealed"),
    on_scores("floor", NULL, learned_height=0.0),
    on_scores("ceiling", NULL, learned_height=0.72, gain=0.02, gain_gap=0.0),
    on_scores("equal gain on the logit scale", NULL, is_logit_gain=True, gain=1.0),
    on_scores("no format effect, 50 items", NULL, format_level=0.0, n_items=50),
    on_scores("all .12 above the floor", NULL, learned_height=0.12, n_never=0, n_learned=8, n_generation=0),
    on_scores(
        "all .12 above the floor, checkpoints scatter .02", NULL,
        learned_height=0.12, n_never=0, n_learned=8, n_generation=0, checkpoint_sd=0.02, rho=0.6,
    ),
    on_scores("late emergence", NULL, n_never=0, n_generation=0, rises_at=0.93, n_items=1000),
    on_scores("trained at the first checkpoint", NULL, n_never=0, start_height=0.28, is_trained_first=True),
    on_scores("edge, trained at the first checkpoint", EDGE, is_trained_first=True),
    *(on_losses(f"losses: flat, {n} checkpoints", FLAT, n_checkpoints=n) for n in (4, 6, 12, 20)),
    *(on_losses(f"losses: flat, rho {rho:g}", FLAT, rho=rho) for rho in (0.5, 0.8)),
    on_losses("losses: flat, checkpoints scatter .02", FLAT, checkpoint_sd=0.02),
    on_losses("losses: flat, checkpoints scatter .2", FLAT, checkpoint_sd=0.2),
    on_losses("losses: flat, noise .03, rho .8", FLAT, loss_sd=0.03, rho=0.8),
    on_losses("losses: flat, 3 runs", FLAT, n_runs=3),
    on_losses("losses: falling", FLAT, fall=0.3),
    on_losses("losses: edge, all scatter .02, rho .6", LOSS_EDGE, checkpoint_sd=0.02, rho=0.6, treatment_sd=0.02),
    *(on_losses(f"losses: edge, {n} checkpoints", LOSS_EDGE, n_checkpoints=n) for n in (6, 12, 20)),
    *(on_losses(f"losses: edge, {n} checkpoints, rho .5", LOSS_EDGE, n_checkpoints=n, rho=0.5) for n in (6, 8, 12, 20)),
    on_losses("losses: edge, rho .8", LOSS_EDGE, rho=0.8),
    on_losses("losses: edge, 3 runs", LOSS_EDGE, n_runs=3),
    on_losses("losses: edge, 1 seed", LOSS_EDGE, n_seeds=1),
    on_losses("losses: treatments scatter .03 between datasets", LOSS_EDGE, dataset_sd=0.03),
    on_losses("losses: 3 treatments", FLAT, n_treatments=3),
    on_losses("losses: rise .05", FLAT, rise=0.05),
    on_losses("losses: rise .1, grows", FLAT, rise=0.1, noise_slope=0.5, decay=0.5, kept=0.1),
    on_losses("losses: falls", FLAT, noise_slope=-0.5, decay=-0.5, moves=0.3, kept=0.1, cost=0.1),
    on_losses("losses: 4 pairs, no effect of decay", FLAT, n_pairs=4),
    on_losses("losses: 4 pairs, half a doubling", FLAT, n_pairs=4, decay=0.5),
    on_losses("losses: chosen rate helps", FLAT, rise=0.1, chosen="helps"),
    on_losses("losses: rate chosen by chance", FLAT, chosen="random"),
    on_losses("losses: annealed only", FLAT, phase="annealed", n_pairs=0),
    on_own("own claims", EDGE),
    on_own("own claims, 18 datasets", EDGE, **MANY),
    on_own("own claims, gains scatter .08, 8 datasets", EDGE, gain_sd=0.08, n_learned=4, n_never=4, n_generation=0),
    on_own("own claims, transfers scatter .05", EDGE, transfer_sd=0.05),
    on_own("own claims, checkpoints scatter .01", EDGE, checkpoint_sd=0.01),
    on_own("own claims, seeds scatter .05, 2 seeds", EDGE, seed_sd=0.05, n_seeds=2),
    Cell("ripe: equal checkpoints", ripe=RipeDesign()),
    Cell("ripe: exactly equal checkpoints", ripe=RipeDesign(checkpoint_sd=0.0)),
    Cell("ripe: peak of .1", ripe=RipeDesign(peak=0.1)),
    Cell("ripe: peak of .1, 20 checkpoints, 2 seeds", ripe=RipeDesign(peak=0.1, n_checkpoints=20, n_seeds=2)),
    Cell("ripe: peak of .1, 4 datasets, 15 % failed", ripe=RipeDesign(peak=0.1, n_datasets=4, failed=0.15)),
    Cell("ripe: peak of .1, 1 seed", ripe=RipeDesign(peak=0.1, n_seeds=1)),
)  # fmt: skip
