"""What a model is told, as one row of numbers per event."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from simulacra.batch import Field, Given
from simulacra.errors import UserError


class Conditions(nn.Module):
    """Makes a network conditional: what is given as one row per event, classes one-hot, in the order of the fields.

    Shapes: {name: [B, *shape]} -> [B, size]. Conditions that are given but not described are left aside.

    Args:
        given_fields: the conditions by physical name, as in `DataSpec.given`.

    Attributes:
        size: numbers in a row; 0 where the model is told nothing.

    Raises:
        UserError: a condition is missing, or a class is out of range.

    Example:
        >>> told = Conditions({"energy": Field((1,)), "label": Field((), "class", 3)})
        >>> told({"energy": torch.tensor([[0.5]]), "label": torch.tensor([2])})
        tensor([[0.5000, 0.0000, 0.0000, 1.0000]])
    """

    def __init__(self, given_fields: Mapping[str, Field]) -> None:
        super().__init__()
        self.fields = dict(given_fields)
        self.sizes = {name: field.size * _levels(field) for name, field in self.fields.items()}
        self.size = sum(self.sizes.values())

    def forward(self, given: Given) -> Tensor:
        if not self.fields:
            raise ValueError("expected at least one condition to join, came a model without any; use `beside`")
        rows = []
        for name, field in self.fields.items():
            if name not in given:
                came = ", ".join(sorted(given)) or "no condition"
                raise UserError(f"expected the condition {name!r}, came {came}; give one {name} per event")
            rows.append(_row(name, given[name], field))
        return torch.cat(rows, 1)

    def beside(self, x: Tensor, given: Given) -> Tensor:
        """`x` [B, D] with the conditions appended: [B, D + size]; `x` itself where there are none."""
        return torch.cat([x, self(given).to(x.dtype)], 1) if self.size else x


def _levels(field: Field) -> int:
    if field.kind not in ("class", "token"):
        return 1
    if field.levels < 1:
        raise ValueError(f"expected the number of classes of a condition, came {field.levels}; set Field.levels")
    return field.levels


def _row(name: str, value: Tensor, field: Field) -> Tensor:
    if field.kind not in ("class", "token"):
        return value.flatten(1) if value.dim() > 1 else value[:, None]
    label = value.long()
    if label.numel() and not torch.compiler.is_compiling():
        low, high = int(label.min()), int(label.max())
        if low < 0 or high >= field.levels:
            raise UserError(
                f"expected {name} among 0 to {field.levels - 1}, came {low if low < 0 else high}; choose one of them"
            )
    return functional.one_hot(label, field.levels).to(torch.get_default_dtype()).flatten(1)
