"""Fetching a file over HTTP: goes on where it was cut, tries again, checks what came; and unpacking it."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from hitrs import __version__
from hitrs.errors import DataError
from hitrs.files import atomic_folder, explained_writes, sha256_of

TRIES = 5
MAX_UNPACKED = 1 << 34
"""An archive that would unpack to more bytes (16 GB) is refused."""
_PIECE = 1 << 18
_SECONDS = 30
Progress = Callable[[int, "int | None"], None]
"""Bytes so far, and in all where that is known."""


def fetch(
    url: str,
    target: Path,
    sha256: str | None = None,
    progress: Progress = lambda done, of: None,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """Download a file to ``target``, and return its SHA-256.

    What came before an interruption lies in ``target.part`` and is not fetched again.

    Args:
        sha256: what the file must have; None = not known.
        pause: waits between tries, for so many seconds.

    Raises:
        DataError: if the server refuses or cannot be reached in five tries (what came is kept), the file is
            not the expected one (it is removed), or it cannot be written.
    """
    part = target.with_name(target.name + ".part")
    with explained_writes(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    for number in range(TRIES):
        try:
            if _fetch(url, part, progress):
                break
            reason = "the connection was cut"
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise DataError(
                    f"cannot fetch {url}: the server answers {error.code} {error.reason}."
                ) from error
            reason = f"{error.code} {error.reason}"
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error))
        if number + 1 < TRIES:
            pause(2.0**number)
    else:
        raise DataError(
            f"cannot fetch {url} in {TRIES} tries ({reason}). What came so far is kept; the same command "
            "goes on."
        )
    checksum = sha256_of(part)
    if sha256 is not None and checksum != sha256:
        part.unlink()
        raise DataError(f"{url} is not the expected file: its SHA-256 is {checksum}, expected {sha256}.")
    with explained_writes(target):
        part.replace(target)
    return checksum


def _fetch(url: str, part: Path, progress: Progress) -> bool:
    """Append to what is there; whether the file is complete now."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": f"hitrs/{__version__}"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is left to send, or the file has changed: begin anew
            part.unlink()
            return _fetch(url, part, progress)
        raise
    with answer:
        if answer.status != 206:  # the server sends the whole file
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length is not None and length.isdigit() else None
        with explained_writes(part):
            file = part.open("ab" if have else "wb")
        with file:
            while piece := answer.read(_PIECE):
                with explained_writes(part):
                    file.write(piece)
                have += len(piece)
                progress(have, total)
    return total is None or have >= total


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip archive into a new folder, which appears when it is complete.

    Raises:
        DataError: for a damaged archive, one that unpacks to more than 16 GB, or with a member that would lie
            outside the folder.
    """
    try:
        with zipfile.ZipFile(archive) as opened, atomic_folder(folder) as part:
            members = opened.infolist()
            if sum(member.file_size for member in members) > MAX_UNPACKED:
                raise DataError(f"{archive} unpacks to more than {MAX_UNPACKED} bytes.")
            for member in members:
                path = PurePosixPath(member.filename.replace("\\", "/"))
                if path.is_absolute() or ".." in path.parts or ":" in member.filename:
                    raise DataError(f"{archive} holds '{member.filename}', which lies outside of it.")
                with explained_writes(folder):
                    opened.extract(member, part)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"{archive} is not a zip archive that can be read ({error}); fetch it again."
        ) from error
