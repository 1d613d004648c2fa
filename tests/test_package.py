"""The names that `import hitrs` offers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hitrs


@pytest.mark.parametrize("name", hitrs.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(hitrs, name).__doc__
    assert name in dir(hitrs)


def test_the_three_lists_of_names_agree() -> None:
    """What is exported, where it is found at run time, and what type checkers are told."""
    tree = ast.parse(Path(hitrs.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == hitrs._HOMES
    assert sorted(told) == sorted(hitrs.__all__)


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Recognizr'"):
        _ = hitrs.Recognizr


def test_reading_data_does_not_wait_for_torch() -> None:
    code = "import sys, hitrs; hitrs.Store, hitrs.read_recording; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
