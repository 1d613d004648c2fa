"""The downstream tasks by name: this package's three, and those of other packages ("hitrs.tasks").

Nothing but settings is imported before a task is used, so that ``--help`` can list them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hitrs.plugins import Registry

if TYPE_CHECKING:
    from hitrs.tasks.base import Task

_SECTIONS = {"recognition": "recognize", "detection": "detect", "prediction": "predict"}
"""Sections of a configuration that are not called as their task; that of a plugin is."""


def _check(value: Any, name: str) -> Task:
    from hitrs.tasks.base import Task

    if not isinstance(value, Task):
        raise TypeError(f"it is {value!r}, expected an instance of hitrs.tasks.base.Task")
    if value.name != name:
        raise TypeError(f"its name is '{value.name}', expected '{name}'")
    return value


TASKS: Registry[Task] = Registry(
    "hitrs.tasks",
    "downstream task",
    {name: f"hitrs.tasks.{name}.task:TASK" for name in _SECTIONS},
    _check,
)


def register_task(task: Task) -> Task:
    """Make a downstream task of a script or notebook known by its name.

    ``DurationTask`` is the example of docs/extend.md, which says what a task consists of.

    >>> from hitrs_duration import DurationTask
    >>> hitrs.register_task(DurationTask())

    Raises:
        ConfigError: if the name is one of the package's own, or it is no task.
    """
    return TASKS.register(getattr(task, "name", ""), task)


def section_name(task: str) -> str:
    """Section of the configuration that holds a task's settings."""
    return _SECTIONS.get(task, task)


def task_of_section(section: str) -> str | None:
    """The task whose settings a section holds, None where there is none."""
    return next((name for name in TASKS.names() if section_name(name) == section), None)


def config_class(task: str) -> type:
    """The settings class of a task; of this package's own without importing anything else of it."""
    if task in _SECTIONS:
        found: type = import_module(f"hitrs.tasks.{task}.config").CONFIG
        return found
    return TASKS.get(task).config_class
