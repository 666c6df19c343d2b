"""A diffusion model: one network that denoises, and what can be made of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.batch import Batch, Given, Noise
from simulacra.diffusion.pairing import unweighted
from simulacra.diffusion.paths import Chain, Path, Place
from simulacra.diffusion.predictions import KINDS, Denoised, convert, denoised, prediction
from simulacra.diffusion.samplers import solve
from simulacra.diffusion.weightings import Weighting, simple
from simulacra.errors import UserError
from simulacra.training.game import Loss

LIMIT = 10.0
"""Largest |ln(sigma / alpha)| that a network is told."""
CACHE = 2**17
"""Numbers that a CPU takes through a sampler together: more leave its cache, and a picture takes twice as long."""


class Diffusion(nn.Module):
    """Diffusion model: learns to denoise `x_t = alpha x + sigma e`; a sampler makes events from noise with it.

        loss = weight(t) |F(x_t / sqrt(alpha^2 + sigma^2), ln(sigma / alpha) / 4 | given) - target(x, e)|^2 / D

    The norm is squared, and its minimum the mean of the target; the plain norm that a lecture prints for denoising
    would give the spatial median. Events should have unit variance. Whatever its path and its target, the network sees
    an input of unit size and the same noise label (that of Karras et al. 2022 is the case alpha = 1).

    Classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598): with `drop`, the network also learns without its
    conditions, and a sample follows `F_without + guidance (F_with - F_without)`; weight 1 is no guidance, and any other
    weight doubles the calls of the network.

    Args:
        network: (x, label [B], given, keep [B] or None) -> like x; see `networks.denoiser_for`.
        shape: of one event.
        path: from data to noise.
        kind: of its prediction, `noise`, `data`, `velocity`, `score` or `preconditioned`.
        sampler: (field, noise [B, *shape], given) -> events.
        weighting: of the squared error.
        drop: share of events that are learnt without their conditions.
        guidance: weight of the conditions in sampling.
        pairing: (x [B, D], e [B, D]) -> order of e, for noise that is not independent of x in a batch.

    Raises:
        UserError: guidance without dropped conditions.

    Source: Sohl-Dickstein et al. (2015), arXiv:1503.03585; Ho, Jain and Abbeel (2020), arXiv:2006.11239.
    """

    def __init__(
        self,
        network: nn.Module,
        shape: tuple[int, ...],
        path: Path,
        kind: str,
        sampler: Any,
        *,
        weighting: Weighting = simple,
        drop: float = 0.0,
        guidance: float = 1.0,
        pairing: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise UserError(f"expected a prediction among {', '.join(KINDS)}, came {kind!r}; choose one")
        if guidance != 1 and not drop:
            raise UserError(
                f"expected drop above 0 for a guidance of {guidance:g}, came 0; train with dropped conditions"
            )
        self.network, self.shape, self.path, self.kind, self.sampler = network, shape, path, kind, sampler
        self.weighting, self.drop, self.guidance, self.pairing = weighting, drop, guidance, pairing

    @property
    def evaluations(self) -> int:
        """Calls of the network for one sample."""
        return self.sampler.evaluations * (1 if self.guidance == 1 else 2)

    @property
    def at_once(self) -> int:
        """Events that go through the sampler together on a CPU; 0, all, elsewhere."""
        here = next(self.network.parameters()).device.type == "cpu"
        return max(1, CACHE // math.prod(self.shape)) if here else 0

    def predict(self, x: Tensor, place: Place, given: Given, keep: Tensor | None = None) -> Tensor:
        """The network's prediction at x [B, *shape], told the conditions where `keep` [B] is 1."""
        wide = place.beside(x)
        label = (place.sigma.log() - place.alpha.log()).clamp(-LIMIT, LIMIT) / 4
        return self.network(x / (wide.alpha.square() + wide.sigma.square()).sqrt(), label, given, keep)

    def _guided(self, x: Tensor, place: Place, given: Given) -> Tensor:
        told = self.predict(x, place, given)
        if self.guidance == 1:
            return told
        untold = self.predict(x, place, given, torch.zeros_like(place.alpha))
        return untold + self.guidance * (told - untold)

    def denoise(self, x: Tensor, t: Tensor, given: Given = {}) -> Denoised:
        """The event and the noise that the model expects in x [B, *shape] at t [B]."""
        place = self.path.at(t)
        return denoised(self.kind, self._guided(x, place, given), x, place)

    def velocity(self, x: Tensor, t: Tensor, given: Given = {}) -> Tensor:
        """`alpha' E[x_0 | x] + sigma' E[e | x]`, [B, *shape]."""
        place = self.path.at(t)
        value = self._guided(x, place, given)
        return value if self.kind == "velocity" else convert(value, x, place, self.kind, "velocity")

    def loss(self, batch: Batch) -> Loss:
        """The weighted mean of squared errors at random times and noise."""
        if self.pairing is not None:
            batch = unweighted(batch)
        x, e = batch.x, torch.randn_like(batch.x)
        if self.pairing is not None:
            e = e[self.pairing(x.flatten(1), e.flatten(1))]
        place = self.path.at(self.path.draw(len(x), x))
        wide = place.beside(x)
        keep = (torch.rand_like(place.alpha) >= self.drop).to(x.dtype) if self.drop else None
        target = prediction(self.kind, x, e, place)
        miss = self.predict(wide.alpha * x + wide.sigma * e, place, batch.given, keep) - target
        error = miss.square().flatten(1).mean(1)
        return Loss({"denoising": batch.mean(self.weighting(self.kind, place) * error)}, {"error": batch.mean(error)})

    def start(self, n: int) -> Tensor:
        """Noise at the path's start, N(0, sigma^2), [n, *shape]."""
        like = next(self.network.parameters())
        z = torch.randn(n, *self.shape, device=like.device, dtype=like.dtype)
        return z * self.path.at(z.new_full((1,), self.path.start)).sigma

    def sample(self, n: int, given: Given = {}) -> Batch:
        """n new events, one for each row of `given`; no gradient, evaluation mode."""
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                size = self.at_once or max(1, n)
                made = [
                    self.sampler(self, x, {name: v[k * size : (k + 1) * size] for name, v in given.items()})
                    for k, x in enumerate(self.start(n).split(size))
                ]
                return Batch(torch.cat(made), given)
        finally:
            self.train(training)


class DeterministicDiffusion(Diffusion):
    """A diffusion model whose sampler draws no fresh noise: a deterministic, differentiable map of its start."""

    def noise(self, n: int) -> Noise:
        """The start: `z` [n, *shape]."""
        return {"z": self.start(n)}

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        """Events from noise, with gradient."""
        return Batch(self.sampler(self, noise["z"], given), given)


class ScoreDiffusion(Diffusion):
    """A diffusion model with the exact density of its probability flow, whatever it samples with.

    `log p(x) = log N(x_T; 0, sigma_T^2) + int div v dt` along the flow from data to noise, by Runge and Kutta's
    fourth-order rule. The trace is exact, D gradients per call, or, with `draws` above 0, Hutchinson's estimate from
    so many random signs: unbiased for log p. The start is taken as normal, which is exact for what is sampled.

    Source: Song et al. (2021), arXiv:2011.13456, appendix D.2; Lipman et al. (2022), arXiv:2210.02747.
    """

    def log_prob(self, batch: Batch, steps: int = 64, draws: int = 0) -> Tensor:
        """log p(x | given) in nats, [B]; without gradient."""
        x = batch.x.flatten(1)
        signs = [torch.randint(0, 2, x.shape, device=x.device).to(x) * 2 - 1 for _ in range(draws)]

        def field(state: Tensor, time: float) -> Tensor:
            with torch.enable_grad():
                at = state[:, :-1].detach().requires_grad_()
                v = self.velocity(at.view(-1, *self.shape), torch.full_like(at[:, 0], time), batch.given).flatten(1)
                return torch.cat([v, _trace(v, at, signs)[:, None]], 1).detach()

        times = self.path.grid(steps)[::-1]
        end = solve(field, torch.cat([x, torch.zeros_like(x[:, :1])], 1), times, "rk4")
        sigma = self.path.at(x.new_full((1,), self.path.start)).sigma
        normal = -0.5 * (end[:, :-1] / sigma).square().sum(1) - x.shape[1] * (0.5 * math.log(2 * math.pi) + sigma.log())
        return normal + end[:, -1]


class FlowDiffusion(ScoreDiffusion, DeterministicDiffusion):
    """A diffusion model that samples by its probability flow: the density, exact or by Hutchinson's estimate, is that
    of its samples, but for the steps of the solver."""


def _trace(v: Tensor, x: Tensor, signs: list[Tensor]) -> Tensor:
    """tr dv/dx of each event [B]: exact, or the mean along random signs."""
    total = torch.zeros_like(x[:, 0])
    for one in signs:
        total = total + (torch.autograd.grad(v, x, one, retain_graph=True)[0] * one).sum(1) / len(signs)
    if not signs:
        for k in range(x.shape[1]):
            total = total + torch.autograd.grad(v[:, k].sum(), x, retain_graph=True)[0][:, k]
    return total


class DiffusionChain(Diffusion):
    """A diffusion model on a Markov chain, with the variational bound of DDPM on its likelihood.

        log p(x) >= -KL(q(x_T | x) | N(0, 1)) - sum_{t > 1} KL(q(x_{t-1} | x_t, x) | p(x_{t-1} | x_t)) + log p(x | x_1)

    Each p(x_{t-1} | x_t) is that of the ancestral sampler at `eta` 1 and all steps of the chain: normal around the
    posterior mean at the expected event (clipped where the sampler clips), with its `variance`, beta~_t = beta_t
    (1 - alphabar_{t-1}) / (1 - alphabar_t) if "small" or beta_t if "large". The bound is of a density, of grey levels
    that were blurred, so p(x | x_1) must have a width too: normal around the expected event with variance beta_1, or,
    as beta~_1 is 0, with beta~_2 (as in the authors' code). The sampler shows the mean of that last step.

    Source: Ho, Jain and Abbeel (2020), arXiv:2006.11239, eq. 5 and 7, section 3.2.
    """

    path: Chain

    @property
    def variances(self) -> Tensor:
        """Of p(x_{t-1} | x_t), t = 0 ... T (none at 0), [T + 1] float64."""
        betas, squares = self.path.betas.double(), self.path.sigmas.double().square()
        if getattr(self.sampler, "variance", "small") == "large":
            return betas
        small = betas.clone()
        small[1:] *= squares[:-1] / squares[1:]
        small[1] = small[2]
        return small

    @torch.no_grad()
    def log_prob_bound(self, batch: Batch, draws: int = 1, times: int = 32) -> Tensor:
        """A number below log p(x | given) in expectation, in nats, [B].

        The terms t > 1, which fall about as 1 / t, are summed from one random t in each of at most `times` parts of the
        chain, equal in log t (all of them where the chain is no longer), with fresh noise; the mean of `draws` such
        sums. It makes at most draws * (times + 1) calls.
        """
        x, steps = batch.x, self.path.steps
        size = x[0].numel()
        last = self.path.alphas[-1].double().square()
        squares = x.flatten(1).double().square().sum(1)
        bound = -0.5 * (last * squares - size * last - size * torch.log1p(-last))
        edges = list(range(2, steps + 2))
        if times < steps - 1:
            edges = sorted({round(2 * ((steps + 1) / 2) ** (k / times)) for k in range(times + 1)})
        for _ in range(draws):
            bound = bound + self._term(batch, torch.ones(len(x), dtype=torch.long, device=x.device)) / draws
            for low, high in pairwise(edges):
                t = torch.randint(low, high, (len(x),), device=x.device)
                bound = bound + (high - low) * self._term(batch, t) / draws
        return bound.to(x.dtype)

    def _term(self, batch: Batch, t: Tensor) -> Tensor:
        """-KL of the step t > 1, or log p(x | x_1) of t = 1, [B] float64."""
        x, size = batch.x, batch.x[0].numel()
        time = t.to(x.dtype) / self.path.steps
        wide = self.path.at(time).beside(x)
        data = self.denoise(wide.alpha * x + wide.sigma * torch.randn_like(x), time, batch.given).data
        clip = getattr(self.sampler, "clip", None)
        data = data if clip is None else data.clamp(-clip, clip)
        error = (data - x).flatten(1).double().square().sum(1)
        beta, variance = self.path.betas[t].double(), self.variances[t]
        left = self.path.sigmas[t - 1].double().square() / self.path.sigmas[t].double().square() * beta / variance
        pull = self.path.alphas[t - 1].double() * beta / self.path.sigmas[t].double().square()
        spread = torch.where(t > 1, left - 1 - left.clamp(min=1e-300).log(), math.log(2 * math.pi) + variance.log())
        return -0.5 * (size * spread + pull.square() * error / variance)


class DeterministicChain(DiffusionChain, DeterministicDiffusion):
    """DDIM: the same chain and bound, sampled without fresh noise (Song, Meng and Ermon 2021, arXiv:2010.02502)."""
