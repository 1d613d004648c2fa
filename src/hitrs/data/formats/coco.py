"""COCO keypoints: an annotation file with images, annotations and categories, or a list of results.

17 joints in pixels. A joint of visibility (or score) 0 was not seen. The images are the frames, in the order
of ``frame_id``, else of their file names, else of their ids; ``track_id`` says who is who where it is given.
A result differs from one of AlphaPose only in that its ``image_id`` is a number, and it has no box or idx.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hitrs.data.formats.alphapose import FORMAT as ALPHAPOSE
from hitrs.data.formats.alphapose import LAYOUTS, RESULTS, results_recording
from hitrs.data.formats.format import Format, Head, one
from hitrs.data.formats.json_text import read_json, short, whole_number
from hitrs.data.recording import Recording, natural_order
from hitrs.errors import DataError
from hitrs.skeleton import Layout


def read_coco(path: str | Path, layout: Layout | None = None) -> Recording:
    """Read one file; (T, P, J, 2) in pixels.

    Args:
        layout: 2-D, of another number of joints than 17.

    Raises:
        DataError: for a file that is missing, damaged, of several videos, or has other joints (naming the
            annotation).
    """
    path = Path(path)
    content = read_json(path)
    if isinstance(content, list):
        return results_recording(path, content, LAYOUTS, layout)
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("images", "annotations")
    ):
        raise DataError(
            f"{path} is {short(content)}, expected COCO keypoints: lists 'images' and 'annotations', or a "
            "list of results."
        )
    annotations = [
        each for each in content["annotations"] if not isinstance(each, dict) or "keypoints" in each
    ]
    if not annotations:
        raise DataError(f"{path} has no annotation with keypoints.")
    return results_recording(path, annotations, LAYOUTS, layout, _order(path, content["images"]))


def _order(path: Path, images: list[Any]) -> dict[Any, int]:
    """Frame of each image id."""
    for number, image in enumerate(images):
        if not isinstance(image, dict) or type(image.get("id")) not in (int, str):
            raise DataError(f"{path}, image {number} is {short(image)}, expected an object with an id.")
    videos = {image.get("video_id") for image in images if type(image.get("video_id")) in (int, str)}
    if len(videos) > 1:
        raise DataError(
            f"{path} has images of {len(videos)} videos (video_id), expected one; split the file."
        )
    if all(whole_number(image.get("frame_id")) is not None for image in images):
        ordered = sorted(images, key=lambda image: whole_number(image["frame_id"]) or 0)
    elif all(isinstance(image.get("file_name"), str) and len(image["file_name"]) <= 500 for image in images):
        ordered = sorted(images, key=lambda image: natural_order(image["file_name"]))
    else:
        ordered = sorted(images, key=lambda image: natural_order(str(image["id"])[:500]))
    order = {image["id"]: frame for frame, image in enumerate(ordered)}
    if len(order) < len(images):
        raise DataError(f"{path}: {len(images) - len(order)} images have the id of another one.")
    return order


def _matches(head: Head) -> bool:
    if RESULTS.match(head.text):
        return not ALPHAPOSE.matches(head)
    start = head.text.lstrip()[:1] == "{"
    return (
        start
        and any(f'"{key}"' in head.text for key in ("annotations", "images", "categories"))
        and ('"skeletons"' not in head.text and not ALPHAPOSE.matches(head))
    )


FORMAT = Format(
    name="coco",
    title="COCO keypoints, one JSON file a video",
    suffixes=(".json",),
    matches=_matches,
    read=one(read_coco),
    memory=36,
)
