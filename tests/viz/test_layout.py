"""Pictures of layouts: every name is on them, none on another, and nothing outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from hitrs.errors import ConfigError
from hitrs.skeleton import get_layout, list_layouts
from hitrs.viz.layout import draw_layout, draw_layouts


@pytest.mark.parametrize("name", ["cmu38", "mediapipe33", "hand21"])
def test_every_joint_is_named_where_it_can_be_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, drawn = get_layout(name), []
    save = Figure.savefig

    def spy(figure: Figure, *args, **kwargs) -> None:
        figure.canvas.draw()
        texts = figure.axes[0].texts
        drawn.extend((text.get_text(), text.get_window_extent()) for text in texts)
        drawn.append(("", figure.bbox))
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", spy)
    draw_layout(layout, tmp_path / "a.png")
    *labels, (_, paper) = drawn
    assert len(labels) == layout.n_joints
    for joint, own in enumerate(layout.joints):
        assert any(sorted(text.split()) == sorted([str(joint), own]) for text, _ in labels)
    boxes = [box.shrunk(0.9, 0.7) for _, box in labels]
    assert all(paper.x0 <= box.x0 and box.x1 <= paper.x1 for box in boxes)
    assert all(paper.y0 <= box.y0 and box.y1 <= paper.y1 for box in boxes)
    assert not any(one.overlaps(other) for n, one in enumerate(boxes) for other in boxes[:n])


def test_all_layouts_side_by_side(tmp_path: Path) -> None:
    out = tmp_path / "all.svg"
    draw_layouts([get_layout(name) for name in list_layouts()], out)
    assert out.stat().st_size > 1000
    with pytest.raises(ConfigError, match=r"\.png"):
        draw_layout(get_layout("ntu25"), tmp_path / "a.jpg")
