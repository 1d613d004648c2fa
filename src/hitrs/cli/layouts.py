"""``hitrs layouts``: which joint layouts there are, and the joints of one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from hitrs.cli.console import print_line
from hitrs.skeleton.layout import Layout, get_layout, list_layouts


def run(
    name: Annotated[Positional[str | None], arg(metavar="LAYOUT")] = None,
    *,
    picture: Annotated[Path | None, arg(metavar="FILE", aliases=("--out",))] = None,
) -> None:
    """List the named joint layouts, or show the joints of one with their indices, parents and other sides.

    Args:
        name: a named layout, or your own from a .yaml file.
        picture: draw it to this file (.png, .svg or .pdf): one layout with the names of its joints, or all of
            them side by side.
    """
    if name is None:
        _list()
    else:
        _show(get_layout(name))
    if picture is None:
        return
    from hitrs.viz.layout import draw_layout, draw_layouts

    if name is None:
        draw_layouts([get_layout(each) for each in list_layouts()], picture)
    else:
        draw_layout(get_layout(name), picture)
    print_line(f"picture  {picture}")


def _list() -> None:
    width = max(map(len, list_layouts()))
    print_line(f"{'layout':<{width}}  joints  dims  what it is")
    for name in list_layouts():
        layout = get_layout(name)
        print_line(f"{name:<{width}}  {layout.n_joints:>6}  {layout.dims:>4}  {layout.about}")


def _show(layout: Layout) -> None:
    print_line(f"{layout.name}: {layout.about}" if layout.about else layout.name)
    center = ", ".join(layout.joints[joint] for joint in layout.center)
    print_line(
        f"{layout.n_joints} joints, {layout.dims}-D; root {layout.joints[layout.root]}; center {center}"
    )
    print_line()
    width, mirror = max(map(len, layout.joints)), layout.mirror
    print_line(f"index  {'joint':<{width}}  {'parent':<{width}}  other side")
    for joint, parent in enumerate(layout.parents):
        above = "" if parent == joint else layout.joints[parent]
        other = "" if mirror[joint] == joint else layout.joints[mirror[joint]]
        print_line(f"{joint:>5}  {layout.joints[joint]:<{width}}  {above:<{width}}  {other}".rstrip())
