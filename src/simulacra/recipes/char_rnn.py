"""A recurrent network of characters."""

from __future__ import annotations

from simulacra.autoregressive.sequences import CharacterRNN, SequenceModel
from simulacra.batch import DataSpec
from simulacra.domains.text import Tokens
from simulacra.recipes._discrete import by_likelihood
from simulacra.recipes._parts import need_layout
from simulacra.training.game import Experiment

FAMILY = "autoregressive"
DOMAIN = ("sequence",)
PAPER = "Graves 2013 arXiv:1308.0850"


def char_rnn(
    data: DataSpec,
    *,
    width: int = 128,
    depth: int = 1,
    lr: float = 5e-3,
    batch: int = 64,
    rounds: int = 1500,
) -> Experiment:
    """A text, character by character: a recurrent network reads what was written and says what comes next.

    LSTM layers carry a state of fixed size from character to character; its probabilities multiply to that of the
    whole block, and sum to 1 over all blocks. A new text is drawn one character after the other, at the cost of one
    step each. Every block starts with nothing before it. Of pairs of texts it reads the first, then says the second.

    Args:
        data: of sequences of tokens, such as a `.txt` file, or pairs of a `.tsv` file.
        width: numbers in a state; depth: layers.

    Raises:
        UserError: the events are no sequences of tokens.
    """
    need_layout(data, "char_rnn", *DOMAIN)
    codec = Tokens(data)
    model = SequenceModel(CharacterRNN(width, depth), data.x.size, data.x.levels, data.given)
    return by_likelihood(model, codec, lr=lr, batch=batch, rounds=rounds)
