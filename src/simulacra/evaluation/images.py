"""Judging pictures with a classifier that was trained on real ones: FID on its features, classes of samples.

Classifiers of Fashion-MNIST and MNIST come with the package, so that their FIDs can be compared between runs.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Batch, DataSpec
from simulacra.errors import UserError
from simulacra.evaluation.arrays import Array
from simulacra.evaluation.measurement import Measurement
from simulacra.random import draws

FEATURES = 64
WEIGHTS = Path(__file__).parent / "shipped"
"""Classifiers that come with the package, and `classifiers.json`, which says of what data and how good they are."""


class ImageClassifier(nn.Module):
    """Two convolutions, one hidden layer of 64 features, one score per class.

    Args:
        shape: (channels, height, width) of a picture in [0, 1], at least 8 by 8.
        classes: how many.
        width: channels of the first convolution; the second has twice as many.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, width: int = 16) -> None:
        super().__init__()
        self.first = nn.Conv2d(shape[0], width, 3, padding=1)
        self.second = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.hidden = nn.Linear(2 * width * 7 * 7, FEATURES)
        self.out = nn.Linear(FEATURES, classes)

    def features(self, x: Tensor) -> Tensor:  # [B, C, H, W] -> [B, 64]
        x = functional.max_pool2d(functional.relu(self.first(2 * x - 1)), 2)
        x = functional.relu(self.second(x))
        x = functional.max_pool2d(x, 2) if x.shape[-2:] == (14, 14) else functional.adaptive_max_pool2d(x, 7)
        return functional.relu(self.hidden(x.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:  # [B, C, H, W] -> [B, classes]
        return self.out(self.features(x))


def shipped(spec: DataSpec) -> ImageClassifier | None:
    """The classifier that comes with the package for exactly these data, known by their fingerprint; `None` otherwise.

    Its accuracy on the test part is in `shipped/classifiers.json`; `benchmarks/classifiers.py` trained it.
    """
    known = json.loads((WEIGHTS / "classifiers.json").read_text(encoding="utf-8"))
    for name, entry in known.items():
        if entry["fingerprint"] == spec.fingerprint:
            model = ImageClassifier(spec.x.shape, entry["classes"], entry["width"])
            model.load_state_dict({k: v.float() for k, v in load_file(WEIGHTS / f"{name}.safetensors").items()})
            return model.eval()
    return None


def train_classifier(
    train: Batch,
    classes: int = 0,
    *,
    spec: DataSpec | None = None,
    path: str | Path | None = None,
    epochs: int = 3,
    batch: int = 64,
    seed: int = 0,
) -> ImageClassifier:
    """A classifier of real pictures, the same one for the same data and seed.

    Args:
        train: pictures in [0, 1] with `given["label"]`.
        classes: how many; the largest label plus one where left out.
        spec: the description of the data; where the package brings a classifier of them, that one is returned.
        path: a safetensors file to keep it in; one that was trained on the same data in the same way is read from it.

    Raises:
        UserError: there are no labels, or the events are no pictures.

    Example:
        >>> x = torch.rand(200, 1, 8, 8) * torch.tensor([0.2, 1.0]).repeat(100).view(-1, 1, 1, 1)
        >>> model = train_classifier(Batch(x, {"label": torch.tensor([0, 1]).repeat(100)}), epochs=10)
        >>> accuracy(model, x, torch.tensor([0, 1]).repeat(100)) > 0.9
        True
    """
    if "label" not in train.given:
        raise UserError(
            f"expected pictures with a label, came {sorted(train.given) or 'no condition'}; choose other data"
        )
    if train.x.dim() != 4:
        raise UserError(
            f"expected pictures (channels, height, width), came {tuple(train.x.shape[1:])}; choose other data"
        )
    known = None if spec is None else shipped(spec)
    if known is not None:
        return known
    label = train.given["label"].flatten().long()
    classes = classes or int(label.max()) + 1
    with draws(seed):
        model = ImageClassifier(tuple(train.x.shape[1:]), classes)
    key = _key(train, classes, epochs, batch, seed)
    if path is not None and _read(model, Path(path), key):
        return model.eval()
    draw = torch.Generator().manual_seed(seed)
    steps = epochs * math.ceil(len(train) / batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: min(1.0, (k + 1) / 100) * 0.5 * (1 + math.cos(math.pi * k / steps))
    )
    with torch.enable_grad():
        for _ in range(epochs):
            for rows in torch.randperm(len(train), generator=draw).split(batch):
                loss = functional.cross_entropy(model(train.x[rows].float()), label[rows])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
    if path is not None:
        _write(model, Path(path), key)
    return model.eval()


def _key(train: Batch, *settings: int) -> str:
    """What decides a classifier: some of its pictures, how many, and the settings."""
    step = max(1, len(train) // 256)
    content = np.ascontiguousarray(train.x[::step].float().numpy()).tobytes()
    content += np.ascontiguousarray(train.given["label"].numpy()).tobytes()
    return hashlib.sha256(content + repr((tuple(train.x.shape), settings)).encode()).hexdigest()


def _read(model: nn.Module, path: Path, key: str) -> bool:
    if not path.exists():
        return False
    with safe_open(path, framework="pt") as file:
        if (file.metadata() or {}).get("key") != key:
            return False
        model.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    return True


def _write(model: nn.Module, path: Path, key: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    save_file({name: v.contiguous() for name, v in model.state_dict().items()}, temporary, metadata={"key": key})
    os.replace(temporary, path)


@torch.no_grad()
def look(model: ImageClassifier, x: Tensor) -> tuple[Array, Array]:
    """Features [n, 64] and the class [n] that the model sees in each picture."""
    seen = [model.features(piece.float()) for piece in x.split(512)]
    features = torch.cat(seen)
    return features.double().numpy(), model.out(features).argmax(1).numpy()


@torch.no_grad()
def probabilities(model: ImageClassifier, x: Tensor) -> Array:
    """What the model gives each class of each picture, [n, classes]; rows sum to 1."""
    return torch.cat([model(piece.float()).double().softmax(1) for piece in x.split(512)]).numpy()


def accuracy(model: ImageClassifier, x: Tensor, label: Tensor) -> float:
    """Share of pictures whose class the model sees rightly."""
    return float((look(model, x)[1] == label.flatten().numpy()).mean())


def class_shares(reference: Array, generated: Array, classes: int) -> dict[str, Measurement]:
    """Share of each class among generated events as the classifier sees them, `classes/3`; floor: among real ones.

    >>> print(class_shares(np.array([0, 1] * 50), np.array([0] * 100), 2)["classes/1"])
    0.00 ± 0.00 (floor 0.50 ± 0.05)
    """
    n = min(len(reference), len(generated))
    p = np.bincount(generated, minlength=classes) / len(generated)
    q = np.bincount(reference, minlength=classes) / len(reference)
    ep, eq = np.sqrt(p * (1 - p) / len(generated)), np.sqrt(q * (1 - q) / len(reference))
    return {
        f"classes/{k}": Measurement(float(p[k]), float(ep[k]), float(q[k]), float(eq[k]), n) for k in range(classes)
    }
