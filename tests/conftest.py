import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def electrons():
    """The training part of the bundled electrons, and the test part."""
    from simulacra.domains import calorimeter
    from simulacra.domains.dataset import in_memory, parts_of

    data = calorimeter.open_bundled()
    parts = parts_of(data)
    return in_memory(data.spec, data[parts["train"]]), data[parts["test"]]
