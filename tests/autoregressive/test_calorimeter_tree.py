"""The recipe of energies first, then box by box."""

import pytest
import torch

from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains.calorimeter.geometry import LAR3, WSI45, Geometry, Layer, polar
from simulacra.recipes.calorimeter_tree import calorimeter_tree

STRANGE = Geometry(
    "strange",
    (polar("front", (0, 2, 7, 20), 5), Layer("back", "cartesian", (-9, -2, 0, 3, 4, 9), (-1, 1))),
)


def showers(geometry, n=40):
    torch.manual_seed(0)
    energy = 1e3 * (1 + 49 * torch.rand(n, 1))
    fall = torch.exp(-geometry.radius / 30).float() + 1e-3
    x = fall * torch.rand(n, geometry.cells) ** 8 * (torch.rand(n, geometry.cells) < 0.5)
    x[: n // 4, geometry.slices()[-1]] = 0
    return Batch(0.2 * energy * x / x.sum(1, keepdim=True), {"energy": energy})


def experiment_of(geometry, **options):
    field = Field((1,), unit="MeV", range=(1e3, 5e4))
    x = Field((geometry.cells,), unit="MeV")
    data = DataSpec("few", "layers", x, {"energy": field}, geometry.parts, geometry.to_json(), 40)
    torch.manual_seed(0)
    experiment, batch = calorimeter_tree(data, hidden=16, flow_hidden=16, pairs=2048, **options), showers(geometry)
    experiment.codec.fit([batch])
    for hook in experiment.hooks:
        hook.start(experiment)
    return experiment, batch


@pytest.mark.parametrize("geometry", [LAR3, WSI45, STRANGE], ids=["lar3", "wsi45", "strange"])
def test_both_players_feel_and_move_and_the_average_samples(geometry):
    experiment, batch = experiment_of(geometry)
    felt = {}
    for _ in range(3):
        encoded = experiment.codec.encode(batch)
        for player in experiment.players:
            player.optimizer.zero_grad()
            sum(player.loss(encoded).parts.values()).backward()
            for name, p in player.trains.named_parameters():
                assert p.grad.isfinite().all(), name
                felt[player.name, name] = felt.get((player.name, name), False) or bool(p.grad.abs().sum() > 0)
            player.optimizer.step()
    assert all(felt.values()), [name for name, seen in felt.items() if not seen]
    energy = {"energy": batch.given["energy"][:8]}
    made = experiment.model.sample(8, experiment.codec.encode_given(energy))
    made = experiment.codec.decode(Batch(made.x, energy))
    assert made.x.shape == (8, geometry.cells)
    assert made.x.isfinite().all()
    assert (made.x >= 0).all()
    assert torch.isfinite(experiment.model.log_prob(experiment.codec.encode(batch[:3]))).all()


def test_layers_keep_the_energy_that_the_first_stage_drew():
    experiment, batch = experiment_of(LAR3)
    given = {"energy": batch.given["energy"]}
    drawn = experiment.model.sample(len(batch), experiment.codec.encode_given(given))
    told = experiment.codec.layer_energies(drawn.x, given["energy"])
    made = experiment.codec.decode(Batch(drawn.x, given))
    assert torch.allclose(LAR3.sum_layers(made.x), told, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_mirrored_shower_is_equally_likely():
    experiment, batch = experiment_of(LAR3)
    for axis in ("x", "y"):
        turned = batch.with_x(batch.x[:, LAR3.mirror(axis)])
        densities = []
        for one in (batch, turned):
            torch.manual_seed(1)
            densities.append(experiment.model.log_prob(experiment.codec.encode(one)))
        assert torch.allclose(*densities, rtol=1e-4, atol=1e-2)
