"""Logistic regression, and the generator that it makes of a model without classes."""

from __future__ import annotations

from dataclasses import replace

from simulacra.batch import DataSpec
from simulacra.classical.bayes import Resampled
from simulacra.classical.logistic import LogisticRegression
from simulacra.classical.mixture import Mixture
from simulacra.recipes._flows import density_codec
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment, Solver, modules, until

FAMILY = "classical"
DOMAIN = ("vector", "image")
PAPER = "Cox 1958, J. R. Stat. Soc. B 20, 215; sampling: Rubin 1988"


def logistic_regression(
    data: DataSpec,
    *,
    strength: float = 1.0,
    components: int = 32,
    candidates: int = 64,
    events: int = 65_536,
    rounds: int = 50,
) -> Experiment:
    """A discriminative classifier p(y | x), and beside it a Gaussian mixture p(x) that never sees a class.

    The classifier's weights have the prior variance `strength`. Alone it cannot generate; with p(x) it can, by Bayes'
    rule: p(x | y) is in proportion to p(y | x) p(x), so that of `candidates` from the mixture one is taken as often as
    the classifier finds it of the class (sampling-importance-resampling). Real conditions are left aside.
    """
    need_layout(data, "logistic_regression", *DOMAIN)
    codec = density_codec(data)
    spec, size = codec.spec(data), min(events, data.rows or events)
    density = Mixture(replace(spec, given={}), components, "diagonal" if data.layout == "image" else "full")
    classifier = LogisticRegression(spec, size, strength)
    model = Resampled(density, classifier, classifier.fields, candidates)
    players = [
        Solver("mixture", density, density.collect, density.solve, accumulate=16),
        Solver("classifier", classifier, classifier.collect, classifier.solve, when=until(1)),
    ]
    return Experiment(model, players, codec, rounds, size, modules(model=model), begin=density.begin)
