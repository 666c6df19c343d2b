"""Dense generator and critic body for events that are a row of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from simulacra.batch import Field, Given, Noise
from simulacra.networks.conditioning import Conditions
from simulacra.networks.mlp import MLP


class DenseGenerator(nn.Module):
    """z and the conditions through an MLP: ({"z": [B, latent]}, given) -> [B, *shape]."""

    def __init__(
        self,
        shape: tuple[int, ...],
        latent: int,
        given_fields: Mapping[str, Field] | None = None,
        *,
        hidden: Sequence[int] = (128, 128, 128),
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.conditions = Conditions(given_fields or {})
        self.net = MLP(latent + self.conditions.size, Field(shape).size, hidden, activation)

    def forward(self, noise: Noise, given: Given = {}) -> Tensor:
        return self.net(self.conditions.beside(noise["z"], given)).view(-1, *self.shape)


class DenseBody(nn.Module):
    """Events and conditions through an MLP up to its last hidden layer: ([B, *shape], given) -> [B, features]."""

    def __init__(
        self,
        shape: tuple[int, ...],
        given_fields: Mapping[str, Field] | None = None,
        *,
        hidden: Sequence[int] = (128, 128, 128),
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        self.conditions = Conditions(given_fields or {})
        self.features = hidden[-1]
        inputs = Field(shape).size + self.conditions.size
        self.net = nn.Sequential(MLP(inputs, hidden[-1], hidden[:-1], activation), activation())

    def forward(self, x: Tensor, given: Given = {}) -> Tensor:
        return self.net(self.conditions.beside(x.flatten(1), given))
