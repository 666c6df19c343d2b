"""`simulacra claims`: what is run, what is only shown, and what is written."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

import simulacra.claims
from simulacra.claims import Claim, Result
from simulacra.cli import run

CALLS: list[str] = []


def quick(seed: int) -> Result:
    CALLS.append(f"quick {seed}")
    return Result({"a": 0.1 * seed}, {"a": 9.0 + seed}, {"curve": np.arange(3)})


def slow(seed: int) -> Result:
    CALLS.append(f"slow {seed}")
    return Result({"a": float("inf")}, {"a": 9.0})


@pytest.fixture(autouse=True)
def two(monkeypatch):
    first = Claim(
        "quick-one", "It is so.", "A:1", "", quick, {"a": (-1.0, 1.0)}, "not.", "none", lambda _: Figure(), fast=True
    )
    second = replace(first, name="slow-one", statement="It is so as well.", experiment=slow, fast=False)
    held = {claim.name: claim for claim in (first, second)}
    monkeypatch.setattr(simulacra.claims, "table", lambda: held)
    CALLS.clear()


def test_without_a_choice_nothing_is_run(tmp_path, capsys):
    assert run(["claims", "--out", str(tmp_path)]) == 0
    assert CALLS == []
    assert capsys.readouterr().out.splitlines()[-1] == "2 claims: 2 not run"


def test_fast_runs_the_fast_ones_and_all_the_rest(tmp_path, capsys):
    assert run(["claims", "--fast", "--out", str(tmp_path)]) == 0
    assert CALLS == ["quick 0", "quick 1", "quick 2"]
    assert "2 claims: 1 TRUE, 1 not run" in capsys.readouterr().out
    assert run(["claims", "--all", "--out", str(tmp_path)]) == 0
    assert CALLS[3:] == ["slow 0", "slow 1", "slow 2"]
    assert "2 claims: 1 TRUE, 1 FALSE" in capsys.readouterr().out


def test_one_claim_by_name_as_json_and_as_pages(tmp_path, capsys):
    pages = [tmp_path / "docs" / "claims.md", tmp_path / "claims.html"]
    words = ["claims", "slow-one", "--out", str(tmp_path), "--json"]
    assert run([*words, "--page", str(pages[0]), "--page", str(pages[1])]) == 0
    held = json.loads(capsys.readouterr().out, parse_constant=lambda word: pytest.fail(word))
    assert held["slow-one"]["verdict"] == "FALSE"
    assert held["slow-one"]["quantities"]["a"]["value"] == {"mean": "inf", "half": 0.0}
    assert CALLS == ["slow 0", "slow 1", "slow 2"]
    for path in pages:
        assert "FALSE" in path.read_text()
        assert "It is so as well." in path.read_text()
        assert "It is so." not in path.read_text()
    assert run(["claims", "quick-one", "--out", str(tmp_path), "--page", str(pages[0])]) == 0
    assert "2 claims: 1 TRUE, 1 FALSE" in pages[0].read_text()


def test_what_does_not_fit_is_refused_before_anything_runs(tmp_path, refuse):
    assert refuse("claims", "quick-on", "--out", tmp_path) == (
        "expected a known claim, came 'quick-on'; did you mean 'quick-one'?"
    )
    assert "choose one" in refuse("claims", "--fast", "--all", "--out", tmp_path)
    assert "ending in .html or .md" in refuse("claims", "--fast", "--page", tmp_path / "claims.pdf")
    assert CALLS == []
