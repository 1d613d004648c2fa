"""Pictures: curves, matrices, maps, comparisons, timelines, moving skeletons, the report that shows all; in
``show`` a page that plays."""

from hitrs.viz.animation import animate
from hitrs.viz.bars import plot_comparison, plot_label_shares
from hitrs.viz.confusion import plot_confusion
from hitrs.viz.curves import plot_finetuning, plot_training
from hitrs.viz.embedding import plot_embedding
from hitrs.viz.report import Report
from hitrs.viz.skeleton import draw_pose
from hitrs.viz.timeline import Timeline, plot_timelines

__all__ = [
    "Report",
    "Timeline",
    "animate",
    "draw_pose",
    "plot_comparison",
    "plot_confusion",
    "plot_embedding",
    "plot_finetuning",
    "plot_label_shares",
    "plot_timelines",
    "plot_training",
]
