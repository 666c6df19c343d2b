"""A discriminator's last layer: a sigmoid of one output, or a softmax of two."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from simulacra.claims.claim import Claim, Result
from simulacra.figures.curves import Curves, curves
from simulacra.gan.objectives import Minimax
from simulacra.networks import MLP, LinearHead
from simulacra.random import reseed

EVENTS, FEATURES = 500, 32
D, LOSS, SLOPE = "largest difference of D", "difference of the loss", "difference of its gradient below the head"


def sigmoid_of(two: nn.Linear) -> LinearHead:
    """The head of one output whose score is the difference of the two logits, real less generated."""
    one = LinearHead(two.in_features).to(two.weight.dtype)
    with torch.no_grad():
        one.score.weight.copy_(two.weight[1:] - two.weight[:1])
        one.score.bias.copy_(two.bias[1:] - two.bias[:1])
    return one


def by_softmax(logits: Tensor, real: Tensor) -> Tensor:
    """Cross-entropy of two classes, mean over data plus mean over fakes; logits [B, 2], real [B] from 0 and 1."""
    return 2 * cross_entropy(logits, real.long())


def by_two_sigmoids(logits: Tensor, real: Tensor) -> Tensor:
    """Each output asked by itself: is it real, is it generated?"""
    asked = torch.stack([1 - real, real], 1)
    return 2 * binary_cross_entropy_with_logits(logits, asked.to(logits.dtype))


def by_sigmoid(score: Tensor, real: Tensor) -> Tensor:
    """The minimax critic's loss."""
    return Minimax().critic(score[real == 1], score[real == 0]).mean()


def ending(seed: int) -> Result:
    """Both heads on one body, of untrained weights; in the control the two outputs are independent sigmoids."""
    reseed(seed, "claims", "heads")
    body, two = MLP(1, FEATURES, (FEATURES,)).double(), nn.Linear(FEATURES, 2).double()
    one = sigmoid_of(two)
    x = torch.cat([torch.randn(EVENTS, 1) + 1, 2 * torch.randn(EVENTS, 1)]).double()
    real = torch.cat([torch.ones(EVENTS), torch.zeros(EVENTS)])

    def sees(head: Callable[[Tensor], Tensor], of: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        loss = of(head(body(x)), real)
        return loss.detach(), torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(body.parameters()))])

    told = sees(one, by_sigmoid)
    line = torch.linspace(-6, 6, 201, dtype=torch.float64)[:, None]
    with torch.no_grad():
        score, logits = one(body(line)).sigmoid(), two(body(line))
    found = []
    for share, of in ((logits.softmax(1)[:, 1], by_softmax), (logits.sigmoid()[:, 1], by_two_sigmoids)):
        loss, slope = sees(two, of)
        found.append({
            D: float((share - score).abs().max()),
            LOSS: float((loss - told[0]).abs()),
            SLOPE: float((slope - told[1]).norm() / told[1].norm()),
        })  # fmt: skip
    arrays = {"x": line[:, 0], "sigmoid": score, "softmax": logits.softmax(1)[:, 1], "two": logits.sigmoid()[:, 1]}
    return Result(found[0], found[1], {name: values.numpy() for name, values in arrays.items()})


def draw(results: Sequence[Result]) -> Figure:
    names = {"sigmoid": "sigmoid of one", "softmax": "softmax of two", "two": "two sigmoids"}
    return curves(
        [
            Curves(f"seed {seed}", "x", "D", {word: (r.arrays["x"], r.arrays[n]) for n, word in names.items()})
            for seed, r in enumerate(results)
        ],
        columns=3,
    )


NOTHING = (-math.inf, 1e-12)
CLAIMS = (
    Claim(
        name="softmax-of-two-is-sigmoid-of-one",
        statement="A discriminator ends in a sigmoid of one output or in a softmax of two.",
        lecture="A:393",
        paper="Goodfellow et al. 2014, arXiv 1406.2661",
        experiment=ending,
        bounds={D: NOTHING, LOSS: NOTHING, SLOPE: NOTHING},
        control="two outputs, each with a sigmoid of its own.",
        budget="one loss and its gradient on 1,000 numbers, float64",
        figure=draw,
        seeds=8,
        fast=True,
        note="It is the same discriminator: softmax(l)_1 = sigmoid(l_1 - l_0). The gradient is of weights below the "
        "head, relative. A step of the two rows of the head moves their difference twice as far as one row.",
    ),
)  # fmt: skip
