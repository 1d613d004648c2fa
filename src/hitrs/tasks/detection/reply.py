"""What a detector says of a recording, for a page that shows it."""

from __future__ import annotations

from hitrs.data.recording import Recording
from hitrs.errors import counted, located
from hitrs.tasks.detection.detector import Detector
from hitrs.tasks.detection.model import DetectionModel
from hitrs.tasks.detection.truth import frame_labels
from hitrs.tasks.reply import Replier, Reply

BACKGROUND = "no action"


def detection_replies(model: DetectionModel, *, as_is: bool) -> Replier:
    """Recordings with most wrong frames come first. Another frame rate is brought to the model's."""
    detector = Detector(model)

    def reply(given: Recording) -> Reply:
        recording = detector.recording(given, resample=True, as_is=as_is)
        detection = detector.detect(recording)
        probabilities, classes = detection.probabilities, detection.classes
        assert probabilities is not None
        said, error = f"{counted(len(detection.proposals), 'segment')} found", None
        if recording.segments:
            with located(f"recording '{recording.name}'"):
                truth = frame_labels(recording.segments, recording.n_frames, classes)
            error = float((probabilities.argmax(1) != truth).mean())
            said = f"{1 - error:.0%} of frames right"
        return Reply(
            recording,
            said,
            error,
            segments=tuple((p.start, p.stop, classes[p.label], p.score) for p in detection.proposals),
            probabilities=probabilities,
            labels=(*classes, BACKGROUND),
        )

    return reply
