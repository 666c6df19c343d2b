"""What may be chosen of a trained run's latents when it is sampled: codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simulacra.errors import UserError, nearest

if TYPE_CHECKING:
    from simulacra.gan import Latent
    from simulacra.surrogate import Surrogate

DRAWN = "any"
"""In the place of a number that is to be drawn."""


def choose(surrogate: Surrogate, words: Sequence[str], *, extrapolate: bool = False) -> None:
    """Chooses codes of a loaded run, by `category=3` or, a number each, `continuous=0.5,any`.

    Everything else is drawn as without the choice, so that the same seed gives the same event with other codes.

    Raises:
        UserError: the run has no such code, or the code no such value.
    """
    from simulacra.gan import CategoricalCode, Chosen, ContinuousCode, Pushforward

    model: Any = surrogate.experiment.model
    latents: dict[str, Latent] = model.latent if isinstance(model, Pushforward) else {}
    codes = {name: code for name, code in latents.items() if isinstance(code, CategoricalCode | ContinuousCode)}
    for word in words:
        name, _, text = word.partition("=")
        if not codes:
            raise UserError(f"expected a run with codes for --code, {surrogate.config.recipe} has none; train infogan")
        if name not in codes:
            raise UserError(f"expected --code with {' or '.join(codes)}, came {word!r}; {nearest(name, codes)}")
        code = codes[name]
        values = _kind(name, text, code.size) if isinstance(code, CategoricalCode) else _numbers(name, text, code.size)
        if not extrapolate and any(value is not None and abs(value) > 1 for value in values):
            raise UserError(f"expected {name} within -1 to 1, came {text!r}; choose one inside, or say --extrapolate")
        latents[name] = Chosen(code, values)


def _kind(name: str, text: str, size: int) -> tuple[float | None, ...]:
    if not (text.isascii() and text.isdigit() and int(text) < size):
        raise UserError(f"expected --code {name} from 0 to {size - 1}, came {text!r}; choose one of these")
    return tuple(float(k == int(text)) for k in range(size))


def _numbers(name: str, text: str, size: int) -> tuple[float | None, ...]:
    words = text.split(",")
    try:
        values = tuple(None if word == DRAWN else float(word) for word in words)
    except ValueError:
        values = ()
    if len(values) != size or any(value != value for value in values):
        raise UserError(
            f"expected {size} numbers for --code {name}, or {DRAWN}, with commas between them, came {text!r}; "
            f"such as --code {name}={','.join(['0.5', *[DRAWN] * (size - 1)])}"
        )
    return values
