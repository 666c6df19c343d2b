"""The picture of showers in the README: `python docs/pictures.py runs/demo docs/showers.png`."""

import sys
from pathlib import Path

from simulacra import Surrogate, open_data
from simulacra.figures import layers, png

run, out = Path(sys.argv[1]), Path(sys.argv[2])
surrogate, real = Surrogate.load(run), open_data("electrons")[:]
gev = real.given["energy"][:, 0] / 1000
rows = {}
for energy in (5, 20, 45):
    nearest = int((gev - energy).abs().argmin())
    made = surrogate.sample(1, {"energy": f"{energy}GeV"}, seed=energy)
    rows[f"Geant4, {energy} GeV"] = real.x[nearest]
    rows[f"simulacra, {energy} GeV"] = made.x[0]
out.write_bytes(png(layers(rows, surrogate.spec.parts), dpi=150))
