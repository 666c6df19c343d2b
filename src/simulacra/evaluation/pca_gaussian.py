"""The Gaussian in PCA space, whose Frechet distance is a floor for models of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from simulacra.batch import Batch
from simulacra.errors import UserError


@dataclass(frozen=True, eq=False)
class PCAGaussian:
    """The simplest honest generator: a Gaussian in the leading principal components, per class where there are any.

    Attributes:
        means: [K, D]; loadings: [K, components, D], each component times its standard deviation.
        shape: of one event.

    Example:
        >>> model = PCAGaussian.fit(Batch(torch.randn(100, 1, 4, 4)), components=5)
        >>> model.sample(3).x.shape
        torch.Size([3, 1, 4, 4])
    """

    means: torch.Tensor
    loadings: torch.Tensor
    shape: tuple[int, ...]

    @staticmethod
    def fit(batch: Batch, components: int = 64) -> PCAGaussian:
        """Means and covariances of a batch, in physical units; one for each `given["label"]` where it is there.

        A class of fewer than two events has those of all.
        """
        flat = batch.x.flatten(1).double()
        label = batch.given.get("label")
        groups = [flat] if label is None else [flat[label.flatten() == k] for k in range(int(label.max()) + 1)]
        if len(flat) < 2:
            raise UserError(f"expected at least two events, came {len(flat)}; give more events")
        means, loadings = [], []
        for group in groups:
            group = group if len(group) > 1 else flat
            values, vectors = torch.linalg.eigh(torch.cov(group.T).reshape(flat.shape[1], -1))
            scale = values.clamp_min(0).sqrt()[-components:]
            means.append(group.mean(0))
            loadings.append((vectors[:, -components:] * scale).T)
        return PCAGaussian(torch.stack(means).float(), torch.stack(loadings).float(), tuple(batch.x.shape[1:]))

    def sample(self, n: int, given: Mapping[str, torch.Tensor] = {}) -> Batch:
        """Draws from the default generator, of the classes in `given["label"]` or of all at random."""
        kinds = len(self.means)
        which = given["label"].flatten().long() if "label" in given and kinds > 1 else torch.randint(kinds, (n,))
        noise = torch.randn(n, self.loadings.shape[1])
        x = self.means[which]
        for k in range(kinds):
            x[which == k] += noise[which == k] @ self.loadings[k]
        return Batch(x.view(n, *self.shape), dict(given))
