"""All figures by name: those of measurements, and those of simulated networks."""

from ripeness import charts, theory_charts

FIGURES = charts.FIGURES | theory_charts.FIGURES
