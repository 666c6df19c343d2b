"""Classifier guidance: a diffusion model that was told nothing, steered by a classifier of noisy events."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from simulacra.batch import Batch, Given
from simulacra.diffusion.diffusion import LIMIT, DeterministicDiffusion
from simulacra.diffusion.paths import Path, Place
from simulacra.diffusion.predictions import denoised, prediction
from simulacra.training.game import Loss

GRID = 100
"""Times at which a classifier learns."""


class GuidedDiffusion(DeterministicDiffusion):
    """Classifier guidance: the score of a model without conditions, moved towards what a classifier calls the class.

        grad log p_t(x | y) = grad log p_t(x) + weight grad log p(y | x, t)

    by Bayes' rule, for weight 1; a larger one takes typical events of the class. The classifier learns from events at
    every noise, apart from the denoiser. Each step calls both; weight 0 is the model without conditions. What is
    expected of the event follows the score, `e = -sigma grad log p_t`.

    Args:
        network: as of `Diffusion`, told nothing.
        classifier: (x, {"noise": label [B]}) -> logits [B, K], both as the network sees them.
        name: of the class among the conditions.
        weight: of the classifier.

    Source: Dhariwal and Nichol (2021), arXiv:2105.05233, section 4; Song et al. (2021), arXiv:2011.13456.
    """

    def __init__(
        self,
        network: nn.Module,
        shape: tuple[int, ...],
        path: Path,
        kind: str,
        sampler: Any,
        classifier: nn.Module,
        name: str,
        *,
        weight: float = 1.0,
    ) -> None:
        super().__init__(network, shape, path, kind, sampler)
        self.classifier, self.name, self.weight = classifier, name, weight

    @property
    def evaluations(self) -> int:
        """Calls of networks for one sample, of the classifier's too."""
        return self.sampler.evaluations * (2 if self.weight else 1)

    def logits(self, x: Tensor, place: Place) -> Tensor:
        """What the classifier says of noisy events, [B, K]."""
        wide, label = place.beside(x), (place.sigma.log() - place.alpha.log()).clamp(-LIMIT, LIMIT) / 4
        return self.classifier(x / (wide.alpha.square() + wide.sigma.square()).sqrt(), {"noise": label})

    def classification(self, batch: Batch) -> Loss:
        """The cross entropy of the classes at times of a fine grid, and random noise; watches the share that is right.

        A sampler asks at its start as much as at its end, where a denoiser has more to learn.
        """
        times = batch.x.new_tensor(self.path.grid(GRID)[:-1])
        place = self.path.at(times[torch.randint(len(times), (len(batch),), device=times.device)])
        wide, target = place.beside(batch.x), batch.given[self.name].flatten().long()
        logits = self.logits(wide.alpha * batch.x + wide.sigma * torch.randn_like(batch.x), place)
        right = (logits.argmax(1) == target).to(batch.x.dtype)
        surprise = batch.mean(cross_entropy(logits, target, reduction="none"))
        return Loss({"classification": surprise}, {"accuracy": batch.mean(right)})

    def _guided(self, x: Tensor, place: Place, given: Given) -> Tensor:
        value = self.predict(x, place, {})
        if not self.weight:
            return value
        wide, differentiable = place.beside(x), torch.is_grad_enabled()
        with torch.enable_grad():
            at = x if x.requires_grad else x.detach().requires_grad_()
            told = self.logits(at, place).log_softmax(1).gather(1, given[self.name].long().view(-1, 1)).sum()
            slope = torch.autograd.grad(told, at, create_graph=differentiable)[0]
        noise = denoised(self.kind, value, x, place).noise - self.weight * wide.sigma * slope
        return prediction(self.kind, (x - wide.sigma * noise) / wide.alpha, noise, place)
