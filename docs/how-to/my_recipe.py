"""A recipe, a codec and a detector of one's own: all that simulacra needs to know of them."""

import torch
from torch import nn

from simulacra import Batch, DataSpec, Experiment, Loss, Player


class SquareRoot(nn.Module):
    """A codec: showers as square roots of energies, in units of the square root of the incident energy."""

    def spec(self, data):
        return data

    def fit(self, batches):
        pass

    def encode_given(self, given):
        return {"energy": torch.log(given["energy"] / 1000)}

    def encode(self, batch):
        return Batch((batch.x / batch.given["energy"]).sqrt(), self.encode_given(batch.given))

    def decode(self, batch):
        return Batch(batch.x.square() * batch.given["energy"], batch.given)

    def log_det(self, batch):
        raise ValueError("empty cells have no density under a square root")


class Linear(nn.Module):
    """The mean shower plus noise, both linear in the logarithm of the energy."""

    def __init__(self, cells):
        super().__init__()
        self.mean, self.log_spread = nn.Linear(1, cells), nn.Linear(1, cells)

    def log_prob(self, batch):
        e = batch.given["energy"]
        return torch.distributions.Normal(self.mean(e), self.log_spread(e).exp()).log_prob(batch.x).sum(1)

    def sample(self, n, given):
        mean = self.mean(given["energy"])
        return Batch((mean + self.log_spread(given["energy"]).exp() * torch.randn_like(mean)).clamp(min=0), given)


def my_recipe(data: DataSpec, *, lr: float = 1e-2, rounds: int = 300) -> Experiment:
    """Independent Gaussian cells whose mean and spread follow the energy."""
    model = Linear(data.x.size)
    fit = Player(
        "fit", model, lambda b: Loss({"nll": -b.mean(model.log_prob(b))}), torch.optim.Adam(model.parameters(), lr)
    )
    return Experiment(model, [fit], SquareRoot(), rounds, 128, nn.ModuleDict({"model": model}))
