"""Logistic regression: the boundary between classes, and nothing of what they look like."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Solved
from torch import Tensor, nn

from simulacra.batch import Batch, DataSpec
from simulacra.classical.bins import Bins
from simulacra.classical.components import REAL
from simulacra.errors import UserError
from simulacra.training.game import Loss


class LogisticRegression(nn.Module):
    """Logistic regression: a discriminative classifier `p(y | x) = softmax(W x + b)_y` without p(x) and samples.

    Maximises `sum_i log p(y_i | x_i) - |W|^2 / (2 C)`, a concave function, by scikit-learn's L-BFGS. With Gaussian
    classes of a shared covariance the true p(y | x) has this form: linear discriminant analysis solves for the same
    boundary by way of p(x | y). Classes that were not seen have probability zero.

    Args:
        spec: encoded, with a class.
        events: how many are kept for the solution, at most.
        strength: C, the prior variance of the weights.
        iterations: of L-BFGS, at most.

    Raises:
        UserError: the data have no class, or the strength is not positive.

    Source: Cox (1958).

    Example:
        >>> from simulacra.batch import Field
        >>> model = LogisticRegression(DataSpec("line", "vector", Field((1,)), {"label": Field((), "class", 2)}), 4)
        >>> told = {"label": torch.tensor([0, 0, 1, 1])}
        >>> _ = model.solve(model.collect(Batch(torch.tensor([[0.0], [2.0], [10.0], [12.0]]), told)))
        >>> model.log_posterior(Batch(torch.tensor([[1.0], [6.0], [11.0]]))).exp()[:, 1].round(decimals=1).tolist()
        [0.0, 0.5, 1.0]
    """

    weight: Tensor
    offset: Tensor

    def __init__(self, spec: DataSpec, events: int, strength: float = 1.0, iterations: int = 100) -> None:
        super().__init__()
        if strength <= 0:
            raise UserError(f"expected a strength above 0, came {strength}; large values leave the weights free")
        fields = {name: field for name, field in spec.given.items() if field.kind == "class" and field.size == 1}
        if not fields:
            raise UserError(f"expected a class to tell apart, {spec.name} has none; choose data with labels")
        self.fields, self.events, self.strength, self.iterations = fields, events, strength, iterations
        self.bins = Bins(fields, 1)
        self.register_buffer("weight", torch.zeros(self.bins.size, spec.x.size, dtype=REAL))
        self.register_buffer("offset", torch.zeros(self.bins.size, dtype=REAL))

    def collect(self, batch: Batch) -> dict[str, Tensor]:
        """The events themselves: one batch must hold them all."""
        batch = batch[: self.events]
        x = batch.x.flatten(1).to(REAL)
        weight = torch.ones_like(x[:, 0]) if batch.weight is None else batch.weight.to(REAL)
        one = torch.ones((), device=x.device)
        return {"x": x, "kind": self.bins(len(batch), batch.given), "weight": weight, "batches": one}

    def solve(self, sums: Mapping[str, Tensor]) -> Loss:
        """Weights and offsets; one class alone has probability one.

        Raises:
            UserError: the events came from several processes.
        """
        if sums["batches"] > 1:
            raise UserError(
                f"expected one process to keep training events, came {int(sums['batches'])}; train without torchrun"
            )
        x, kind, weight = sums["x"], sums["kind"], sums["weight"]
        seen = kind.unique()
        self.weight.zero_()
        self.offset.fill_(-1e4).index_fill_(0, seen, 0.0)
        if len(seen) > 1:
            solver = Solved(C=self.strength, max_iter=self.iterations)
            with warnings.catch_warnings():  # classes that a plane separates have no finite solution without C
                warnings.simplefilter("ignore", ConvergenceWarning)
                solver.fit(x.cpu().numpy(), kind.cpu().numpy(), weight.cpu().numpy())
            slope, level = np.atleast_2d(solver.coef_), solver.intercept_
            if len(seen) == 2:  # scikit-learn gives the second class's log odds
                slope, level = np.concatenate([-slope, slope]) / 2, np.concatenate([-level, level]) / 2
            self.weight[seen] = torch.from_numpy(slope).to(self.weight)
            self.offset[seen] = torch.from_numpy(level).to(self.offset)
        told = (x @ self.weight.T + self.offset).log_softmax(1).gather(1, kind[:, None])[:, 0]
        return Loss({"cross_entropy": -(weight * told).sum() / weight.sum()}, {"classes": x.new_tensor(len(seen))})

    def log_posterior(self, batch: Batch) -> Tensor:
        """`log p(y | x)`, [B, classes]. `given` is not looked at."""
        return (batch.x.flatten(1).to(REAL) @ self.weight.T + self.offset).log_softmax(1)
