"""Where and how the game is computed: device, precision, and the other processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from simulacra.errors import SimulacraError, UserError, nearest

PRECISIONS = ("float32", "bf16")


@dataclass
class Engine:
    """One process among `world`: moves batches to `device` and adds up over the others.

    Attributes:
        device: `cpu`, `cuda`, `cuda:1`, ...
        precision: `float32`, or `bf16` for the forwards of networks (sums stay in float32).
        rank: of this process; rank 0 writes.
        world: number of processes.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "float32"
    rank: int = 0
    world: int = 1

    @staticmethod
    def start(device: str = "auto", precision: str = "float32", timeout_s: float = 180.0) -> Engine:
        """The engine of this process; joins the others where `torchrun` launched several.

        Raises:
            UserError: the device or the precision is not to be had here.
        """
        if precision not in PRECISIONS:
            raise UserError(
                f"expected --precision float32 or bf16, came {precision!r}; {nearest(precision, PRECISIONS)}"
            )
        world, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            place = torch.device(device)
        except RuntimeError:
            raise UserError(f"expected --device cpu, cuda or cuda:N, came {device!r}; use cpu") from None
        if place.type == "cuda" and not torch.cuda.is_available():
            raise UserError(f"expected a CUDA device for --device {device}, found none; use --device cpu")
        if place.type == "cuda" and world > 1:
            place = torch.device("cuda", local)
            torch.cuda.set_device(place)
        engine = Engine(place, precision, int(os.environ.get("RANK", "0")), world)
        if world > 1 and not dist.is_initialized():
            with engine.together():
                backend = "nccl" if place.type == "cuda" else "gloo"
                dist.init_process_group(backend, timeout=timedelta(seconds=timeout_s))
        return engine

    @contextmanager
    def together(self) -> Iterator[None]:
        """Turns the failure of a collective call into one line that names the processes that did not answer.

        Raises:
            SimulacraError: another process is dead or stuck.
        """
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, SimulacraError):
                raise
            first = str(error).splitlines()[0]
            raise SimulacraError(
                f"process {self.rank} of {self.world} lost {self._silent()}: {first}; go on with --resume"
            ) from None

    def _silent(self, patience_s: float = 3.0) -> str:
        """Who does not report that it, too, lost the others. Rank 0 keeps the list, and is missed when it is gone."""
        try:
            store = dist.distributed_c10d._get_default_store()
            store.set(f"simulacra/lost/{self.rank}", "1")
            end, silent = time.monotonic() + patience_s, [0]
            while silent and time.monotonic() < end:
                time.sleep(0.1)
                silent = [r for r in range(self.world) if not store.check([f"simulacra/lost/{r}"])]
        except (RuntimeError, ValueError):
            silent = [0]
        return "process " + ", ".join(map(str, silent)) if silent else "the others"

    def autocast(self) -> AbstractContextManager[Any]:
        """The precision of network forwards."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def reduce(self, values: Tensor) -> Tensor:
        """The sum of `values` over processes, in place."""
        if self.world > 1:
            with self.together():
                dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether the flag is up on any process: all of them get the same answer."""
        return flag if self.world == 1 else bool(self.reduce(torch.tensor(float(flag), device=self.device)) > 0)

    def sums(self, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each tensor summed over processes."""
        return {name: self.reduce(value.clone()) for name, value in named.items()}

    def average_gradients(self, parameters: Iterable[nn.Parameter], weight: Tensor) -> None:
        """Replaces each gradient by its mean over processes, weighted by their event weights, in one all-reduce.

        A flag per parameter says whether any process used it; what nobody used stays without gradient.
        """
        if self.world == 1:
            return
        chosen = list(parameters)
        kind = chosen[0].dtype
        used = torch.tensor([p.grad is not None for p in chosen], dtype=kind, device=self.device)
        share = weight.to(kind).reshape(1)
        flat = torch.cat(
            [used, share, *[(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) * share for p in chosen]]
        )
        self.reduce(flat)
        used, total, at = flat[: len(chosen)], flat[len(chosen)], len(chosen) + 1
        for index, p in enumerate(chosen):
            mean = flat[at : at + p.numel()].view(p.shape) / total
            at += p.numel()
            if used[index] == 0:
                p.grad = None
            elif p.grad is None:
                p.grad = mean.clone()
            else:
                p.grad.copy_(mean)

    def agree(self, module: nn.Module) -> None:
        """Gives every process rank 0's parameters and buffers."""
        if self.world == 1:
            return
        with self.together(), torch.no_grad():
            for value in [*module.parameters(), *module.buffers()]:
                flat = value.detach().contiguous()  # channels-last tensors are sent in plain order
                if flat.dtype is torch.bool:
                    flat = flat.to(torch.uint8)
                dist.broadcast(flat, 0)
                value.copy_(flat)

    def barrier(self) -> None:
        if self.world > 1:
            with self.together():
                dist.barrier()

    def share(self, text: str) -> str:
        """Rank 0's text, on every process."""
        box = [text]
        if self.world > 1:
            with self.together():
                dist.broadcast_object_list(box, 0)
        return box[0]
