"""Probabilities that hold what they say, and "none of these"."""

from __future__ import annotations

from dataclasses import dataclass

from hitrs.errors import ConfigError

UNKNOWN = "none of these"
"""What a recognizer says where no class is probable enough."""
TEMPERATURES = (0.05, 20.0)
"""Lowest and highest."""
FLAT = 0.01
"""Largest score of what is unlike anything that trained: each class is about as probable as the others, and
their order stays."""
ABOVE_FLAT = 1.05
"""Times the probability of a class where all are alike: more than that of any of such flat scores."""
MOST_AXES = 60
"""Along which features are compared."""


@dataclass(frozen=True)
class Confidence:
    """How scores become probabilities, and from which one on a class is named.

    It stands in the card of a recognizer, under ``postprocessing.confidence``.
    """

    temperature: float = 1.0
    """Scores are divided by it before softmax (temperature scaling, Guo and others 2017)."""
    threshold: float = 0.0
    """A recording whose most probable class is less probable is "none of these"; 0: one is always named."""
    distance: float = 0.0
    """A recording whose features are farther from those that trained is unlike all of them, so that no class
    is more probable than the others; 0: this is not looked at."""
    axes: int = 0
    """Along which features are compared."""

    def __post_init__(self) -> None:
        if not TEMPERATURES[0] <= self.temperature <= TEMPERATURES[1]:
            low, high = TEMPERATURES
            raise ConfigError(f"temperature must lie between {low} and {high}, got {self.temperature}")
        if not 0 <= self.threshold < 1:
            raise ConfigError(f"threshold must lie in [0, 1), got {self.threshold}")
        if not 0 <= self.distance < float("inf"):
            raise ConfigError(f"distance must not be negative, got {self.distance}")
        if not 0 <= self.axes <= MOST_AXES:
            raise ConfigError(f"axes must lie between 0 and {MOST_AXES}, got {self.axes}")
