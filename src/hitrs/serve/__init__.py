"""Models behind one server: a page that is live, and an interface for programs.

``service`` is what is served, ``app`` the addresses, ``guard`` who may ask; ``live`` follows a client that
sends frames, ``upload`` takes a recording, ``moment`` keeps what was seen; ``server`` listens.
"""

from hitrs.serve.app import make_app
from hitrs.serve.server import Address, Listener
from hitrs.serve.service import Limits, Service

__all__ = ["Address", "Limits", "Listener", "Service", "make_app"]
