"""Trained models at work: arrays or files in, named results out."""

from hitrs.deploy.recognizer import Prediction, Recognition, Recognizer

__all__ = ["Prediction", "Recognition", "Recognizer"]
