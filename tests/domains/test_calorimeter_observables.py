"""Observables on hand-made showers whose answers are known on paper, and their limits."""

import time

import pytest
import torch

from simulacra.batch import Batch
from simulacra.domains.calorimeter import DETECTORS, LAR3, WSI45, observables, open_bundled, spec_of
from simulacra.domains.calorimeter.observables import SPECTRUM, layer_correlations, scalars


def shower(geometry, deposits, energy=1000.0) -> Batch:
    """One shower with `deposits`: {(layer, row, column): MeV}."""
    x = torch.zeros(1, geometry.cells)
    for (layer, row, column), value in deposits.items():
        x[0, geometry.slices()[layer].start + row * geometry.layers[layer].shape[1] + column] = value
    return Batch(x, {"energy": torch.full((1, 1), energy)})


def read(geometry, batch):
    return {o.name: o(batch)[0] for o in observables(spec_of(geometry, "test"))}


def test_closed_forms_on_the_lead_argon_calorimeter():
    batch = shower(LAR3, {(0, 1, 48): 6.0, (0, 1, 47): 2.0, (1, 6, 7): 10.0, (1, 6, 5): 0.05, (2, 0, 0): 0.5})
    got = read(LAR3, batch)
    want = {
        "E_tot": 18.55,
        "response": 0.01855,
        "E_layer0": 8.0,
        "f_layer1": 10.05 / 18.55,
        "depth": (10.05 + 2 * 0.5) / 18.55,
        "occupancy_layer1": 2 / 144,
        "occupancy_0.1MeV_layer1": 1 / 144,
        "occupancy_1MeV_layer2": 0.0,
        "x_layer0": (6 * 2.5 - 2 * 2.5) / 8,
        "wx_layer0": (2.5**2 - 1.25**2) ** 0.5,
        "y_layer0": 0.0,
        "x_layer1": (10 * 60 - 0.05 * 20) / 10.05,
        "y_layer1": 20.0,
        "wy_layer1": 0.0,
        "x_layer2": -200.0,
        "y_layer2": -220.0,
        "hottest1_layer0": 0.75,
        "hottest2_layer0": 0.25,
        "hottest5_layer0": 0.0,
        "columns2_layer0": 1.0,
        "centre2x2_layer1": 0.05 / 10.05,
        "columns6_layer1": 1.0,
    }
    for name, value in want.items():
        assert float(got[name]) == pytest.approx(value, rel=1e-5, abs=1e-4), name
    assert got["longitudinal"].tolist() == pytest.approx([8.0, 10.05, 0.5])
    assert float(got["radial"].sum()) == pytest.approx(18.55)
    spectrum = dict(zip([round(e, 4) for e in SPECTRUM], got["spectrum"].tolist(), strict=False))
    assert (spectrum[1.0], spectrum[3.1623], spectrum[0.0316], spectrum[0.3162]) == (1, 1, 1, 1)
    assert float(got["spectrum"].sum()) == 5


def test_closed_forms_on_a_polar_calorimeter():
    batch = shower(WSI45, {(10, 0, 2): 4.0, (20, 8, 2): 4.0})
    got = read(WSI45, batch)
    assert float(got["depth"]) == 15
    assert float(got["depth_width"]) == 5
    radius, angle = 2.5 * 4.65, torch.pi / 16
    assert float(got["x_layer9to17"]) == pytest.approx(radius * torch.cos(torch.tensor(angle)).item(), rel=1e-6)
    assert float(got["y_layer18to26"]) == pytest.approx(-radius * torch.sin(torch.tensor(angle)).item(), rel=1e-6)
    assert got["radial"].argmax() == 2
    assert float(got["core3_layer9to17"]) == 1
    assert float(got["core1_layer9to17"]) == 0


@pytest.mark.parametrize("name", ["lar3", "wsi45", "ds1-photons", "ds1-pions"])
def test_every_observable_is_finite_and_has_its_shape_on_any_shower(name):
    geometry = DETECTORS[name]
    x = torch.rand(6, geometry.cells) * (torch.rand(6, geometry.cells) < 0.1)
    x[0] = 0
    x[1] = 0
    x[1, 0] = 1e-30
    x[2] = 1e6
    batch = Batch(x, {"energy": torch.full((6, 1), 1e3)})
    found = observables(spec_of(geometry, "test"))
    names = [o.name for o in found]
    assert len(set(names)) == len(names) <= 120
    single = {o.name for o in scalars(spec_of(geometry, "test"))}
    for one in found:
        value = one(batch)
        assert torch.isfinite(value).all(), one.name
        assert value.dtype == torch.float32
        assert one.axis
        if one.name in single:
            assert value.shape == (6,), one.name
        else:
            assert value.dim() == 2
            assert not one.edges or len(one.edges) == value.shape[1] + 1


def test_mirrored_showers_change_sign_only():
    data = open_bundled()
    batch = data[0:200]
    for axis in ("x", "y"):
        flipped = batch.with_x(batch.x[:, LAR3.mirror(axis)])
        for one in observables(data.spec):
            sign = -1 if one.name in {f"{axis}_layer{i}" for i in range(3)} else 1
            torch.testing.assert_close(one(flipped), sign * one(batch), rtol=1e-4, atol=2e-3)


def test_observables_carry_gradients_more_than_once():
    x = torch.rand(3, 504, requires_grad=True)
    batch = Batch(x, {"energy": torch.full((3, 1), 1e3)})
    found = {o.name: o for o in scalars(spec_of(LAR3, "test"))}
    for name in ("E_tot", "E_layer0", "E_tot"):
        grad = torch.autograd.grad(found[name](batch).sum(), x)[0]
        assert grad.sum() > 0


def test_correlations_of_shared_and_split_energies():
    a = torch.rand(4000, 1)
    x = torch.zeros(4000, 504)
    x[:, :1], x[:, 288:289], x[:, 432:433] = a, 1 - a, torch.rand(4000, 1)
    found = layer_correlations(Batch(x, {"energy": torch.ones(4000, 1)}), LAR3)
    assert float(found[0, 1]) == pytest.approx(-1, abs=1e-5)
    assert abs(float(found[0, 2])) < 0.06


def test_ten_thousand_showers_take_about_a_second():
    x = torch.rand(10_000, 504)
    batch = Batch(x, {"energy": torch.ones(10_000, 1)})
    found = observables(spec_of(LAR3, "test"))
    start = time.process_time()
    for one in found:
        one(batch)
    assert time.process_time() - start < 3
