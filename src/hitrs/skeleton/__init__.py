"""What a skeleton is: joint layouts, and mapping one layout to another."""

from hitrs.skeleton.layout import Layout, get_layout, list_layouts
from hitrs.skeleton.mapping import joint_map, map_positions

__all__ = ["Layout", "get_layout", "joint_map", "list_layouts", "map_positions"]
