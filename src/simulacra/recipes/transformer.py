"""A causal transformer."""

from __future__ import annotations

from simulacra.autoregressive.sequences import CausalTransformer, SequenceModel, source_fields
from simulacra.batch import DataSpec
from simulacra.domains.text import Tokens
from simulacra.recipes._discrete import by_likelihood
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "autoregressive"
DOMAIN = ("sequence",)
PAPER = "Vaswani et al. 2017 arXiv:1706.03762"


def transformer(
    data: DataSpec,
    *,
    width: int = 96,
    heads: int = 4,
    depth: int = 2,
    lr: float = 2e-3,
    batch: int = 64,
    rounds: int = 1500,
) -> Experiment:
    """A text, character by character: each asks all those before it by attention, and says what comes next.

    Nothing is carried along: a mask keeps every token from what follows, so all tokens of a block are learnt at once,
    and any two are one step apart. Probabilities are exact and sum to 1 over all blocks. Drawing is one token after
    the other and keeps the keys and values of what was drawn. Layer norms come before attention and MLP. Of pairs of
    texts it reads the first, and translates it into the second.

    Args:
        data: of sequences of tokens, such as a `.txt` file, or pairs of a `.tsv` file.
        width: of a token's vector, a multiple of `heads`; depth: layers.

    Raises:
        UserError: the events are no sequences of tokens, or the heads do not divide the width.
    """
    need_layout(data, "transformer", *DOMAIN)
    codec, length = Tokens(data), data.x.size
    longest = length + sum(field.size for field in source_fields(data.given).values())
    model = SequenceModel(CausalTransformer(longest, width, heads, depth), length, data.x.levels, data.given)
    return by_likelihood(model, codec, lr=lr, batch=batch, rounds=rounds)
