import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)

settings.register_profile(
    "steady",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("steady")


@pytest.fixture(scope="module")
def electrons():
    """The training part of the bundled electrons, and the test part."""
    from simulacra.domains import calorimeter
    from simulacra.domains.dataset import in_memory, parts_of

    data = calorimeter.open_bundled()
    parts = parts_of(data)
    return in_memory(data.spec, data[parts["train"]]), data[parts["test"]]
