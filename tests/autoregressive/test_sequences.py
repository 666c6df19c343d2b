"""Sequence models: probabilities, the past alone, drawing, and a chain whose entropy is known."""

import itertools

import pytest
import torch

from simulacra import recipes
from simulacra.autoregressive.sequences import CausalTransformer, CharacterRNN, SequenceModel
from simulacra.batch import Batch, DataSpec, Field
from simulacra.domains import open_data
from simulacra.domains.dataset import in_memory
from simulacra.errors import UserError
from simulacra.random import draws
from simulacra.testing import streams_for
from simulacra.training.loop import train
from simulacra.workflow import training_spec

LENGTH, TOKENS = 4, 3
NETS = {
    "recurrent": lambda: CharacterRNN(6, 2),
    "transformer": lambda: CausalTransformer(LENGTH, 6, heads=2, depth=2),
}
GIVEN = {"kind": Field((), "class", 2)}


def model_of(name: str, given=None) -> SequenceModel:
    torch.manual_seed(5)
    model = SequenceModel(NETS[name](), LENGTH, TOKENS, given).double()
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return model


def every() -> torch.Tensor:
    return torch.tensor(list(itertools.product(range(TOKENS), repeat=LENGTH)), dtype=torch.float64)


@pytest.mark.parametrize("name", NETS)
def test_probabilities_sum_to_one_with_and_without_conditions(name):
    x = every()
    assert model_of(name).log_prob(Batch(x)).exp().sum().item() == pytest.approx(1)
    model = model_of(name, GIVEN)
    first, second = (model.log_prob(Batch(x, {"kind": torch.full((len(x),), k)})).exp() for k in (0, 1))
    assert [first.sum().item(), second.sum().item()] == pytest.approx([1, 1])
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("name", NETS)
def test_a_token_sees_those_before_it_and_no_other(name):
    model = model_of(name)
    x = every()[:1]
    for t in range(LENGTH):
        other = x.clone()
        other[:, t] = 2
        moved = (model.logits(Batch(x)) - model.logits(Batch(other))).abs().amax((0, 2)) > 1e-12
        assert moved.tolist() == [s > t for s in range(LENGTH)]


@pytest.mark.parametrize("name", NETS)
def test_drawing_one_by_one_follows_the_probabilities(name):
    """Frequencies of all sequences: chi-square over 80 degrees of freedom, whose 0.1 % quantile is 125."""
    model, n = model_of(name), 20_000
    with draws(3):
        x = model.sample(n).x
    counts = torch.bincount((x @ (TOKENS ** torch.arange(LENGTH - 1, -1, -1)).double()).long(), minlength=81)
    expected = n * model.log_prob(Batch(every())).detach().exp()
    assert ((counts - expected).square() / expected).sum() < 125


@pytest.mark.parametrize("name", NETS)
def test_what_is_masked_does_not_count(name):
    model, x = model_of(name), every()[:5]
    mask = torch.tensor([[True, True, False, False]]).expand(5, -1)
    other = x.clone()
    other[:, 2:] = 1
    first, second = (model.log_prob(Batch(rows, mask=mask)) for rows in (x, other))
    assert torch.equal(first, second)
    shorter = model.logits(Batch(x)).log_softmax(2).gather(2, x.long()[..., None])[:, :2, 0].sum(1)
    assert torch.allclose(first, shorter)


def chain(rows: int, length: int) -> tuple[torch.Tensor, float]:
    """A Markov chain that stays with probability 0.9 and else moves to one of two others; its entropy per token."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(3, (rows, 1), generator=generator)
    for _ in range(length - 1):
        step = torch.where(
            torch.rand(rows, generator=generator) < 0.9, 0, 1 + torch.randint(2, (rows,), generator=generator)
        )
        x = torch.cat([x, (x[:, -1:] + step[:, None]) % 3], 1)
    p = torch.tensor([0.9, 0.05, 0.05])
    return x.float(), float((torch.tensor(3.0).log() + (length - 1) * -(p * p.log()).sum()) / length)


@pytest.mark.parametrize("name", ["char_rnn", "transformer"])
def test_the_entropy_of_a_chain_is_reached_and_not_passed(name):
    x, entropy = chain(4000, 12)
    spec = DataSpec("chain", "sequence", Field((12,), "token", 3, names=("a", "b", "c")), rows=len(x))
    chosen = recipes.find(name)
    with draws(1):
        game = chosen.build(spec, chosen.resolve({"width": 16, "depth": 1, "rounds": 250}))
    for _ in train(game, streams_for(game, in_memory(spec, Batch(x[:3000]))), seed=0):
        pass
    game.model.eval()
    held = game.model.log_prob(Batch(x[3000:])).detach() / -12
    error = held.std() / len(held) ** 0.5
    assert -3 * error < held.mean() - entropy < 0.03
    assert entropy < 0.6 < torch.tensor(3.0).log()  # a model of letters alone stays at log 3


def test_heads_share_the_width():
    with pytest.raises(UserError, match="multiple"):
        CausalTransformer(4, 6, heads=4)


SOURCE = {"source": Field((2,), "token", 2), "kind": Field((), "class", 2)}


@pytest.mark.parametrize(
    "net", [lambda: CharacterRNN(6, 1), lambda: CausalTransformer(LENGTH + 2, 6, heads=2, depth=2)]
)
def test_a_source_is_read_before_the_first_token_in_reading_and_in_drawing(net):
    torch.manual_seed(5)
    model = SequenceModel(net(), LENGTH, TOKENS, SOURCE).double()
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    x, found = every(), []
    for first, second, kind in itertools.product((0, 1), repeat=3):
        given = {"source": torch.tensor([first, second]).repeat(len(x), 1), "kind": torch.full((len(x),), kind)}
        found.append(model.log_prob(Batch(x, given)).exp().detach())
        assert found[-1].sum().item() == pytest.approx(1)
    assert min(float((a - b).abs().max()) for a, b in itertools.combinations(found, 2)) > 1e-4
    given = {"source": torch.randint(2, (50, 2)), "kind": torch.randint(2, (50,))}
    noise = model.noise(50)
    made = model.push(noise, given)
    with torch.no_grad():
        sums = model.logits(made).softmax(2).cumsum(2)
    assert torch.equal((sums <= noise["u"][..., None]).sum(2).double(), made.x)


def test_numbers_are_translated():
    data = open_data("numbers", rows=1000)
    recipe = recipes.find("transformer")
    spec = training_spec(data, torch.arange(1000))
    with draws(0):
        game = recipe.build(spec, recipe.resolve({"width": 48, "depth": 1, "rounds": 150, "lr": 5e-3}))
    for _ in train(game, streams_for(game, data, 0), seed=0):
        pass
    batch = game.codec.encode(data[torch.arange(0, 1000, 7)])
    other = Batch(batch.x, {"source": batch.given["source"].roll(1, 0)})
    with torch.no_grad():
        right, wrong = game.model.log_prob(batch), game.model.log_prob(other)  # type: ignore[operator]
    assert float(right.mean()) > -3
    assert float(right.mean()) > float(wrong.mean()) + 3
