"""What a recognizer says of a recording, for a page that shows it."""

from __future__ import annotations

from hitrs.data.recording import Recording
from hitrs.tasks.recognition.model import RecognitionModel
from hitrs.tasks.recognition.recognizer import Recognizer
from hitrs.tasks.reply import Replier, Reply


def recognition_replies(model: RecognitionModel, *, as_is: bool) -> Replier:
    """Wrong answers come first, the surest of them on top; of the right ones the least sure."""
    recognizer = Recognizer(model)

    def reply(given: Recording) -> Reply:
        recording = recognizer.recording(given, as_is=as_is)
        result = recognizer.recognize([recording])[0]
        label, sure = given.label, result.probability
        right, error = None, None
        if label is not None:
            right = label == result.label if label in recognizer.classes else not result.known
            error = 1 - sure if right else 1 + sure
        return Reply(
            recording,
            f"{result.label} {sure:.0%}" if result.known else result.label,
            error,
            right,
            tuple((score.label, score.probability) for score in result.scores),
        )

    return reply
