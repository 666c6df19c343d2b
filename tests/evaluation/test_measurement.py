"""How a number with its error and floor is shown, kept and read back."""

import json
import math

from simulacra.evaluation import Measurement


def test_a_notebook_shows_how_far_from_the_floor():
    near, far = Measurement(0.51, 0.01, 0.5, 0.01), Measurement(0.61, 0.01, 0.5, 0.01, unit="σ")
    assert (
        near._repr_html_()
        == '<b>0.510 ± 0.010</b> <span style="color: inherit">(floor 0.500 ± 0.010; +0.7 σ away)</span>'
    )
    assert "<b>0.610 ± 0.010 σ</b>" in far._repr_html_()
    assert "color: #a33c00" in far._repr_html_()
    assert "+7.8 σ away" in far._repr_html_()
    assert "∞ away" in Measurement(1.0, 0.0)._repr_html_()


def test_json_both_ways_also_of_what_json_cannot_hold():
    for m in (Measurement(0.1, 0.01, 0.2, 0.02, 7, "MeV"), Measurement(math.inf, 0.1, 0.0, 0.1, 3)):
        again = Measurement.from_json(json.loads(json.dumps(m.to_json())))
        assert (again.error, again.floor, again.floor_error, again.n, again.unit) == (
            m.error,
            m.floor,
            m.floor_error,
            m.n,
            m.unit,
        )
        assert again.value == m.value or (math.isnan(again.value) and not math.isfinite(m.value))
