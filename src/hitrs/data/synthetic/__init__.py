"""Procedural human motion, the embedded default data set: 16 action classes on the NTU-25 layout.

Forward kinematics moves bodies of real proportions through joint-angle curves; subjects differ in
proportions, tempo, reach, posture and preferred hand; a simulated depth camera adds viewpoint, noise and lost
joints. Some classes differ only in timing (sit down and stand up are each other's reversal, so are pick up
and put down; waves slow and quick; claps single and double), some only in the limb. One class has two
persons, and in other recordings a bystander may stand around.

Every recording has a random generator of its own, keyed by the seed and its number. So the same call gives
the same recordings, and recording i does not depend on how many are made.
"""

from hitrs.data.synthetic.recordings import (
    SYNTHETIC_CLASSES,
    make_synthetic,
    synthesize,
    synthesize_untrimmed,
)

__all__ = ["SYNTHETIC_CLASSES", "make_synthetic", "synthesize", "synthesize_untrimmed"]
