"""A community drawn from known parameters, returned together with that truth."""

from analysis.simulate.draw import Simulated, draw_community
from analysis.simulate.parameters import Parameters, Trouble, Window
from analysis.simulate.truth import Truth, write_truth

__all__ = ["Parameters", "Simulated", "Trouble", "Truth", "Window", "draw_community", "write_truth"]
