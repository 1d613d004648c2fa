"""Videos: what a pose estimator sees in them (docs/video.md).

The estimator is MediaPipe's, or the one that ``pose_estimator`` (``--pose``) names. Poses that were estimated
are kept, so that a video is looked at once.
"""

from __future__ import annotations

from pathlib import Path

from hitrs.data.formats.format import Format, Head, check_layout, one
from hitrs.data.recording import Recording
from hitrs.data.video.estimator import current_estimator
from hitrs.data.video.track import pose_track
from hitrs.skeleton import Layout, get_layout

_EBML, _RIFF, _ASF, _TS = b"\x1a\x45\xdf\xa3", b"RIFF", b"\x30\x26\xb2\x75", 0x47
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # of mp4 and QuickTime
_PACKET = 188  # bytes of an MPEG transport stream, which camcorders write


def read_video(path: str | Path, layout: Layout | None = None) -> Recording:
    """The people in a video as a recording at a constant frame rate.

    Raises:
        DataError: if it cannot be opened, shows nobody, or the environment of the pose process is not there.
    """
    path = Path(path)
    estimator = current_estimator()
    own = check_layout(path, layout, get_layout(estimator.layout))
    return pose_track(path, estimator).recording(path, own)


def _matches(head: Head) -> bool:
    data = head.data
    stream = len(data) > 2 * _PACKET and data[0] == data[_PACKET] == data[2 * _PACKET] == _TS
    avi = data[:4] == _RIFF and data[8:12] == b"AVI "
    return data[4:8] in _BOXES or avi or data.startswith((_EBML, _ASF)) or stream


FORMAT = Format(
    name="video",
    title="videos, by a pose estimator",
    suffixes=(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".mts", ".m2ts"),
    matches=_matches,
    read=one(read_video),
    layout=lambda: get_layout(current_estimator().layout),
    estimated=True,
)
