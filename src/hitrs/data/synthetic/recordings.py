"""Recordings of procedural motion, trimmed and untrimmed, and stores of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hitrs.data.encoding import Dtype
from hitrs.data.recording import Recording
from hitrs.data.store import Store, write_store
from hitrs.data.synthetic.actions import ACTIONS
from hitrs.data.synthetic.body import LAYOUT
from hitrs.data.synthetic.performance import FPS, Subject, draw_subject
from hitrs.data.synthetic.scenes import MotionScene, trimmed_scene, untrimmed_scene
from hitrs.data.synthetic.world import CAMERAS, Camera, film, sense
from hitrs.errors import ConfigError

SYNTHETIC_CLASSES: tuple[str, ...] = tuple(action.name for action in ACTIONS)

SIZES = {"tiny": 12, "small": 24, "default": 48, "large": 240}
"""Size of a store -> trimmed recordings per class; an untrimmed store has as many recordings."""

SUBJECTS = 12
_SUBJECT, _TRIMMED, _UNTRIMMED = range(3)  # separate streams of random numbers


def synthesize(n_subjects: int = SUBJECTS, per_class: int = 48, seed: int = 0) -> Iterator[Recording]:
    """Trimmed recordings, `per_class` of each class; classes, subjects and cameras take turns.

    Each is (T, P, 25, 3) meters in camera axes (y up) at 30 frames a second, T about 25 to 90, with a label,
    a subject ("1" to `n_subjects`) and a camera ("1" to "3"). P is 2 where two persons interact or a
    bystander is there.

    Raises:
        ConfigError: for a count below 1 or a negative seed.
    """
    _check(n_subjects=n_subjects, per_class=per_class, seed=seed)
    subjects = _subjects(n_subjects, seed)

    def recording(index: int) -> Recording:
        turn, kind = divmod(index, len(ACTIONS))
        rng = _generator(seed, _TRIMMED, index)
        scene = trimmed_scene(ACTIONS[kind], subjects[turn % n_subjects], rng)
        camera = CAMERAS[(turn + turn // n_subjects + kind) % len(CAMERAS)]
        filmed = _film(f"synthetic-{seed}-{index:06d}", scene, turn % n_subjects, camera, rng)
        filmed.label = ACTIONS[kind].name
        return filmed

    return (recording(index) for index in range(per_class * len(ACTIONS)))


def synthesize_untrimmed(
    n_recordings: int = 48, actions_per_recording: int = 6, seed: int = 0, *, n_subjects: int = SUBJECTS
) -> Iterator[Recording]:
    """Recordings of several actions each, with labeled segments; what lies between them is background.

    Between actions the subjects idle, fidget and take a few steps; about every fifth action follows the one
    before without a gap. The subjects are those of `synthesize` for the same seed. Every fourth recording has
    two persons.

    Raises:
        ConfigError: for a count below 1 or a negative seed.
    """
    _check(
        n_subjects=n_subjects,
        n_recordings=n_recordings,
        actions_per_recording=actions_per_recording,
        seed=seed,
    )
    subjects = _subjects(n_subjects, seed)

    def recording(index: int) -> Recording:
        rng = _generator(seed, _UNTRIMMED, index)
        who = index % n_subjects
        # The turn of the cameras moves on with each round, so that every subject meets every camera.
        turn = index // n_subjects
        scene = untrimmed_scene(actions_per_recording, subjects[who], rng, company=(index + turn) % 4 == 3)
        filmed = _film(
            f"untrimmed-{seed}-{index:06d}", scene, who, CAMERAS[(index + turn) % len(CAMERAS)], rng
        )
        filmed.segments = scene.segments
        return filmed

    return (recording(index) for index in range(n_recordings))


def make_synthetic(
    path: str | Path,
    *,
    size: str = "default",
    untrimmed: bool = False,
    seed: int = 0,
    dtype: Dtype = "float32",
) -> Store:
    """Write a store of procedural motion with the protocols "cross-subject" and "cross-view".

    Cross-subject: of 12 subjects every third tests. Cross-view: cameras 1 and 2 train, camera 3 tests.

    Raises:
        ConfigError: for an unknown size or a negative seed.
        DataError: if the store cannot be written.
    """
    if size not in SIZES:
        raise ConfigError(f"there is no synthetic data of size '{size}'; sizes are {', '.join(SIZES)}.")
    count = SIZES[size]
    recordings = (
        synthesize_untrimmed(count, seed=seed) if untrimmed else synthesize(per_class=count, seed=seed)
    )
    return write_store(
        path,
        recordings,
        layout=LAYOUT,
        classes=SYNTHETIC_CLASSES,
        protocols={"cross-subject": cross_subject, "cross-view": cross_view},
        meta={"dataset": "synthetic", "source": "procedural motion", "up": "y",
              "size": size, "untrimmed": untrimmed, "seed": seed},
        dtype=dtype,
    )  # fmt: skip


def cross_subject(recording: Recording) -> str:
    """Every third subject tests."""
    return "test" if recording.subject is not None and int(recording.subject) % 3 == 0 else "train"


def cross_view(recording: Recording) -> str:
    """Cameras 1 and 2 train, camera 3 tests."""
    return "test" if recording.camera == "3" else "train"


def _film(name: str, scene: MotionScene, who: int, camera: Camera, rng: np.random.Generator) -> Recording:
    seen = film(scene.world, camera, scene.yaw, rng)
    sensed = [sense(seen[:, person], rng) for person in range(seen.shape[1])]
    return Recording(
        positions=np.stack([positions for positions, _ in sensed], axis=1),
        valid=np.stack([valid for _, valid in sensed], axis=1),
        layout=LAYOUT,
        name=name,
        fps=FPS,
        subject=str(who + 1),
        camera=camera.name,
        source="synthetic",
    )


def _subjects(count: int, seed: int) -> list[Subject]:
    return [draw_subject(_generator(seed, _SUBJECT, index)) for index in range(count)]


def _generator(seed: int, stream: int, index: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, index)))


def _check(*, seed: int, **counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ConfigError(f"{name} must be at least 1, not {count}.")
    if seed < 0:
        raise ConfigError(f"the seed must not be negative, but is {seed}.")
