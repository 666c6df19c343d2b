"""Every recipe of the family plays, teaches every parameter, and resumes."""

from __future__ import annotations

import pytest
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains.calorimeter import LAR3, spec_of
from simulacra.errors import UserError
from simulacra.recipes.calorimeter_wgan import calorimeter_wgan
from simulacra.recipes.cgan import cgan
from simulacra.recipes.dcgan import dcgan
from simulacra.recipes.gan import gan
from simulacra.recipes.relativistic_gan import relativistic_gan
from simulacra.recipes.wgan import wgan
from simulacra.recipes.wgan_gp import wgan_gp
from simulacra.testing import Rows, check_resume, streams_for
from simulacra.training.game import Player
from simulacra.training.loop import train

N = 96


def points(labels=False):
    given = {"label": Field((), "class", 3)} if labels else {}
    told = {"label": torch.arange(N) % 3} if labels else {}
    return Rows(DataSpec("points", "vector", Field((2,)), given, rows=N), Batch(torch.randn(N, 2) * 3, told))


def pictures(labels=False):
    given = {"label": Field((), "class", 3)} if labels else {}
    told = {"label": torch.arange(N) % 3} if labels else {}
    return Rows(DataSpec("dots", "image", Field((1, 12, 12)), given, rows=N), Batch(torch.rand(N, 1, 12, 12), told))


def showers():
    energy = torch.logspace(3, 4.6, N)[:, None]
    x = torch.rand(N, LAR3.cells).pow(8) * energy / 400
    x[:, :288] *= torch.rand(N, 1) + 0.5
    x[::5, -120:] = 0
    return Rows(spec_of(LAR3, "box", rows=N), Batch(x, {"energy": energy}))


GAMES = {
    "gan": (gan, points, {"hidden": 12}),
    "gan saturating": (gan, points, {"hidden": 12, "saturating": True}),
    "wgan points": (wgan, points, {"width": 12, "warm": 1, "n_critic": 2}),
    "wgan pictures": (wgan, pictures, {"width": 4, "warm": 1, "n_critic": 2}),
    "wgan_gp points": (wgan_gp, points, {"width": 12}),
    "wgan_gp pictures": (wgan_gp, pictures, {"width": 4, "n_critic": 2}),
    "dcgan": (dcgan, pictures, {"base": 4}),
    "dcgan labels": (dcgan, lambda: pictures(True), {"base": 4}),
    "cgan points": (cgan, lambda: points(True), {"width": 12}),
    "cgan pictures": (cgan, lambda: pictures(True), {"width": 4}),
    "cgan maps": (cgan, lambda: pictures(True), {"width": 4, "joint": 0}),
    "cgan joint points": (cgan, lambda: points(True), {"width": 12, "joint": 8}),
    "cgan projection": (cgan, lambda: pictures(True), {"width": 4, "projection": True}),
    "calorimeter_wgan": (calorimeter_wgan, showers, {"width": 24, "latent": 6}),
}


def build(name):
    recipe, data, options = GAMES[name]
    dataset = data()
    experiment = recipe(dataset.spec, rounds=20, batch=16, **options)
    experiment.codec.fit([dataset[torch.arange(N)]])
    return experiment, dataset


@pytest.mark.parametrize("name", GAMES)
def test_every_parameter_of_every_player_feels_a_finite_gradient(name):
    torch.manual_seed(0)
    experiment, dataset = build(name)
    felt: dict[int, bool] = {}
    wanted = {
        id(p): f"{player.name}/{key}" for player in experiment.players for key, p in player.trains.named_parameters()
    }

    def note(optimizer, args, kwargs):
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    assert torch.isfinite(p.grad).all()
                    felt[id(p)] = felt.get(id(p), False) or bool(p.grad.abs().max() > 0)

    for optimizer in experiment.optimizers():
        optimizer.register_step_pre_hook(note)
    rounds = list(train(experiment, streams_for(experiment, dataset)))
    assert len(rounds) == 20
    assert all(torch.isfinite(v).all() for step in rounds for v in step.losses.values())
    assert [where for key, where in wanted.items() if not felt.get(key)] == []


@pytest.mark.parametrize("name", GAMES)
def test_samples_decode_to_the_data(name):
    experiment, dataset = build(name)
    some = dataset[torch.arange(10)]
    made = experiment.model.sample(10, experiment.codec.encode_given(some.given))
    events = experiment.codec.decode(Batch(made.x, some.given))
    dataset.spec.check(events)
    assert torch.isfinite(events.x).all()
    if dataset.spec.layout == "layers":
        assert events.x.min() >= 0


@pytest.mark.parametrize("name", ["wgan_gp points", "dcgan", "cgan projection", "calorimeter_wgan", "wgan points"])
def test_a_run_that_stops_goes_on_as_if_it_had_not(name):
    def again():
        return build(name)[0]

    check_resume(again, build(name)[1], 4, [1, 3])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cgan(points().spec), "expected data with a condition for cgan, points has none"),
        (lambda: cgan(points(True).spec, projection=True, joint=8), "expected projection or joint for cgan, came both"),
        (lambda: dcgan(points().spec), "expected the layout image for dcgan, points has 'vector'"),
        (lambda: gan(pictures().spec), "expected the layout vector for gan, dots has 'image'"),
        (lambda: relativistic_gan(points().spec, objective="hinges"), "came 'hinges'; did you mean 'hinge'"),
        (lambda: calorimeter_wgan(points().spec), "expected the layout layers for calorimeter_wgan"),
    ],
)
def test_data_that_do_not_fit_are_refused_in_one_line(call, words):
    with pytest.raises(UserError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_clipped_critic_stays_within_its_limit():
    experiment, dataset = build("wgan points")
    for _ in train(experiment, streams_for(experiment, dataset)):
        pass
    critic = next(p for p in experiment.players if p.name == "critic")
    assert isinstance(critic, Player)
    assert max(float(p.detach().abs().max()) for p in critic.trains.parameters()) <= 0.1 + 1e-8


def test_penalties_follow_the_layout_as_in_the_papers():
    weights = [
        build(name)[0].learners["game"].critic_terms[0].weight for name in ("wgan_gp points", "wgan_gp pictures")
    ]
    assert weights == [0.1, 10.0]
