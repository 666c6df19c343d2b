"""Trains the classifiers of pictures that come with the package: `python benchmarks/classifiers.py`.

One for Fashion-MNIST and one for MNIST, both on the canonical training part, tested once on the canonical test part.
Pictures are shifted by up to two pixels while training, and mirrored where the mirror of a thing is the same thing.
Weights are stored in half precision, and tested as stored. Writes `NAME.safetensors` and, for all of them,
`classifiers.json`: the data's fingerprint, the accuracy with its binomial error, and how it was trained.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import functional

from simulacra.batch import Batch
from simulacra.domains import PICTURES, open_data
from simulacra.domains.dataset import ArrayDataset
from simulacra.evaluation.images import WEIGHTS, ImageClassifier, accuracy
from simulacra.random import reseed

WIDTH, BATCH, RATE, SEED = 32, 128, 3e-3, 0
EPOCHS = {"fashion-mnist": 16, "mnist": 8}
MIRRORED = ("fashion-mnist",)
SHIFT = 2


def shifted(x: Tensor) -> Tensor:
    """Each picture moved by up to SHIFT pixels either way; black comes in."""
    size = x.shape[-1]
    padded = functional.pad(x, [SHIFT] * 4)
    down, right = torch.randint(2 * SHIFT + 1, (2, len(x), 1))
    rows, columns = torch.arange(size) + down, torch.arange(size) + right
    return padded[torch.arange(len(x))[:, None, None], :, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def mirrored(x: Tensor) -> Tensor:
    """Half of the pictures, left and right exchanged."""
    return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(-1), x)


def trained(name: str, train: Batch, epochs: int) -> ImageClassifier:
    reseed(SEED, name)
    label = train.given["label"].flatten().long()
    model = ImageClassifier(tuple(train.x.shape[1:]), int(label.max()) + 1, WIDTH)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=2e-2)
    steps, done = epochs * math.ceil(len(train) / BATCH), 0
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(train)).split(BATCH):
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1.0, (done + 1) / 500) * 0.5 * (1 + math.cos(math.pi * done / steps))
            x = shifted(train.x[rows])
            hidden = model.features(mirrored(x) if name in MIRRORED else x)
            scores = model.out(functional.dropout(hidden, 0.25))
            loss = functional.cross_entropy(scores, label[rows], label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(rows)
            done += 1
        print(f"{name}: epoch {epoch + 1} of {epochs}, loss {total / len(train):.4f}", flush=True)
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(PICTURES), help=" and ".join(PICTURES))
    parser.add_argument("--epochs", type=int, default=0, help="0 for as many as the shipped ones had")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    listed = asked.out / "classifiers.json"
    table = json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else {}
    for name in asked.names:
        data = open_data(name)
        assert isinstance(data, ArrayDataset)
        assert data.parts is not None
        train, test = data[data.parts["train"]], data[data.parts["test"]]
        epochs = asked.epochs or EPOCHS[name]
        start = time.process_time()
        model = trained(name, train, epochs)
        seconds = time.process_time() - start
        path = asked.out / f"{name}.safetensors"
        path.write_bytes(save({k: v.contiguous().half() for k, v in model.state_dict().items()}))
        model.load_state_dict({k: v.float() for k, v in load_file(path).items()})
        right = accuracy(model, test.x, test.given["label"])
        table[name] = {
            "fingerprint": data.spec.fingerprint,
            "classes": model.out.out_features,
            "width": WIDTH,
            "accuracy": right,
            "error": math.sqrt(right * (1 - right) / len(test)),
            "tested": len(test),
            "trained": len(train),
            "epochs": epochs,
            "seed": SEED,
            "cpu_seconds": round(seconds),
            "torch": torch.__version__.split("+")[0],
            "command": f"python benchmarks/classifiers.py {name}",
        }
        listed.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        print(f"{name}: {right:.2%} of {len(test):,} test pictures, {seconds:.0f} CPU s")


if __name__ == "__main__":
    main()
