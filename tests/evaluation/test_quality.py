"""Image metrics where the answer is known on paper."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.errors import UserError
from simulacra.evaluation.quality import mse, power_spectrum, psnr, sharpness, spectral_distance
from simulacra.evaluation.similarity import likeness, ms_ssim, scales_of, ssim


def noise(n: int, side: int = 16, seed: int = 0, sigma: float = 1.0) -> np.ndarray:
    return sigma * np.random.default_rng(seed).normal(size=(n, 1, side, side))


def test_psnr_of_known_noise():
    x, sigma = np.random.default_rng(1).random((300, 1, 16, 16)), 0.05
    found = psnr(x, x + noise(300, sigma=sigma))
    assert found.value == pytest.approx(-20 * np.log10(sigma), abs=4 * found.error)
    assert 0 < found.error < 0.05
    again = [psnr(x[:50], x[:50] + noise(50, seed=k, sigma=sigma)) for k in range(100)]
    assert np.mean([m.error for m in again]) == pytest.approx(np.std([m.value for m in again], ddof=1), rel=0.25)
    assert psnr(255 * x, 255 * (x + sigma), peak=255).value == pytest.approx(-20 * np.log10(sigma))
    assert psnr(x, x).value == np.inf
    assert mse(x, x).value == 0
    assert mse(x, x).floor == pytest.approx(1 / 6, abs=0.005)  # two uniform numbers


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (5, 9), (3, 3), (1, 4), (40, 200), (176, 176)])
@pytest.mark.parametrize("metric", [ssim, ms_ssim])
def test_similarity_is_one_for_equal_pictures_of_any_size(metric, shape):
    x = np.random.default_rng(2).random((3, 2, *shape))
    assert metric(x, x).value == pytest.approx(1)
    other = metric(x, np.random.default_rng(3).random(x.shape))
    assert other.value < 1
    assert other.value == pytest.approx(metric(np.random.default_rng(3).random(x.shape), x).value)


def test_similarity_of_flat_pictures_is_that_of_their_luminance():
    a, b, c = 0.3, 0.8, 0.01**2
    want = (2 * a * b + c) / (a * a + b * b + c)
    flat = [np.full((2, 28, 28), v) for v in (a, b)]
    assert ssim(*flat).value == pytest.approx(want)
    assert ms_ssim(*flat).value == pytest.approx(want ** (0.3001 / (0.0448 + 0.2856 + 0.3001)))


def test_similarity_against_direct_sums():
    x, y = np.random.default_rng(4).random((2, 1, 11, 11))
    at = np.arange(-5, 6)
    w = np.exp(-(at[:, None] ** 2 + at[None] ** 2) / (2 * 1.5**2))
    w /= w.sum()
    mx, my = (w * x).sum(), (w * y).sum()
    vx, vy, cov = (w * (x - mx) ** 2).sum(), (w * (y - my) ** 2).sum(), (w * (x - mx) * (y - my)).sum()
    want = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert ssim(x, y).value == pytest.approx(want)
    assert ssim(200 * x, 200 * y, peak=200).value == pytest.approx(want)


def test_similarity_falls_with_noise_and_stands_above_other_pictures():
    draw = np.random.default_rng(5)
    smooth = np.cumsum(np.cumsum(draw.normal(size=(40, 32, 32)), 1), 2)
    x = (smooth - smooth.min()) / np.ptp(smooth)
    for metric in (ssim, ms_ssim):
        values = [metric(x, x + s * draw.normal(size=x.shape)) for s in (0.01, 0.03, 0.1)]
        assert values[0].value > values[1].value > values[2].value
        assert values[0].above_floor > 5


def test_as_many_scales_as_fit():
    assert [scales_of(n, n + 3) for n in (1, 8, 13, 14, 28, 64, 112, 500)] == [1, 1, 1, 2, 3, 4, 5, 5]


def test_pictures_that_look_alike_are_alike():
    draw = np.random.default_rng(6)
    real = draw.random((60, 16, 16))
    same = np.repeat(real[:3], 20, 0) + 0.05 * draw.normal(size=real.shape)
    assert likeness(real, same).above_floor > 5
    honest = [likeness(*draw.random((2, 60, 16, 16)), seed=k).above_floor for k in range(20)]
    assert np.mean(honest) == pytest.approx(0, abs=1)
    assert 0.4 < np.std(honest) < 1.6


def test_sharpness_of_noise_waves_and_planes():
    assert sharpness(noise(1), noise(400, 32, sigma=0.3)[:, :, :16, :16]).value == pytest.approx(20 * 0.09, rel=0.03)
    line = 2 * np.pi * 4 / 34 * np.arange(34)
    wave = np.cos(line)[None, None] * np.ones((1, 34, 1))
    factor = 4 * np.sin(np.pi * 4 / 34) ** 2  # of the second difference
    inner = np.cos(line[1:-1])
    assert sharpness(wave, wave).value == pytest.approx(factor**2 * inner.var())
    plane = np.arange(8.0)[None, :, None] + np.arange(8.0)[None, None]
    assert sharpness(plane, plane).value == pytest.approx(0, abs=1e-20)
    x = noise(200)
    blurred = (x + np.roll(x, 1, 3)) / 2
    assert sharpness(x, blurred).above_floor < -10
    assert abs(sharpness(x, noise(200, seed=9)).above_floor) < 4


def test_the_spectrum_of_white_noise_is_flat_and_of_a_sine_peaked():
    frequency, power = power_spectrum(noise(500, 32, sigma=0.5))
    assert frequency.tolist() == [k / 32 for k in range(17)]
    np.testing.assert_allclose(power, 0.25, rtol=0.2)
    np.testing.assert_allclose(power[3:], 0.25, rtol=0.05)
    for cycles in (1, 5, 12):
        wave = 3 * np.sin(2 * np.pi * cycles / 32 * np.arange(32))
        power = power_spectrum(np.broadcast_to(wave, (1, 32, 32)))[1]
        ring = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32)))
        members = (np.rint(ring * 32) == cycles).sum()
        assert power[cycles] == pytest.approx(9 / 4 * 32**2 * 2 / members)  # two delta functions in its ring
        assert np.delete(power, cycles) == pytest.approx(0, abs=1e-20)


def test_the_spectral_distance_finds_blur_and_passes_honest_pictures():
    x, y = noise(400), noise(300, seed=1)
    assert spectral_distance(x, 3 * y).value == pytest.approx(2 * np.log10(3), abs=0.05)
    assert spectral_distance(x, (y + np.roll(y, 1, 3)) / 2).above_floor > 10
    honest = [spectral_distance(noise(60, seed=k), noise(80, seed=99 + k)) for k in range(60)]
    assert np.mean([m.value for m in honest]) == pytest.approx(np.mean([m.floor for m in honest]), abs=0.012)
    moved = [spectral_distance(noise(60, seed=k), 1.1 * noise(80, seed=99 + k)) for k in range(60)]
    assert np.mean([m.value for m in moved]) == pytest.approx(2 * np.log10(1.1), rel=0.06)
    assert np.std([m.value for m in moved], ddof=1) == pytest.approx(np.mean([m.error for m in moved]), rel=0.4)


def test_pictures_that_do_not_fit_are_refused():
    x = np.zeros((3, 8, 8))
    with pytest.raises(UserError, match="a partner for every picture"):
        ssim(x, x[:2])
    with pytest.raises(UserError, match="pictures of one shape"):
        sharpness(x, x[:, :4])
    with pytest.raises(UserError, match="at least 3 by 3"):
        sharpness(x[:, :2], x[:, :2])
    with pytest.raises(UserError, match="two pictures or more"):
        likeness(x, x[:1])
    with pytest.raises(UserError, match="finite"):
        power_spectrum(x / np.nan)
