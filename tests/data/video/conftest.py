"""A pose process that invents what it sees, and a place of its own for what is kept."""

from videos import clip, fake

__all__ = ["clip", "fake"]
