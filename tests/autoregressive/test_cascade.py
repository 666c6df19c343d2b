"""A cascade multiplies the densities of its stages and hands samples on."""

import pytest
import torch

from simulacra.autoregressive.cascade import Cascade
from simulacra.batch import Batch, DataSpec, Field
from simulacra.diffusion.flow_matching import FlowMatching
from simulacra.networks.conditioning import Conditions

DATA = DataSpec("pair", "vector", Field((3,)), parts={"a": (1,), "b": (2,)})


def cascade():
    torch.manual_seed(0)
    return Cascade(DATA, {"a": FlowMatching(1), "b": FlowMatching(2, Conditions({"a": Field((1,))}))})


def test_log_prob_is_the_sum_over_stages():
    model, x = cascade(), torch.randn(6, 3)
    a = model.stages["a"].log_prob(Batch(x[:, :1]))
    b = model.stages["b"].log_prob(Batch(x[:, 1:], {"a": x[:, :1]}))
    assert torch.allclose(model.log_prob(Batch(x)), a + b)


def test_later_stages_are_told_of_samples_and_of_data():
    model = cascade()
    seen = model.stage_batch("b", Batch(torch.arange(6.0).view(2, 3)))
    assert seen.given["a"].tolist() == [[0.0], [3.0]]
    assert seen.x.tolist() == [[1.0, 2.0], [4.0, 5.0]]
    assert "b" not in model.stage_batch("a", Batch(torch.zeros(2, 3))).given


def test_every_stage_feels_its_own_loss_only():
    model = cascade()
    batch = Batch(torch.randn(32, 3) * 2 + 1)
    for _ in range(2):  # the last layer begins at zero, so others feel it after one step
        for name, loss in model.losses().items():
            model.zero_grad(set_to_none=True)
            sum(loss(batch).parts.values()).backward()
            for other, stage in model.stages.items():
                assert all((p.grad is not None) == (other == name) for p in stage.parameters())
            with torch.no_grad():
                for p in model.stages[name].parameters():
                    p -= 0.1 * p.grad
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in model.stages["b"].parameters())


def test_stages_must_cover_the_event():
    with pytest.raises(ValueError, match="cover 3 numbers in order"):
        Cascade(DATA, {"a": FlowMatching(1)})
