"""Do the tests notice? Changes one sign or constant at a time in a copy of the package; a test must fail each time.

python benchmarks/mutants.py            # all, two at a time; exit code 1 where one survives
python benchmarks/mutants.py frechet    # those whose file or fragment has this word
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 2
PATIENCE = 300
"""Seconds after which a test that does not end counts as failed."""


class Mutant(NamedTuple):
    """In `file`, the only `old` becomes `new`; `tests` must notice."""

    file: str
    old: str
    new: str
    tests: str


OBJECTIVES, PENALTIES, GAN = "tests/gan/test_objectives.py", "tests/gan/test_penalties.py", "tests/gan/test_gan.py"
FLOWS, MATCHING = "tests/flows/test_flows.py", "tests/diffusion/test_flow_matching.py"
TREE, CODEC = "tests/autoregressive/test_splitting.py", "tests/domains/test_calorimeter_codec.py"
IMAGES, DISTANCES = "tests/domains/test_images.py", "tests/evaluation/test_distances.py"
MORE, ENERGY = "tests/gan/test_more_penalties.py", "tests/gan/test_energy.py"
UNROLLED = "tests/gan/test_unrolled.py"
EVALUATION = "tests/evaluation/test"
CLOSED = "tests/evaluation/test_closed_forms.py"
READINGS, AVERAGING = "tests/domains/test_calorimeter_observables.py", "tests/training/test_averaging.py"
CLASSIFIERS, CONTRACTS, TOYS = (
    "tests/evaluation/test_classifiers.py",
    "tests/recipes/test_contracts.py",
    "tests/domains/test_toys.py",
)

MUTANTS = [
    # objectives
    Mutant("gan/objectives.py", "* real + softplus(fake)", "* real + softplus(-fake)", OBJECTIVES),
    Mutant("gan/objectives.py", "return -softplus(fake)", "return softplus(fake)", OBJECTIVES),
    Mutant("gan/objectives.py", "a: float = -1.0", "a: float = 0.0", OBJECTIVES),
    Mutant("gan/objectives.py", "relu(1 - real) + relu(1 + fake)", "relu(1 - real) + relu(fake)", OBJECTIVES),
    Mutant("gan/objectives.py", "return fake - real", "return real - fake", OBJECTIVES),
    Mutant("gan/objectives.py", "return softplus(real - fake)", "return softplus(fake - real)", OBJECTIVES),
    # penalties
    Mutant("gan/penalties.py", "target: float = 1.0\n    one", "target: float = 0.0\n    one", PENALTIES),
    Mutant("gan/penalties.py", "torch.lerp(fake, real, share)", "torch.lerp(fake, real, 0 * share)", PENALTIES),
    Mutant("gan/penalties.py", "slopes(duel, duel.seen_real)", "slopes(duel, duel.seen_fake)", PENALTIES),
    Mutant("gan/clipping.py", "clamp_(-self.limit, self.limit)", "clamp_(-self.limit, 2 * self.limit)", PENALTIES),
    Mutant("gan/latent.py", "device=device) * 2 - 1", "device=device) * 2 - 0.9", GAN),
    # densities
    Mutant(
        "flows/coupling.py",
        "* log_scale.exp() + shift), log_scale.sum(1)",
        "* log_scale.exp() + shift), -log_scale.sum(1)",
        FLOWS,
    ),
    Mutant(
        "flows/coupling.py", "(-log_scale).exp()), -log_scale.sum(1)", "(-log_scale).exp()), log_scale.sum(1)", FLOWS
    ),
    Mutant(
        "flows/flow.py", "- 0.5 * self.size * math.log(2 * math.pi)", "- 0.5 * self.size * math.log(math.pi)", FLOWS
    ),
    Mutant(
        "networks/split.py",
        "- u - 2 * functional.softplus(-u) - scale",
        "- u - 2 * functional.softplus(-u) + scale",
        TREE,
    ),
    Mutant("autoregressive/splitting.py", "near * far / (whole * layer)", "near * far / whole", TREE),
    # samplers
    Mutant("diffusion/flow_matching.py", "(2 * t - 1) / s2 * x", "(1 - 2 * t) / s2 * x", MATCHING),
    Mutant("diffusion/flow_matching.py", "x = x + h / 2 * (first", "x = x + h / 3 * (first", MATCHING),
    Mutant("diffusion/flow_matching.py", "return normal - grown", "return normal + grown", MATCHING),
    Mutant(
        "networks/split.py",
        "far_only = (u[0] >= both) & (u[0] < only), u[0] >= only",
        "far_only = (u[0] >= only), (u[0] >= both) & (u[0] < only)",
        TREE,
    ),
    Mutant("surrogate.py", 'seed_of(seed, "block", k)', 'seed_of(seed, "block")', CONTRACTS),
    Mutant(
        "surrogate.py",
        "made: Batch = model.sample(BLOCK,",
        "made: Batch = model.sample(size,",
        CONTRACTS,
    ),
    Mutant("training/averaging.py", "own.lerp_(other, 1 - decay)", "own.lerp_(other, decay)", AVERAGING),
    # codecs
    Mutant(
        "domains/images/codec.py", "2 * x - 1, self.padding, value=-1.0", "2 * x - 1, self.padding, value=0.0", IMAGES
    ),
    Mutant("domains/images/codec.py", "2 * 255 / 256 if self.dequantise", "2 if self.dequantise", IMAGES),
    Mutant("domains/standard.py", "-self.x.deviation.log().sum()", "self.x.deviation.log().sum()", TOYS),
    Mutant(
        "domains/calorimeter/codec.py",
        "(1 + code / (energy / GEV).sqrt())",
        "(1 + codes[:, :1] / (energy / GEV))",
        CODEC,
    ),
    Mutant(
        "domains/calorimeter/codec.py", "- len(self.mirrors) * math.log(2)", "+ len(self.mirrors) * math.log(2)", CODEC
    ),
    Mutant("domains/calorimeter/codec.py", "2 * (-log_energy / 2).exp() - 1", "2 * (log_energy / 2).exp() - 1", CODEC),
    # readings and metrics
    Mutant(
        "domains/calorimeter/quantities.py",
        "region) - self.share(batch, axis, region) ** 2",
        "region) + self.share(batch, axis, region) ** 2",
        READINGS,
    ),
    Mutant(
        "evaluation/distances.py",
        "0.5 * float((((p - q) ** 2 - sum(held.noise())) / both).sum())",
        "0.5 * float((((p - q) ** 2) / both).sum())",
        DISTANCES,
    ),
    Mutant("evaluation/distances.py", "np.sqrt(max(distance**2 - f**2, 0))", "distance", DISTANCES),
    Mutant("evaluation/frechet.py", "np.trace(cov_b) - 2 * cross)", "np.trace(cov_b) - cross)", CLOSED),
    Mutant("evaluation/response.py", "b.mean() / scale - 1), float(error)", "b.mean() / scale), float(error)", CLOSED),
    Mutant("evaluation/response.py", "- 1, 0) / 4 for v", "- 1, 0) / 2 for v", CLOSED),
    Mutant("evaluation/modes.py", "size <= reach * sigma", "size <= reach", CLOSED),
    Mutant(
        "evaluation/classifiers.py", "1.3 * np.sqrt(within + spread)", "0.3 * np.sqrt(within + spread)", CLASSIFIERS
    ),
    Mutant("evaluation/multiple.py", "level / (len(probabilities) - k)", "level", f"{EVALUATION}_divergences.py"),
    Mutant("evaluation/kernels.py", "within_b - 2 * totals[2]", "within_b - totals[2]", f"{EVALUATION}_kernels.py"),
    Mutant("evaluation/battery.py", "np.log(0.5) / np.log1p", "np.log(0.9) / np.log1p", f"{EVALUATION}_battery.py"),
    Mutant(
        "evaluation/coverage.py",
        "float(inside.sum(0).mean() / k)",
        "float(inside.sum(0).mean())",
        f"{EVALUATION}_coverage.py",
    ),
    Mutant("evaluation/memorisation.py", "exact[:, 1] / 2)", "exact[:, 1])", f"{EVALUATION}_memorisation.py"),
    Mutant(
        "evaluation/sampling.py",
        "float(first**2 / second)",
        "float(first / second)",
        f"{EVALUATION}_sampling_statistics.py",
    ),
    Mutant("evaluation/defects.py", "1.005 * x", "1.0005 * x", f"{EVALUATION}_defects.py"),
    Mutant("gan/penalties.py", "target: float = 1.0\n    spread", "target: float = 0.0\n    spread", MORE),
    Mutant("gan/energy.py", "relu(self.margin + fake) - real", "relu(fake) - real", ENERGY),
    Mutant("gan/unrolled.py", '(root + group["eps"])', "(root + 1)", UNROLLED),
    # many layers
    Mutant("domains/calorimeter/depth.py", "out - (lit - 1)", "out + (lit - 1)", CODEC),
    Mutant("domains/calorimeter/depth.py", "self.total(x[:, :1], energy).to(x.dtype) *", "energy *", CODEC),
]


def copy(place: Path) -> Path:
    """A copy of the package that tests import in place of the real one."""
    return Path(shutil.copytree(ROOT / "src", place / "src", ignore=shutil.ignore_patterns("__pycache__")))


def run(source: Path, *words: str) -> tuple[int, str]:
    """Exit code and output of Python with the package at `source`; 124 where it does not end."""
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return 124, ""
    return done.returncode, done.stdout + done.stderr


def pytest(source: Path, tests: str) -> tuple[int, str]:
    return run(source, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", tests)


def sound(tests: list[str]) -> list[str]:
    """Test files that fail although nothing was changed, or a word about a copy that is not imported."""
    with tempfile.TemporaryDirectory() as place:
        source = copy(Path(place))
        _, where = run(source, "-c", "import simulacra; print(simulacra.__file__)")
        if not where.startswith(str(source)):
            return [f"the copy is not imported but {where.strip()}"]
        with ThreadPoolExecutor(WORKERS) as pool:
            codes = pool.map(lambda one: pytest(source, one)[0], tests)
        return [one for one, code in zip(tests, codes, strict=True) if code]


def judge(mutant: Mutant) -> tuple[bool, str]:
    """Whether a test noticed, and which."""
    with tempfile.TemporaryDirectory() as place:
        path = copy(Path(place)) / "simulacra" / mutant.file
        text = path.read_text()
        if text.count(mutant.old) != 1:
            return False, f"expected the fragment once, it is there {text.count(mutant.old)} times"
        path.write_text(text.replace(mutant.old, mutant.new))
        code, output = pytest(Path(place) / "src", mutant.tests)
    failed = [
        line.split(" - ")[0].split("::")[-1] for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))
    ]
    if code == 124:
        return True, "does not end"
    return code == 1, failed[0] if failed else f"exit code {code}"


def main(words: list[str]) -> int:
    chosen = [m for m in MUTANTS if all(word in m.file + m.old for word in words)]
    start = time.monotonic()
    broken = sound(sorted({m.tests for m in chosen}))
    if broken:
        print("without any change these fail: " + ", ".join(broken))
        return 1
    survivors = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        for mutant, (noticed, by) in zip(chosen, pool.map(judge, chosen), strict=True):
            survivors += not noticed
            print(
                f"{'noticed ' if noticed else 'SURVIVED'}  {mutant.file}: {mutant.old}  ->  {mutant.new}  [{by}]",
                flush=True,
            )
    print(f"{len(chosen)} mutants, {survivors} survived, {time.monotonic() - start:.0f} s")
    return 1 if survivors or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
