"""Showers to fit, read once for a file."""

import pytest

from simulacra.domains import calorimeter
from simulacra.domains.dataset import in_memory, parts_of


@pytest.fixture(scope="module")
def electrons():
    """The training part of the bundled electrons, and the test part."""
    data = calorimeter.open_bundled()
    parts = parts_of(data)
    return in_memory(data.spec, data[parts["train"]]), data[parts["test"]]
