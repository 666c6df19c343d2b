"""Runs are judged at single conditions, too: real events are ranked among those made at theirs."""

from __future__ import annotations

import json

from simulacra.cli import run


def test_a_run_is_ranked_at_its_conditions_unless_time_is_short(point_run, capsys):
    found = []
    for more in ([], ["--fast"]):
        assert run(["evaluate", str(point_run), "--json", "--limit", "500", *more]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["calibration/x0"]["floor"] == 0.68
    assert found[0]["calibration/x0"]["n"] == found[0]["mean/x0"]["n"]
    assert not any(name.startswith("calibration/") for name in found[1])
    assert all(m["unit"] == "bits" for name, m in found[0].items() if name.startswith("js/"))
    assert {name.replace("auc/", "js/") for name in found[0] if name.startswith("auc/")} == {
        name for name in found[0] if name.startswith("js/")
    }
