"""What may be chosen of a trained run's latents when it is sampled: codes, and how far out they are drawn."""

from __future__ import annotations

import math
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
        if isinstance(latents[name], Chosen):
            raise UserError(f"expected --code {name}=... once, came twice; choose one value a call")
        code = codes[name]
        values = _kind(name, text, code.size) if isinstance(code, CategoricalCode) else _numbers(name, text, code.size)
        if not extrapolate and any(value is not None and abs(value) > 1 for value in values):
            raise UserError(f"expected {name} within -1 to 1, came {text!r}; choose one inside, or say --extrapolate")
        latents[name] = Chosen(code, values)


def truncate(surrogate: Surrogate, by: float) -> None:
    """Draws a loaded run's latents from nearer to the middle: typical events, and less diverse ones.

    Styles become `centre + by (w - centre)` where the run has them (psi); else normal latents beyond `by` are drawn
    again (the truncation trick).

    Raises:
        UserError: the run has neither, or `by` is not above 0 for normal latents.
    """
    from simulacra.gan import Pushforward, StandardNormal, TruncatedNormal
    from simulacra.networks.style import StyleGenerator

    model: Any = surrogate.experiment.model
    latents: dict[str, Latent] = model.latent if isinstance(model, Pushforward) else {}
    if latents and isinstance(model.generator, StyleGenerator):
        model.generator.psi = by
        return
    normal = [name for name, z in latents.items() if isinstance(z, StandardNormal | TruncatedNormal)]
    if not normal:
        known = f"{surrogate.config.recipe} has neither"
        raise UserError(f"expected a GAN with styles or with normal latents for --truncation, {known}; leave it out")
    if not 0 < by < math.inf:
        raise UserError(f"expected a finite --truncation above 0 for normal latents, came {by:g}; such as 0.7")
    latents |= {name: TruncatedNormal(latents[name].size, by) for name in normal}


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
