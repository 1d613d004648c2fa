"""Recordings as a page in which they are played, turned, compared and searched.

``drawing`` makes one recording small, ``gallery`` lists many, ``page`` is the file that holds what it shows,
``server`` the page of more than a file can hold; ``show.js`` and ``show.css`` are the same for both.
"""

from hitrs.viz.show.gallery import Gallery, Query
from hitrs.viz.show.page import write_page
from hitrs.viz.show.server import Server

__all__ = ["Gallery", "Query", "Server", "write_page"]
