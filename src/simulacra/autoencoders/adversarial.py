"""Autoencoders with a critic: of their codes (AAE), or of their pictures (VAE-GAN)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simulacra.autoencoders.autoencoder import Autoencoder
from simulacra.autoencoders.vae import LatentVariableModel
from simulacra.batch import Batch, Given
from simulacra.distributions import kl
from simulacra.gan.objectives import Objective
from simulacra.networks.heads import Critic, Verdict
from simulacra.training.game import Loss


class AAE(nn.Module):
    """An adversarial autoencoder: a critic tells codes from draws of the prior, the encoder moves until it cannot.

    Three losses, each of a player: reconstruction (encoder and decoder), the critic's, and the encoder's, which is that
    of a GAN whose generator is the encoder and whose data are the prior. Only draws of the prior are needed, no
    density. Where classes have pieces of the prior, the critic is told the class of a code and compares it with draws
    of that piece; events whose class is not `known` are told apart from the whole prior, as of a class of their own.

    Args:
        autoencoder: encoder, decoder, and the prior as its `density`.
        critic: (z [B, latent], given) -> Verdict.
        objective: how scores become losses.

    Source: Makhzani et al. (2016), arXiv:1511.05644; with labels its section 2.3.
    """

    def __init__(self, autoencoder: Autoencoder, critic: Critic, objective: Objective) -> None:
        super().__init__()
        self.autoencoder, self.critic, self.objective = autoencoder, critic, objective

    def _told(self, batch: Batch, known: bool) -> Given:
        if self.autoencoder.pieces is None:
            return {}
        name, count = self.autoencoder.pieces
        label = batch.given[name]
        return {name: label if known else torch.full_like(label, count)}

    def judge(self, batch: Batch) -> Verdict:
        """What the critic makes of the codes of events, E[z | x]: large where they look like draws of the prior."""
        return self.critic(self.autoencoder.encode(batch).mean, self._told(batch, True))

    def critic_loss(self, batch: Batch, known: bool = True) -> Loss:
        """Draws of the prior are real, codes are fake; watches the mean scores."""
        told, model = self._told(batch, known), self.autoencoder
        fake = self.critic(model.encode(batch).rsample(), told).score
        drawn = model.codes(model.noise(len(batch)), batch.given if known else {})
        real = self.critic(drawn, told).score
        parts = {"critic": batch.mean(self.objective.critic(real, fake))}
        return Loss(parts, {"real_score": real.mean(), "fake_score": batch.mean(fake)})

    def encoder_loss(self, batch: Batch, known: bool = True) -> Loss:
        """The codes are to look like draws of the prior."""
        fake = self.critic(self.autoencoder.encode(batch).rsample(), self._told(batch, known)).score
        return Loss({"encoder": batch.mean(self.objective.generator(None, fake))})


class VAEGAN(nn.Module):
    """A VAE with a learned similarity: events are compared by a critic's features, which blur does not fool.

    - encoder: `KL(q(z | x) | p(z)) + 1/2 |phi(x) - phi(g(z))|^2`, z ~ q(z | x), phi the critic's features
    - decoder: `weight 1/2 |phi(x) - phi(g(z))|^2`, and the generator's objective on g(z) and on g of the prior
    - critic: its objective, with both kinds of fakes

    Similarity and KL are both divided by the number of features, so that neither the encoder's nor the decoder's rate
    hangs on it. The model is no bound of log p(x) any more.

    Args:
        model: encoder, decoder and prior; its likelihood's mean is g(z).
        critic: (x, given) -> Verdict with features.
        objective: how scores become losses.
        weight: of the similarity against the game, in the decoder's loss.

    Source: Larsen et al. (2016), arXiv:1512.09300.
    """

    def __init__(self, model: LatentVariableModel, critic: Critic, objective: Objective, weight: float = 1.0) -> None:
        super().__init__()
        self.model, self.critic, self.objective, self.weight = model, critic, objective, weight

    def fakes(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """g(z) at z ~ q(z | x), g(z) at z ~ p(z), and the KL of each event."""
        q, p = self.model.encode(batch), self.model.prior(batch.given)
        z = q.rsample()
        drawn = self.model.push({"z": self.model.prior.noise(len(batch))}, batch.given).x
        return self.model.decode(z, batch.given).mean, drawn, kl(q, p, z)

    def similarity(self, real: Tensor, fake: Tensor) -> Tensor:
        """Half the mean square of the difference of features, [B]."""
        return 0.5 * (real - fake).square().mean(1)

    def critic_loss(self, batch: Batch) -> Loss:
        with torch.no_grad():
            back, drawn, _ = self.fakes(batch)
        real = self.critic(batch.x, batch.given).score
        on = [self.critic(made, batch.given).score for made in (back, drawn)]
        parts = {"critic": batch.mean(torch.stack([self.objective.critic(real, fake) for fake in on]).mean(0))}
        return Loss(parts, {"real_score": batch.mean(real), "fake_score": batch.mean(on[1])})

    def encoder_loss(self, batch: Batch) -> Loss:
        """Divergence and similarity."""
        back, _, divergence = self.fakes(batch)
        real, fake = (self.critic(x, batch.given).features for x in (batch.x, back))
        features = real.shape[1]
        return Loss(
            {
                "divergence": batch.mean(divergence) / features,
                "similarity": batch.mean(self.similarity(real, fake)),
            },
            {"kl": batch.mean(divergence).detach()},
        )

    def decoder_loss(self, batch: Batch) -> Loss:
        """Similarity, and looking real."""
        back, drawn, _ = self.fakes(batch)
        real, fake, new = (self.critic(x, batch.given) for x in (batch.x, back, drawn))
        fool = torch.stack([self.objective.generator(None, made.score) for made in (fake, new)]).mean(0)
        similar = self.weight * batch.mean(self.similarity(real.features, fake.features))
        return Loss({"similarity": similar, "game": batch.mean(fool)})
