"""Action detection: frames of untrimmed recordings to segments, and what they are worth."""

from hitrs.tasks.detection.boundaries import frame_labels, numbered
from hitrs.tasks.detection.choose import choose_settings
from hitrs.tasks.detection.latency import latency
from hitrs.tasks.detection.score import score_detection
from hitrs.tasks.detection.segments import Proposal, SegmentSettings, propose

__all__ = [
    "Proposal",
    "SegmentSettings",
    "choose_settings",
    "frame_labels",
    "latency",
    "numbered",
    "propose",
    "score_detection",
]
