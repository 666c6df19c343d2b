"""The squared Frechet distance between features (FID), and the baseline that any image generator has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from simulacra.batch import Batch
from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array, numbers
from simulacra.evaluation.measurement import Measurement


def frechet(mean_a: Array, cov_a: Array, mean_b: Array, cov_b: Array) -> float:
    """Squared 2-Wasserstein distance of two Gaussians, |m_a - m_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2).

    >>> frechet(np.zeros(2), np.eye(2), np.array([3.0, 0.0]), 4 * np.eye(2))
    11.0

    Dowson and Landau (1982); Heusel et al. (2017, arXiv:1706.08500).
    """
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_b @ root), 0)).sum()
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


def _distance(a: Array, b: Array) -> float:
    return frechet(a.mean(0), np.cov(a.T).reshape(a.shape[1], -1), b.mean(0), np.cov(b.T).reshape(b.shape[1], -1))


def fid(
    reference: Any, generated: Any, floor_sample: Any = None, *, blocks: int = 20, permutations: int = 20, seed: int = 0
) -> Measurement:
    """FID of features [n, D] against [m, D]. It falls with n (as 1/n): compare at equal sizes, and with the floor.

    The floor is the distance of the reference to as many rows of `floor_sample` as were generated, averaged over up to
    five draws; without such rows, of random relabellings of both samples. The error is the jackknife's over blocks of
    events, less what the null adds to it twice: err^2 = max(jack^2 - 2 z^2, 0) + z^2, with z the floor's spread.

    Raises:
        UserError: a number is not finite, or there are fewer than twice as many events as features.
    """
    a, b = numbers(reference, "the reference"), numbers(generated, "the generated events")
    if min(len(a), len(b)) < 2 * a.shape[1]:
        raise UserError(f"expected at least {2 * a.shape[1]} events, came {min(len(a), len(b))}; give more events")
    value = _distance(a, b)
    draw = np.random.default_rng(seed)
    pooled, n = np.concatenate([a, b]), len(a)
    nulls = []
    for _ in range(permutations):
        order = draw.permutation(len(pooled))
        nulls.append(_distance(pooled[order[:n]], pooled[order[n:]]))
    z, floor = float(np.std(nulls, ddof=1)), float(np.mean(nulls))
    if floor_sample is not None and len(floor_sample) >= len(b):
        c = numbers(floor_sample, "the floor sample")
        times = min(5, max(1, len(c) // len(b)))
        order = draw.permutation(len(c))[: times * len(b)].reshape(times, len(b))
        floor = float(np.mean([_distance(a, c[rows]) for rows in order]))
    part_a, part_b = draw.permutation(len(a)) % blocks, draw.permutation(len(b)) % blocks
    left_out = np.array([_distance(a[part_a != k], b[part_b != k]) for k in range(blocks)])
    jack = (blocks - 1) / blocks * float(((left_out - left_out.mean()) ** 2).sum())
    error = np.sqrt(max(jack - 2 * z**2, 0) + z**2)
    return Measurement(value, float(error), floor, z, min(len(a), len(b)))


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
        """Means and covariances of a batch, in physical units; one for each `given["label"]` where it is there."""
        flat = batch.x.flatten(1).double()
        label = batch.given.get("label")
        groups = [flat] if label is None else [flat[label.flatten() == k] for k in range(int(label.max()) + 1)]
        means, loadings = [], []
        for group in groups:
            if len(group) < 2:
                raise UserError("expected at least two events of every class, came fewer; give more events")
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
