"""The register of figures, in the order of the report."""

from ripeness.figures.availability import FIGURE as AVAILABILITY
from ripeness.figures.chain import FIGURE as CHAIN
from ripeness.figures.dose import FIGURE as DOSE
from ripeness.figures.figure import Figure
from ripeness.figures.format_spread import FIGURE as FORMAT_SPREAD
from ripeness.figures.four_readings import FIGURE as FOUR_READINGS
from ripeness.figures.gain import FIGURE as GAIN
from ripeness.figures.gain_by_group import FIGURE as GAIN_BY_GROUP
from ripeness.figures.indicators import FIGURE as INDICATORS
from ripeness.figures.known_and_said import FIGURE as KNOWN_AND_SAID
from ripeness.figures.learned_in_pretraining import FIGURE as LEARNED_IN_PRETRAINING
from ripeness.figures.pareto import FIGURE as PARETO
from ripeness.figures.pareto_front import FIGURE as PARETO_FRONT
from ripeness.figures.pretraining_text import FIGURE as PRETRAINING_TEXT
from ripeness.figures.proxy_and_truth import FIGURE as PROXY_AND_TRUTH
from ripeness.figures.saturation import FIGURE as SATURATION
from ripeness.figures.seeing import FIGURE as SEEING
from ripeness.figures.sensitivity import FIGURE as SENSITIVITY
from ripeness.figures.theory_features import FIGURE as THEORY_FEATURES
from ripeness.figures.theory_fixed_rate import FIGURE as THEORY_FIXED_RATE
from ripeness.figures.theory_regularisation import FIGURE as THEORY_REGULARISATION
from ripeness.figures.theory_sensitivity import FIGURE as THEORY_SENSITIVITY
from ripeness.figures.theory_tuned_rate import FIGURE as THEORY_TUNED_RATE
from ripeness.figures.transfer import FIGURE as TRANSFER
from ripeness.figures.tuning_loss import FIGURE as TUNING_LOSS

FIGURES: tuple[Figure, ...] = (
    AVAILABILITY,
    LEARNED_IN_PRETRAINING,
    SATURATION,
    GAIN,
    GAIN_BY_GROUP,
    KNOWN_AND_SAID,
    DOSE,
    SEEING,
    PARETO_FRONT,
    CHAIN,
    PROXY_AND_TRUTH,
    FORMAT_SPREAD,
    TRANSFER,
    INDICATORS,
    PRETRAINING_TEXT,
    SENSITIVITY,
    TUNING_LOSS,
    FOUR_READINGS,
    PARETO,
    THEORY_FEATURES,
    THEORY_SENSITIVITY,
    THEORY_FIXED_RATE,
    THEORY_TUNED_RATE,
    THEORY_REGULARISATION,
)
BY_ID = {figure.id: figure for figure in FIGURES}
