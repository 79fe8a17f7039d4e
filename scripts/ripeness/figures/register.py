"""All figures by name: those of measurements, and those of simulated networks."""

from ripeness.figures import charts, overtraining_charts, theory_charts

FIGURES = charts.FIGURES | overtraining_charts.FIGURES | theory_charts.FIGURES
