"""What every recipe that comes with the package keeps: a new recipe joins by one line in CASES."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from simulacra import recipes, workflow
from simulacra.batch import join
from simulacra.domains import calorimeter, open_data
from simulacra.domains.text import tokens_of
from simulacra.surrogate import Surrogate, generate
from simulacra.testing import check_gradients, check_resume, state_of
from simulacra.training.game import Solver


@dataclass(frozen=True)
class Case:
    """A recipe, small data of its kind, and the arguments that make it small."""

    recipe: str
    data: str
    arguments: dict[str, Any] = field(default_factory=dict)
    gradients: int = 20


CASES = {
    "gan": Case("gan", "toys:ring8", {"hidden": 8, "batch": 16}),
    "gan pre-trained": Case("gan", "toys:ring8", {"hidden": 8, "batch": 16, "pretrain": 3}),
    "dcgan": Case("dcgan", "digits.npz", {"base": 4, "latent": 4, "batch": 16}),
    "dcgan without its rules": Case(
        "dcgan",
        "digits16.npz",
        {
            "base": 4,
            "latent": 4,
            "batch": 16,
            "strided": False,
            "norm": "layer",
            "dense": 8,
            "activation": "tanh",
            "slope": 0.0,
        },
    ),
    "cgan": Case("cgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "wgan": Case("wgan", "toys:ring8", {"width": 8, "batch": 16, "n_critic": 2, "warm": 2}),
    "wgan pictures": Case("wgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "n_critic": 1, "warm": 2}),
    "wgan_gp": Case("wgan_gp", "toys:ring8", {"width": 8, "batch": 16}),
    "acgan": Case("acgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "projection_gan": Case("projection_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "n_critic": 2}),
    "infogan": Case("infogan", "toys:ring8", {"width": 8, "batch": 16, "categories": 3, "continuous": 1}),
    "infogan pictures": Case("infogan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "sgan": Case("sgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "labelled": 2}),
    "wgan_gp pictures": Case("wgan_gp", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "n_critic": 2}),
    "minimax_gan": Case("minimax_gan", "toys:ring8", {"width": 8, "batch": 16, "steps": 2}),
    "minimax_gan pictures": Case("minimax_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "minimax_gan pre-trained": Case(
        "minimax_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "steps": 2, "pretrain": 2}
    ),
    "lsgan": Case("lsgan", "toys:ring8", {"width": 8, "batch": 16}),
    "lsgan pictures": Case("lsgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "relativistic_gan": Case("relativistic_gan", "toys:ring8", {"width": 8, "batch": 16}),
    "relativistic_gan by the mean": Case(
        "relativistic_gan", "toys:ring8", {"width": 8, "batch": 16, "objective": "hinge", "average": True}
    ),
    "relativistic_gan pictures": Case("relativistic_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "sngan": Case("sngan", "toys:ring8", {"width": 8, "batch": 16, "normalised_generator": True}),
    "sngan pictures": Case("sngan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "gan_gp": Case("gan_gp", "toys:ring8", {"width": 8, "batch": 16}),
    "gan_gp pictures": Case("gan_gp", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "dragan": Case("dragan", "toys:ring8", {"width": 8, "batch": 16}),
    "dragan pictures": Case("dragan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "r1_gan": Case("r1_gan", "toys:ring8", {"width": 8, "batch": 16, "interval": 3, "r2": True}),
    "r1_gan pictures": Case("r1_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "interval": 3}),
    "fgan": Case("fgan", "toys:ring8", {"width": 8, "batch": 16}),
    "fgan pictures": Case("fgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "divergence": "kl"}),
    "stylegan": Case("stylegan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "stylegan2": Case(
        "stylegan2", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "slope_every": 3, "path_every": 2}
    ),
    "unrolled_gan": Case("unrolled_gan", "toys:ring8", {"width": 8, "batch": 16, "unroll": 2}),
    "unrolled_gan pictures": Case("unrolled_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "unroll": 2}),
    "minibatch_gan": Case("minibatch_gan", "toys:ring8", {"width": 8, "batch": 16}),
    "minibatch_gan pictures": Case("minibatch_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "feature_matching_gan": Case("feature_matching_gan", "toys:ring8", {"width": 8, "batch": 16}),
    "feature_matching_gan pictures": Case("feature_matching_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "noisy_gan": Case("noisy_gan", "toys:ring8", {"width": 8, "batch": 16}),
    "noisy_gan pictures": Case("noisy_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "ebgan": Case("ebgan", "toys:ring8", {"width": 8, "code": 4, "batch": 16}),
    "ebgan pictures": Case("ebgan", "digits.npz", {"width": 4, "code": 4, "latent": 4, "batch": 16}),
    "began": Case("began", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "vbn_gan": Case("vbn_gan", "digits.npz", {"base": 4, "latent": 4, "batch": 16, "reference": 8}),
    "vbn_gan in both": Case(
        "vbn_gan", "digits16.npz", {"base": 4, "latent": 4, "batch": 16, "reference": 24, "virtual_critic": True}
    ),
    "sagan": Case("sagan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "sagan shuffled": Case(
        "sagan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "upsampling": "shuffle", "attention": 0}
    ),
    "biggan": Case("biggan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "shared": 3}),
    "biggan truncated": Case(
        "biggan",
        "digits.npz",
        {"width": 4, "latent": 4, "batch": 16, "shared": 0, "truncation": 0.5, "upsampling": "transposed"},
    ),
    "historical_gan": Case("historical_gan", "toys:ring8", {"width": 8, "batch": 16}),
    "historical_gan pictures": Case("historical_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "minibatch_gan by distances": Case(
        "minibatch_gan", "toys:ring8", {"width": 8, "batch": 16, "compare": "distances"}
    ),
    "minibatch_gan by deviation": Case(
        "minibatch_gan", "toys:ring8", {"width": 8, "batch": 16, "compare": "deviation"}
    ),
    "ali": Case("ali", "toys:ring8", {"width": 8, "batch": 16}),
    "ali deterministic": Case("ali", "toys:ring8", {"width": 8, "batch": 16, "deterministic": True}),
    "ali pictures": Case("ali", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "cogan": Case("cogan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "cogan untied": Case(
        "cogan",
        "digits.npz",
        {"width": 4, "latent": 4, "batch": 16, "second": "edges", "tied_generator": 0, "tied_critic": 0},
    ),
    "lapgan": Case("lapgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "progan": Case("progan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "calorimeter_wgan": Case("calorimeter_wgan", "showers.h5", {"width": 16, "latent": 4, "batch": 16, "n_critic": 1}),
    "calorimeter_tree": Case(
        "calorimeter_tree",
        "showers.h5",
        {"hidden": 8, "depth": 1, "mixture": 2, "pairs": 256, "flow_hidden": 8, "flow_steps": 2, "batch_size": 16},
    ),
    "calorimeter_tree in depth": Case(
        "calorimeter_tree",
        "showers.h5",
        {"hidden": 8, "depth": 1, "mixture": 2, "pairs": 256, "flow_hidden": 8, "batch_size": 16, "flow_layers": 1},
    ),
    "made": Case("made", "digits.npz", {"hidden": (8,), "batch": 16}),
    "made shuffled": Case(
        "made", "digits.npz", {"hidden": (8, 8), "batch": 16, "shuffled": True, "binarise": "stochastic"}
    ),
    "nade": Case("nade", "digits.npz", {"hidden": 4, "batch": 16}),
    "pixelcnn": Case("pixelcnn", "digits.npz", {"levels": 4, "head": "logistic", "width": 2, "depth": 2, "batch": 16}),
    "pixelrnn": Case("pixelrnn", "digits.npz", {"levels": 4, "width": 2, "depth": 2, "batch": 16}),
    "char_rnn": Case("char_rnn", "words.txt", {"width": 4, "depth": 2, "batch": 16}),
    "transformer": Case("transformer", "words.txt", {"width": 4, "heads": 2, "depth": 2, "batch": 16}),
    "transformer of pairs": Case("transformer", "pairs.tsv", {"width": 4, "heads": 2, "depth": 2, "batch": 16}),
    "rbm": Case("rbm", "digits.npz", {"hidden": 4, "batch": 16, "burn": 3}),
    "rbm by CD-k": Case("rbm", "digits.npz", {"hidden": 4, "batch": 16, "burn": 3, "persistent": False, "steps": 2}),
    "boltzmann": Case("boltzmann", "digits.npz", {"batch": 16, "burn": 1}),
    "boltzmann with hidden": Case("boltzmann", "digits.npz", {"batch": 16, "burn": 1, "hidden": 2}),
    "gsn": Case("gsn", "toys:ring8", {"width": 8, "batch": 16, "burn": 3}),
    "gsn pictures": Case("gsn", "digits.npz", {"width": 8, "batch": 16, "burn": 3}),
    "realnvp": Case("realnvp", "toys:ring8", {"layers": 3, "hidden": (8,), "batch_size": 16}),
    "realnvp pictures": Case("realnvp", "digits.npz", {"width": 4, "batch_size": 16}),
    "nice": Case("nice", "toys:ring8", {"layers": 3, "hidden": (8,), "batch_size": 16}),
    "nice pictures": Case("nice", "digits.npz", {"layers": 2, "hidden": (8,), "batch_size": 16, "prior": "normal"}),
    "planar_flow": Case("planar_flow", "toys:ring8", {"layers": 3, "batch_size": 16}),
    "planar_flow radial": Case("planar_flow", "toys:ring8", {"layers": 3, "batch_size": 16, "radial": True}),
    "planar_flow of an energy": Case("planar_flow", "toys:ring8", {"layers": 3, "batch_size": 16, "energy": True}),
    "iaf": Case("iaf", "toys:ring8", {"layers": 2, "hidden": (8,), "batch_size": 16}),
    "iaf of an energy": Case("iaf", "toys:ring8", {"layers": 2, "hidden": (8,), "batch_size": 16, "energy": True}),
    "glow": Case("glow", "digits.npz", {"scales": 2, "steps": 2, "width": 4, "batch_size": 16}),
    "ffjord": Case("ffjord", "toys:ring8", {"hidden": (8,), "batch_size": 16}),
    "ffjord exact": Case("ffjord", "toys:ring8", {"hidden": (8,), "batch_size": 16, "exact": True}),
    "maf": Case("maf", "toys:ring8", {"layers": 2, "hidden": (8,), "batch_size": 16}),
    "nsf": Case("nsf", "toys:ring8", {"layers": 2, "hidden": (8,), "batch_size": 16}),
    "nsf autoregressive": Case(
        "nsf", "toys:ring8", {"layers": 2, "hidden": (8,), "batch_size": 16, "autoregressive": True}
    ),
    "mdn": Case("mdn", "toys:ring8", {"components": 3, "hidden": (8,), "batch_size": 16}),
    "mdn diagonal": Case(
        "mdn", "toys:ring8", {"components": 1, "full": False, "heteroscedastic": False, "batch_size": 16}
    ),
    "vae": Case("vae", "toys:ring8", {"width": 8, "batch": 16}),
    "vae pictures": Case("vae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "vae of bits": Case("vae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "likelihood": "bernoulli"}),
    "vae of a flow prior": Case("vae", "toys:ring8", {"width": 8, "batch": 16, "prior": "flow", "prior_parts": 2}),
    "vae of a flow prior, pictures": Case(
        "vae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "prior": "flow", "posterior": "mixture"}
    ),
    "vae of a planar posterior": Case("vae", "toys:ring8", {"width": 8, "batch": 16, "posterior": "planar"}),
    "vae of a mixture posterior": Case(
        "vae", "toys:ring8", {"width": 8, "batch": 16, "prior": "mixture", "posterior": "mixture", "posterior_parts": 3}
    ),
    "vae of planes seen from a VampPrior": Case(
        "vae",
        "digits.npz",
        {"width": 4, "latent": 3, "batch": 16, "prior": "vamp", "prior_parts": 4, "posterior": "planar"},
    ),
    "vae of a flow on either side": Case(
        "vae", "toys:ring8", {"width": 8, "batch": 16, "prior": "flow", "posterior": "iaf", "posterior_parts": 1}
    ),
    "cvae": Case("cvae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "beta_vae": Case("beta_vae", "toys:ring8", {"width": 8, "batch": 16}),
    "beta_vae of a capacity": Case("beta_vae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "capacity": 5.0}),
    "iwae": Case("iwae", "toys:ring8", {"width": 8, "batch": 16, "draws": 3}),
    "iwae pictures": Case("iwae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "draws": 2}),
    "iaf_vae": Case("iaf_vae", "toys:ring8", {"width": 8, "hidden": (8,), "context": 3, "batch": 16}),
    "iaf_vae pictures": Case(
        "iaf_vae", "digits.npz", {"width": 4, "latent": 3, "hidden": (8,), "context": 3, "batch": 16}
    ),
    "ae": Case("ae", "toys:ring8", {"width": 8, "batch": 16}),
    "ae pictures": Case("ae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "components": 2}),
    "conv_ae": Case("conv_ae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "conv_ae of a mixture": Case(
        "conv_ae", "digits16.npz", {"width": 4, "latent": 3, "batch": 16, "components": 2, "full": False}
    ),
    "shortcut_ae": Case("shortcut_ae", "digits.npz", {"width": 4, "latent": 3, "depth": 2, "batch": 16}),
    "shortcut_ae across": Case(
        "shortcut_ae",
        "digits.npz",
        {"width": 4, "latent": 3, "depth": 2, "batch": 16, "shortcuts": False, "across": True},
    ),
    "dae": Case("dae", "toys:ring8", {"width": 8, "batch": 16}),
    "dae pictures": Case("dae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "corruption": "masking"}),
    "gmvae": Case("gmvae", "toys:ring8", {"width": 8, "batch": 16, "components": 3}),
    "gmvae pictures": Case("gmvae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "beta_tcvae": Case("beta_tcvae", "toys:ring8", {"width": 8, "batch": 16}),
    "beta_tcvae pictures": Case("beta_tcvae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "vamp_vae": Case("vamp_vae", "toys:ring8", {"width": 8, "batch": 16, "components": 4}),
    "vamp_vae pictures": Case("vamp_vae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "components": 4}),
    "categorical_vae": Case("categorical_vae", "toys:ring8", {"width": 8, "batch": 16, "choices": 2, "classes": 3}),
    "categorical_vae pictures": Case(
        "categorical_vae", "digits.npz", {"width": 4, "batch": 16, "choices": 9, "likelihood": "bernoulli"}
    ),
    "wae": Case("wae", "toys:ring8", {"width": 8, "batch": 16}),
    "wae pictures": Case("wae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "ddpm": Case("ddpm", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3}),
    "ddpm of large variance": Case(
        "ddpm", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3, "variance": "large"}
    ),
    "ddpm pictures": Case("ddpm", "digits.npz", {"base": 4, "batch_size": 16, "steps": 3, "eta": 0.0, "guidance": 2.0}),
    "ddpm by a transformer": Case(
        "ddpm",
        "digits.npz",
        {"network": "transformer", "patch": 2, "base": 2, "batch_size": 16, "steps": 3, "lr": 1e-2, "decay": 0.0},
    ),
    "edm": Case("edm", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3}),
    "edm pictures": Case("edm", "digits.npz", {"base": 4, "batch_size": 16, "steps": 3}),
    "guided_diffusion": Case(
        "guided_diffusion", "digits.npz", {"base": 4, "batch_size": 16, "steps": 3, "weight": 2.0}
    ),
    "vae_gan": Case("vae_gan", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "aae": Case("aae", "toys:ring8", {"width": 8, "batch": 16}),
    "aae pictures": Case("aae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "aae in pieces": Case(
        "aae",
        "digits.npz",
        {"width": 4, "batch": 16, "prior": "flower", "told": "prior", "labelled": 1, "stochastic": True},
    ),
    "vq_vae": Case("vq_vae", "digits.npz", {"width": 4, "codes": 8, "size": 3, "prior_width": 8, "batch": 16}),
    "flow_matching": Case("flow_matching", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3, "paired": True}),
    "flow_matching pictures": Case("flow_matching", "digits.npz", {"base": 4, "batch_size": 16, "steps": 3}),
    "latent_diffusion": Case("latent_diffusion", "toys:ring8", {"width": 8, "hidden": 8, "batch_size": 16, "steps": 3}),
    "latent_diffusion by a transformer": Case(
        "latent_diffusion",
        "digits.npz",
        {"width": 4, "latent": 2, "network": "transformer", "base": 2, "batch_size": 16, "steps": 3, "first": 0.1},
    ),
    "latent_diffusion pictures": Case(
        "latent_diffusion",
        "digits.npz",
        {"width": 4, "latent": 2, "base": 4, "batch_size": 16, "steps": 3, "first": 0.1},
    ),
    "distilled_diffusion": Case(
        "distilled_diffusion", "toys:ring8", {"teacher": "teacher", "finest": 8, "steps": 1, "batch_size": 16}
    ),
    "score_sde": Case("score_sde", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3}),
    "score_sde by Langevin": Case(
        "score_sde", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3, "sampler": "langevin"}
    ),
    "score_sde exploding": Case(
        "score_sde",
        "toys:ring8",
        {"hidden": 8, "batch_size": 16, "steps": 3, "sde": "exploding", "weighting": "likelihood", "solver": "rk4"},
    ),
    "marginals": Case("marginals", "toys:ring8", {"quantiles": 33, "bins": 3}),
    "marginals pictures": Case("marginals", "digits.npz", {"quantiles": 33, "bins": 3}),
    "marginals showers": Case("marginals", "showers.h5", {"quantiles": 33, "bins": 3}),
    "pca_gaussian": Case("pca_gaussian", "toys:ring8", {"components": 8}),
    "pca_gaussian pictures": Case("pca_gaussian", "digits.npz", {"components": 8}),
    "pca_gaussian showers": Case("pca_gaussian", "showers.h5", {"components": 8}),
    "resampler": Case("resampler", "toys:ring8"),
    "resampler pictures": Case("resampler", "digits.npz"),
    "resampler showers": Case("resampler", "showers.h5"),
    "gflash": Case("gflash", "showers.h5"),
    "pca": Case("pca", "toys:ring8", {"components": 1}),
    "pca pictures": Case("pca", "digits.npz", {"components": 8}),
    "gmm": Case("gmm", "toys:ring8", {"components": 3}),
    "gmm pictures": Case("gmm", "digits.npz", {"components": 2}),
    "kmeans": Case("kmeans", "toys:ring8", {"clusters": 3}),
    "kmeans pictures": Case("kmeans", "digits.npz", {"clusters": 2}),
    "qda": Case("qda", "toys:ring8"),
    "qda pictures": Case("qda", "digits.npz"),
    "lda": Case("lda", "toys:ring8"),
    "lda pictures": Case("lda", "digits.npz"),
    "naive_bayes": Case("naive_bayes", "toys:ring8"),
    "naive_bayes of bits": Case("naive_bayes", "digits.npz", {"likelihood": "bernoulli", "binarise": "stochastic"}),
    "kde": Case("kde", "toys:ring8"),
    "kde pictures": Case("kde", "digits.npz"),
    "logistic_regression": Case("logistic_regression", "digits.npz", {"components": 2, "candidates": 8}),
    "untrained": Case("untrained", "toys:ring8", {"width": 4, "latent": 4, "batch": 16}),
    "untrained pictures": Case("untrained", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "untrained showers": Case("untrained", "showers.h5", {"width": 4, "latent": 4, "batch": 16}),
}
SOLVED = {name for name, row in recipes.table().items() if row["family"] == "classical"}
"""Recipes that are solved and feel no gradient."""


def test_what_is_solved_has_no_player_who_steps(files):
    for case in CASES.values():
        solved = [isinstance(player, Solver) for player in building(case, files)[0]().players]
        assert all(solved) == (case.recipe in SOLVED), case.recipe


def test_every_recipe_has_a_case():
    assert {case.recipe for case in CASES.values()} == set(recipes.builtin())


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Small data of each kind."""
    place = tmp_path_factory.mktemp("data")
    digits, labels = load_digits(return_X_y=True)
    small = digits[:160].reshape(-1, 8, 8) / 16
    np.savez(place / "digits.npz", x=small, label=labels[:160])
    np.savez(place / "digits16.npz", x=small.repeat(2, 1).repeat(2, 2), label=labels[:160])
    calorimeter.save(place / "showers.h5", calorimeter.open_bundled()[:64], calorimeter.LAR3)
    (place / "pairs.tsv").write_text("".join(f"{'ab' * (k % 3 + 1)}\t{k * 104729 % 10**8}\n" for k in range(60)))
    (place / "words.txt").write_text("the quick brown fox jumps over the lazy dog. " * 80)
    for _ in workflow.begin(
        place / "teacher", "edm", "toys:ring8", {"hidden": 8}, rounds=5, threads=1, rows=200
    ).rounds():
        pass
    return place


def arguments(case: Case, files: Path) -> dict[str, Any]:
    """Those of the case, with the folder of a teacher among the files."""
    return {name: str(files / value) if name == "teacher" else value for name, value in case.arguments.items()}


def source(case: Case, files: Path) -> tuple[str, dict[str, Any]]:
    """The name by which the data are opened, and its options."""
    toy = case.data.startswith("toys:")
    return (case.data, {"rows": 200}) if toy else (str(files / case.data), {})


def building(case: Case, files: Path):
    """A function that builds the experiment again, and its data."""
    name, options = source(case, files)
    dataset = open_data(name, **options)
    chosen = recipes.find(case.recipe)
    return lambda: chosen.build(dataset.spec, chosen.resolve(arguments(case, files))), dataset


@pytest.mark.parametrize("name", CASES)
def test_a_cut_run_goes_on_byte_for_byte(name, files):
    build, dataset = building(CASES[name], files)
    check_resume(build, dataset, 8, [1, 4])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.recipe not in SOLVED])
def test_every_parameter_feels_a_gradient(name, files):
    build, dataset = building(CASES[name], files)
    check_gradients(build, dataset, CASES[name].gradients)


@pytest.fixture(scope="module", params=list(CASES))
def trained(request, files, tmp_path_factory) -> workflow.Training:
    """A run of three rounds in a folder."""
    case = CASES[request.param]
    name, options = source(case, files)
    folder = tmp_path_factory.mktemp("runs") / "run"
    training = workflow.begin(folder, case.recipe, name, arguments(case, files), rounds=3, threads=1, **options)
    for _ in training.rounds():
        pass
    return training


@pytest.fixture(scope="module")
def surrogate(trained) -> Surrogate:
    return trained.surrogate()


def conditions(surrogate: Surrogate, n: int) -> dict[str, torch.Tensor]:
    """Conditions of n events, spread over what was seen in training."""
    out = {}
    for name, one in surrogate.spec.given.items():
        if one.kind == "class":
            out[name] = torch.arange(n) % one.levels
        else:
            low, high = one.range or (0.0, 1.0)
            out[name] = torch.linspace(low, high, n)[:, None].expand(n, *one.shape).contiguous()
    return out


def test_what_is_loaded_is_what_was_trained(trained, surrogate):
    config, experiment = trained.config, trained.experiment
    assert surrogate.config == config
    for kind in ("learners", "codec"):
        want, have = getattr(experiment, kind).state_dict(), getattr(surrogate.experiment, kind).state_dict()
        assert want.keys() == have.keys()
        assert all(torch.equal(want[key], have[key]) for key in want)
    given = conditions(surrogate, 20)
    experiment.learners.eval()
    live = join(list(generate(experiment.model, experiment.codec, 20, given, seed=3)))
    assert torch.equal(live.x, surrogate.sample(20, given, seed=3).x)


def test_samples_are_events_of_the_data(surrogate):
    made = surrogate.sample(30)
    surrogate.spec.check(made)
    assert torch.isfinite(made.x).all()
    if surrogate.spec.layout == "layers":
        assert made.x.min() >= 0


def test_sampling_twice_is_equal_and_another_seed_is_not(surrogate):
    given = conditions(surrogate, 50)
    torch.rand(3)
    first = surrogate.sample(50, given, seed=1).x
    torch.rand(3)
    assert torch.equal(first, surrogate.sample(50, given, seed=1).x)
    assert not torch.equal(first, surrogate.sample(50, given, seed=2).x)


def test_the_first_of_many_are_the_first_of_few(trained, surrogate):
    given = conditions(surrogate, 3000)
    many = surrogate.sample(3000, given, seed=4)
    for few in (100, 1024, 1025):
        some = surrogate.sample(few, {name: value[:few] for name, value in given.items()}, seed=4)
        assert torch.equal(some.x, many.x[:few])
    blocks = many.x[:1024], many.x[1024:2048]
    assert not torch.equal(*blocks)
    if trained.config.recipe != "resampler":  # which has no more events than it was given
        assert len(many.x.flatten(1).unique(dim=0)) > 2500
    drawn = surrogate.sample(100, seed=4), surrogate.sample(300, seed=4)[:100]
    assert torch.equal(drawn[0].x, drawn[1].x), "conditions that nobody asked for depend on how many are drawn"


def test_sampling_leaves_the_run_and_the_generators_alone(trained, surrogate):
    before, draws = state_of(surrogate.experiment, {}), torch.get_rng_state()
    surrogate.sample(10)
    surrogate.milliseconds(2, repeats=1)
    assert torch.equal(draws, torch.get_rng_state())
    after = state_of(surrogate.experiment, {})
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_conditions_are_listened_to(trained, surrogate):
    given = surrogate.spec.given
    if not given:
        assert surrogate.sample(5).given == {}
        return
    name, one = next(iter(given.items()))
    ends: dict[str, tuple[Any, Any]] = {"class": (0, one.levels - 1), "token": ("ab", "ababab")}
    low, high = ends.get(one.kind, one.range)
    few, much = surrogate.sample(40, {name: low}, seed=5), surrogate.sample(40, {name: high}, seed=5)
    assert (few.given[name] == (tokens_of(low, one) if one.kind == "token" else low)).all()
    deaf = (
        "ali",
        "began",
        "boltzmann",
        "cogan",
        "dcgan",
        "infogan",
        "pca",
        "rbm",
        "sgan",
        "vamp_vae",
        "vbn_gan",
    )  # as they say
    listens = trained.config.recipe not in deaf
    assert torch.equal(few.x, much.x) != listens
    if one.unit == "MeV":
        assert much.x.sum(1).mean() > 5 * few.x.sum(1).mean()
