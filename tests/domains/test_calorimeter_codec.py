"""Laws of the shower codec: round trips, exact zeros, one mode after folding, and its density's Jacobian."""

import math

import pytest
import torch

from simulacra.batch import Batch
from simulacra.domains.calorimeter import DETECTORS, LAR3, WSI45, Geometry, Layer, ShowerCodec, open_bundled, spec_of
from simulacra.domains.calorimeter.depth import DepthCodec, TotalEnergy
from simulacra.domains.calorimeter.layer import polar

EDGES = (-2.0, -1.0, 0.0, 1.0, 2.0)
TWO = Geometry(
    "two",
    (
        Layer("layer0", "cartesian", (-1.0, 1.0), EDGES),
        Layer("layer1", "cartesian", (-1.0, 0.0, 1.0), (-1.0, 0.0, 1.0)),
    ),
)
RINGS = Geometry(
    "rings", (polar("layer0", (0, 1, 2), 8), polar("layer3", (0, 2), 1), polar("layer9", (0, 1, 3), 4)), ("x", "y")
)


def showers(geometry: Geometry, n: int = 300, seed: int = 1, dtype: torch.dtype = torch.float32) -> Batch:
    """Sparse showers of which each layer is empty in a tenth, some wholly empty."""
    g = torch.Generator().manual_seed(seed)
    energy = 10 ** (3 + 2 * torch.rand(n, 1, generator=g))
    x = torch.randn(n, geometry.cells, generator=g).mul(3).exp() * energy / 1e4
    x = x * (torch.rand(n, geometry.cells, generator=g) < 0.4)
    x = x * (torch.rand(n, len(geometry.layers), generator=g) > 0.1)[:, geometry.layer_of]
    x[0], x[1] = 0, 0
    last = geometry.slices()[-1]
    x[2, last] = 0
    x[2, last.stop - 1] = 1e-3  # a layer with one deposit, at the cut
    return Batch(x.to(dtype), {"energy": energy.to(dtype)})


def fitted(geometry: Geometry, batch: Batch, kind: type[ShowerCodec] = ShowerCodec) -> ShowerCodec:
    codec = kind(spec_of(geometry, "test"))
    codec.fit([batch[:100], batch[100:]])
    return codec


@pytest.mark.parametrize("kind", [ShowerCodec, DepthCodec])
@pytest.mark.parametrize("geometry", [LAR3, WSI45, DETECTORS["ds1-pions"], TWO, RINGS], ids=lambda g: g.name)
def test_round_trip_is_exact_up_to_mirror_and_cut(geometry, kind):
    batch = showers(geometry)
    codec = fitted(geometry, batch, kind)
    want = torch.where(batch.x < 1e-3, 0.0, batch.x)
    for _ in range(3):  # the noise of empty layers must not matter
        encoded = codec.encode(batch)
        assert encoded.x.shape == (300, codec.spec(spec_of(geometry, "test")).x.size)
        assert torch.isfinite(encoded.x).all()
        back = codec.decode(Batch(encoded.x, batch.given))
        assert torch.equal(codec.fold(want) > 0, codec.fold(back.x) > 0)
        slack = 3e-7 * float(codec.sampling_fraction) * batch.given["energy"]  # float32 of the response
        assert ((codec.fold(back.x) - codec.fold(want)).abs() <= 2e-5 * codec.fold(want) + slack).all()
        layers = codec.layer_energies(encoded.x, batch.given["energy"])
        assert ((layers - geometry.sum_layers(want)).abs() <= 2e-5 * layers + slack).all()
        assert torch.equal(layers == 0, geometry.sum_layers(want) == 0)
        shares = geometry.sum_layers(encoded.x[:, codec.head :])
        torch.testing.assert_close(shares, (layers > 0).to(shares), rtol=1e-5, atol=1e-6)


def test_bundled_codes_are_standard_and_showers_have_one_mode():
    data = open_bundled()
    codec = ShowerCodec(data.spec)
    codec.fit([data[0:4000], data[4000:8200]])
    batch = data[0:8200]
    codes = codec.encode(batch).x[:, :3]
    torch.testing.assert_close(codes.mean(0), torch.zeros(3), atol=0.03, rtol=0)
    torch.testing.assert_close(codes.std(0), torch.ones(3), atol=0.03, rtol=0)
    assert float(codec.sampling_fraction) == pytest.approx(0.1895, abs=5e-4)
    folded = codec.fold(batch.x)
    for mirror in codec.mirrors:
        torch.testing.assert_close(codec.fold(batch.x[:, mirror]), folded)
    right = (folded[:, LAR3.x == 2.5].sum(1) >= folded[:, LAR3.x == -2.5].sum(1)).float().mean()
    assert right > 0.99  # strips 48 and 47
    given = codec.encode_given(batch.given)["energy"]
    torch.testing.assert_close(given[:, 0].mean(), torch.tensor(0.0), atol=1e-4, rtol=0)
    torch.testing.assert_close(given[:, 1], 2 * (batch.given["energy"][:, 0] / 1e3) ** -0.5 - 1)


def test_fit_weighs_events_and_does_not_depend_on_blocks():
    batch = showers(LAR3)
    twice = Batch(
        torch.cat([batch.x, batch.x[:50]]), {"energy": torch.cat([batch.given["energy"], batch.given["energy"][:50]])}
    )
    weight = torch.ones(300)
    weight[:50] = 2
    weighted = Batch(batch.x, batch.given, weight=weight)
    a, b, c = ShowerCodec(LAR3), ShowerCodec(LAR3), ShowerCodec(LAR3)
    a.fit([twice])
    b.fit([weighted])
    c.fit([weighted[:7], weighted[7:]])
    for name, value in a.state_dict().items():
        torch.testing.assert_close(value, b.state_dict()[name])
        torch.testing.assert_close(value, c.state_dict()[name])


def test_decoding_keeps_energy_for_any_code_and_mirrors_at_random():
    batch = showers(LAR3)
    codec = fitted(LAR3, batch)
    encoded = codec.encode(batch)
    x = torch.cat([torch.randn(300, 3) * 20, encoded.x[:, 3:]], 1)
    layers = codec.layer_energies(x, batch.given["energy"])
    assert torch.isfinite(layers).all()
    assert (layers >= 0).all()
    codes = x[:, 0].double() * codec.code_spread[0] + codec.code_mean[0]
    e = batch.given["energy"][:, 0].double()
    total = (e * codec.sampling_fraction * (1 + codes / (e / 1e3).sqrt())).clamp(min=0)
    torch.testing.assert_close(layers.sum(1).double(), total, rtol=1e-5, atol=1e-3)
    torch.manual_seed(0)
    same = [codec.decode(Batch(encoded.x, batch.given)).x for _ in range(400)]
    images = {tuple(torch.round(one[5] * 1e3).long().tolist()) for one in same}
    assert len(images) == 4


@pytest.mark.parametrize("kind", [ShowerCodec, DepthCodec])
@pytest.mark.parametrize("mirrors", [(), ("x", "y")])
def test_log_det_is_the_jacobian_on_a_hand_made_detector(mirrors, kind):
    geometry = Geometry("two", TWO.layers, mirrors)
    codec = fitted(geometry, showers(geometry), kind)
    energy = torch.tensor([[7000.0]], dtype=torch.float64)
    for pattern in ([1, 1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 1, 0, 0, 1, 0], [0, 0, 0, 1, 0, 1, 1, 1]):
        keep = torch.tensor(pattern, dtype=torch.bool)
        x = torch.zeros(1, 8, dtype=torch.float64)
        g = torch.Generator().manual_seed(3)
        x[0, keep] = 50 + 400 * torch.rand(int(keep.sum()), generator=g, dtype=torch.float64)
        x = codec.fold(x)
        keep = x[0] > 0
        first, second = keep[:4].nonzero()[:, 0], keep[4:].nonzero()[:, 0] + 4

        def code(positive: torch.Tensor, keep=keep, first=first, second=second) -> torch.Tensor:
            full = torch.zeros(8, dtype=torch.float64).masked_scatter(keep, positive)
            out = codec.encode(Batch(full[None], {"energy": energy})).x[0]
            # two numbers say the layer energies: both codes, or the code of the sum and the share of one layer
            return torch.cat([out[:2], out[codec.head + first[:-1]], out[codec.head + second[:-1]]])

        jacobian = torch.autograd.functional.jacobian(code, x[0, keep])
        want = torch.linalg.slogdet(jacobian).logabsdet - len(mirrors) * math.log(2)
        torch.testing.assert_close(codec.log_det(Batch(x, {"energy": energy}))[0], want, rtol=1e-9, atol=1e-9)


def test_the_sum_is_read_off_conditions_and_empty_layers_are_shares_of_zero():
    batch = showers(WSI45)
    codec = fitted(WSI45, batch, DepthCodec)
    encoded = codec.encode(batch)
    told = {**encoded.given, "codes": encoded.x[:, :1]}
    want = WSI45.sum_layers(torch.where(batch.x < 1e-3, 0.0, batch.x))
    torch.testing.assert_close(TotalEnergy(codec)(told), want.sum(1, keepdim=True), rtol=1e-6, atol=1e-3)
    assert torch.equal(encoded.x[:, 1:46] == 0, want == 0)
    assert (want == 0).any()


def test_densities_and_atoms_carry_the_probability_of_their_codes():
    """With one cell per layer and a normal law for code 1: the deposits' density integrates to the normal's mass

    between the two bands, and the averaged noise gives each empty layer the mass of its band.
    """
    bars = tuple(Layer(f"layer{i}", "cartesian", (-1.0, 1.0), (-1.0, 1.0)) for i in range(2))
    codec = fitted(Geometry("bars", bars), showers(Geometry("bars", bars), 2000))
    total, least = 600.0, 1.1e-3
    end = math.log(total / least - 1)
    grid = total * torch.linspace(-end, end, 20001, dtype=torch.float64).sigmoid()
    atoms = torch.tensor([[total, 0.0]] * 4000, dtype=torch.float64)
    cases = torch.cat([torch.stack([total - grid, grid], 1), atoms])
    batch = Batch(cases, {"energy": torch.full((len(cases), 1), 5000.0, dtype=torch.float64)})
    code = codec.encode(batch).x[:, 1]
    of_total = math.log(math.sqrt(5.0) / float(5000 * codec.sampling_fraction * codec.code_spread[0]))
    normal = torch.distributions.Normal(0.0, 1.0)
    density = (normal.log_prob(code) + codec.log_det(batch) - of_total).exp()
    inside, atom = torch.trapezoid(density[:20001], grid), density[20001:].mean()
    assert float(inside) == pytest.approx(float(normal.cdf(code[20000]) - normal.cdf(code[0])), rel=2e-3)
    band = code[20001:]
    assert float(atom) == pytest.approx(float(normal.cdf(band.max()) - normal.cdf(band.min())), rel=0.02)
