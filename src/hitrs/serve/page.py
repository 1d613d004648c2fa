"""The page: one HTML file that asks nobody but the server it came from."""

from __future__ import annotations

from importlib import resources

from hitrs.errors import counted
from hitrs.serve.service import ServedModel, Service
from hitrs.viz.show.page import fill

_POLICY = "; connect-src 'self'; media-src blob:"


def live_page(service: Service) -> str:
    """HTML with what ``live.js`` reads."""
    folder = resources.files("hitrs.serve")
    html, style, script = (
        (folder / f"live.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    models = list(service.models.values())
    live = [each for each in models if each.served.live]
    data = {
        "models": [each.facts() for each in [*live, *(each for each in models if each not in live)]],
        "classes": list(dict.fromkeys(name for each in models for name in each.card.classes)),
        "about": [*map(_about, models), *_privacy(service)],
        "no_pictures": service.no_pictures(),
    }
    return fill(html, "What a model sees", data, style, script, _POLICY, ", <kbd>R</kbd> records")


def _about(model: ServedModel) -> str:
    card = model.card
    classes = f", {counted(len(card.classes), 'class', 'classes')}" if card.classes else ""
    rate = f", {card.fps:g} frames a second" if card.fps is not None else ""
    return f"{model.task.name}: {model.task.about}{classes}, {card.layout.n_joints} joints{rate}"


def _privacy(service: Service) -> list[str]:
    kept = "" if service.moments is None else " unless you record a moment"
    return [f"what you show goes to the machine that serves this page, and is not kept{kept}"]
