"""Points, pictures, densities and chains from laws that are known, from one of them or from two, and measured."""

from __future__ import annotations

import numpy as np
import torch
from metrics_showers import Pool
from scipy.signal import lfilter

from simulacra.batch import Batch, Given, Noise
from simulacra.evaluation import calibration, challenge, images, inception, inversion, latent, likelihood, quality
from simulacra.evaluation import modes as mixtures
from simulacra.evaluation import sampling as chains
from simulacra.evaluation.arrays import Array
from simulacra.evaluation.challenge_classifier import Network, classify
from simulacra.evaluation.measurement import Measurement
from simulacra.testing import Unchanged

Draw = np.random.Generator
Found = dict[str, Measurement]


def grid(pool: Pool, draw: Draw, shifted: bool) -> Found:
    """25 modes; shifted: five of them half as frequent, at the brink of being found, and a tenth of all in between."""
    centres = np.array([[i, j] for i in range(5) for j in range(5)]) * 2.0
    share = np.where(np.arange(25) < 5, 0.006, 0.97 / 20) if shifted else np.full(25, 1 / 25)
    real, made = draw.integers(25, size=2000), draw.choice(25, size=2000, p=share / share.sum())
    a, b = (centres[k] + 0.05 * draw.normal(size=(2000, 2)) for k in (real, made))
    b[draw.random(2000) < (0.1 if shifted else 0)] += 1.0
    return mixtures.modes(a, b, centres, 0.05, share=0.005)


def classes(pool: Pool, draw: Draw, shifted: bool) -> Found:
    """Ten classes, and probabilities that a classifier gives them; shifted: some classes more often, and less sure."""
    even = np.full(10, 0.1)
    share = np.linspace(0.02, 0.18, 10) if shifted else even
    n = 1000
    real, made = draw.choice(10, n, p=even), draw.choice(10, n, p=share)
    sure = [np.array([draw.dirichlet(np.where(np.arange(10) == k, size, 0.3)) for k in which[:500]])
            for which, size in ((real, 5.0), (made, 2.0 if shifted else 5.0))]  # fmt: skip
    right, floor = draw.random(n) < (0.9 if shifted else 0.95), draw.random(n) < 0.95
    error = [float(v.std() / np.sqrt(n)) for v in (right, floor)]
    asked = Measurement(float(right.mean()), error[0], float(floor.mean()), error[1], n)
    return {
        "classes/K": images.class_shares(real, made, 10)["classes/3"],
        "classes/as_asked": asked,
        "inception_score": inception.inception_score(sure[1], sure[0]),
    }


def pictures(pool: Pool, draw: Draw, shifted: bool) -> Found:
    """Smooth random pictures of 16 x 16; partners with noise. Shifted: brighter by a tenth, and smoother."""

    def smooth(n: int, width: float) -> Array:
        waves = np.fft.fft2(draw.normal(size=(n, 16, 16)))
        at = np.hypot(np.fft.fftfreq(16)[:, None], np.fft.fftfreq(16)[None])
        x = np.fft.ifft2(waves * np.exp(-0.5 * (at * width) ** 2)).real
        return 0.5 + 0.2 * x / x.std() * np.exp(0.2 * draw.normal(size=(n, 1, 1)))

    a, b = smooth(200, 4.0), smooth(200, 5.0 if shifted else 4.0)
    other = smooth(200, 4.0)
    partner = 0.9 * a + 0.1 * other if shifted else np.roll(a, 3, 0)
    out = {name: getattr(quality, name)(a, partner) for name in ("mse", "psnr", "ssim", "ms_ssim")}
    return out | {
        "quality/likeness": quality.likeness(a, b, pairs=500),
        "quality/sharpness": quality.sharpness(a, b),
        "quality/spectrum": quality.spectral_distance(a, b),
    }


def posteriors(pool: Pool, draw: Draw, shifted: bool) -> Found:
    """Truths inside Gaussian posteriors; shifted: posteriors a fifth too narrow and a little off."""
    truth = draw.normal(size=1000)
    guesses = 0.1 + 0.8 * draw.normal(size=(1000, 99)) if shifted else draw.normal(size=(1000, 99))
    u = calibration.pit(guesses, truth, seed=int(draw.integers(2**31)))
    found = calibration.calibration(u)
    names = {"coverage/68": "coverage/LEVEL"} | {name: name for name in ("pit/mean", "pit/spread", "pit/ks")}
    return {names[k]: found[k] for k in names} | {"histogram": calibration.histogram(u).chi_square}


def densities(pool: Pool, draw: Draw, shifted: bool) -> Found:
    """Events of N(0, 1); shifted: the model is N(0.2, 1.2^2)."""
    x = draw.normal(size=1000)
    exact = -0.5 * x**2 - 0.5 * np.log(2 * np.pi)
    model = exact if not shifted else -0.5 * ((x - 0.2) / 1.2) ** 2 - np.log(1.2) - 0.5 * np.log(2 * np.pi)
    size = 0.5 if shifted else 0.0
    weights = model[:, None] + size * draw.normal(size=(1000, 10)) - size**2 / 2
    found = likelihood.importance_weighted(weights, exact)
    return {
        "negative_log_likelihood": likelihood.negative_log_likelihood(model, exact),
        "kullback_leibler": likelihood.kullback_leibler(model, exact),
        "bits_per_dimension": likelihood.bits_per_dimension(model, 1, 1 / 255, exact),
        "nll/importance_K": found["nll/importance_10"],
        "nll/bias_K": found["nll/bias_10"],
    }


def weights(pool: Pool, draw: Draw, shifted: bool) -> Found:
    """Log-normal weights of spread 0.4, none at equal sets; chains that keep 0.8 of each step, or nothing."""
    logs = (0.4 if shifted else 0.0) * draw.normal(size=2000)
    keep = 0.8 if shifted else 0.0
    noise = draw.normal(size=4000)
    noise[0] /= np.sqrt(1 - keep**2)
    chain = np.asarray(lfilter([1.0], [1.0, -keep], noise))
    return {
        "effective_sample_size": chains.effective_sample_size(logs),
        "unweighting_efficiency": chains.unweighting_efficiency(logs, 0.01),
        "acceptance": chains.acceptance(chains.metropolised(logs, seed=int(draw.integers(2**31)))[1]),
        "autocorrelation_time": chains.autocorrelation_time(chain),
        "chain_mean": chains.chain_mean(chain),
    }


class Linear(torch.nn.Module):
    """x = A z, or A tanh z, whose paths are crooked."""

    def __init__(self, bent: bool) -> None:
        super().__init__()
        self.matrix = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
        self.bent = bent

    def noise(self, n: int) -> Noise:
        return {"z": torch.randn(n, 3)}

    def push(self, noise: Noise, given: Given = {}) -> Batch:
        z = noise["z"]
        return Batch((torch.tanh(2 * z) if self.bent else z) @ self.matrix.T, given)


def latents(pool: Pool, draw: Draw, shifted: bool) -> Found:
    """A linear generator; shifted: one that saturates, analogies of attributes, latents nearer to their centre."""
    seed = int(draw.integers(2**31))
    model, codec = Linear(shifted), Unchanged()
    z = torch.from_numpy(draw.normal(size=(4, 400, 2))).float()
    at = (z[0] + 0.8, z[1], z[2], z[3]) if shifted else z
    counted = latent.arithmetic(lambda v: (v[:, 0] > 0).long(), *at[:3], 1, at[3], exemplars=(1,), seed=seed)
    real = torch.from_numpy(draw.normal(size=(1000, 3))).float() @ model.matrix.T
    kind, psi = Linear(False), 0.7 if shifted else 1.0
    curve = latent.truncation_curve(kind, codec, lambda b: b.x, real, lambda seen: {}, (psi,), seed=seed)
    straight = latent.path_length(model, lambda b: b.x, spherical=False, seed=seed, epsilon=1e-2)
    found = {"arithmetic/K": counted["arithmetic/1"], "truncation_curve": curve[psi]["spread"]}
    return found | {"path_length": straight}


def inverted(pool: Pool, draw: Draw, shifted: bool) -> Found:
    """Events of a linear generator; shifted: with noise that it cannot make."""
    model = Linear(False)
    x = torch.from_numpy(draw.normal(size=(50, 3))).float() @ model.matrix.T
    x = x + (0.3 * torch.from_numpy(draw.normal(size=(50, 5))).float() if shifted else 0)
    seed = int(draw.integers(2**31))
    return {"inversion_error": inversion.inversion_error(model, Unchanged(), Batch(x), seed=seed, steps=150)[1]}


def histograms(pool: Pool, draw: Draw, shifted: bool) -> Found:
    """Exponential numbers; shifted by a tenth."""
    a, b = draw.exponential(size=1000), (1.1 if shifted else 1.0) * draw.exponential(size=1000)
    edges = np.linspace(0, 6, 31)
    found = challenge.separation(*(challenge.Histogram.of_values(v, edges) for v in (a, b)))
    return {"challenge separation, raw": found.raw, "challenge separation, unbiased": found.unbiased}


def networks(pool: Pool, draw: Draw, shifted: bool) -> Found:
    """Five Gaussian numbers; the first shifted by one standard deviation."""
    a, b, c = draw.normal(size=(3, 600, 5)).astype(np.float32)
    b[:, 0] += 1.0 if shifted else 0.0
    found = classify(a, b, c, size=Network(32, 2e-3, 100, 10, True, 0), seed=int(draw.integers(2**31)))
    return {f"challenge classifier, {name}": m for name, m in found.items()}
