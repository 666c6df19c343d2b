"""The denoising autoencoder."""

from __future__ import annotations

from dataclasses import replace

from simulacra.autoencoders import Autoencoder, CodeDensity, Corruption, PairedAutoencoder, PairedCodec
from simulacra.autoencoders.noise import KINDS
from simulacra.batch import DataSpec
from simulacra.domains.images import ImageCodec
from simulacra.domains.standard import Standardize
from simulacra.errors import UserError, nearest
from simulacra.recipes._autoencoders import by_reconstruction, decoder_for, encoder_for
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "autoencoder"
DOMAIN = ("vector", "image")
PAPER = "Vincent et al. 2008, 2010"


def dae(
    data: DataSpec,
    *,
    corruption: str = "gaussian",
    amount: float = 0.5,
    latent: int | None = None,
    components: int = 10,
    width: int | None = None,
    lr: float = 1e-3,
    batch: int | None = None,
    rounds: int | None = None,
) -> Experiment:
    """An autoencoder that is shown corrupted events and has to give back the clean ones: it learns to denoise.

    The corruption is `gaussian` noise of width `amount`, or `masking` or `salt_and_pepper` of that share of numbers; or
    it comes with the data, and `corruption` names the condition that holds each event's corrupted partner.
    With the squared error it learns the mean of what the clean event may have been, blurred where that is ambiguous.
    The code may be wide (64; 8 for points): the corruption keeps it from copying. Samples come from a mixture of
    Gaussians fitted to the codes of clean events.
    """
    need_layout(data, "dae", *DOMAIN)
    picture = data.layout == "image"
    codec = ImageCodec(data, size=0) if picture else Standardize(data)
    spec = codec.spec(data)
    partners = [name for name, field in data.given.items() if field.kind == "real" and field.size == data.x.size]
    if corruption not in (known := [*KINDS, *partners]):
        raise UserError(
            f"expected a corruption among {', '.join(known)} for {data.name}, came {corruption!r}; "
            f"{nearest(corruption, known)}"
        )
    if corruption not in KINDS:
        codec = PairedCodec(codec, data, corruption)
        spec = replace(spec, given={name: field for name, field in spec.given.items() if name != corruption})
    latent, width = latent or (64 if picture else 8), width or (16 if picture else 128)
    nets = encoder_for(spec, latent, width, deterministic=True), decoder_for(spec, latent, width)
    density = CodeDensity(latent, components)
    model = (
        Autoencoder(*nets, density, Corruption(corruption, amount))
        if corruption in KINDS
        else PairedAutoencoder(*nets, density, corruption)
    )
    return by_reconstruction(
        model, codec, lr=lr, batch=batch or (64 if picture else 256), rounds=rounds or (2000 if picture else 4000)
    )
