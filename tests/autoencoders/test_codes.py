"""Laws of codes that are quantised, judged by a critic, or matched to a prior all together."""

import itertools
import math

import pytest
import torch
from torch import nn

from simulacra import recipes
from simulacra.autoencoders import MMD, VQVAE, Codebook, CodePrior
from simulacra.autoencoders.shapes import Flower, SwissRoll
from simulacra.batch import Batch, DataSpec, Field
from simulacra.errors import UserError
from simulacra.protocols import Bound

PLANE = DataSpec("plane", "vector", Field((2,)), rows=100)
PAIRS = DataSpec("pairs", "image", Field((1, 8, 8), range=(0.0, 1.0)), {"label": Field((), "class", 2)}, rows=100)
DOTS = DataSpec("dots", "image", Field((1, 8, 8), range=(0.0, 1.0)), rows=100)


def built(name, spec, **arguments):
    torch.manual_seed(0)
    recipe = recipes.find(name)
    return recipe.build(spec, recipe.resolve(arguments))


def test_the_nearest_code_is_the_nearest():
    torch.manual_seed(0)
    book, z = Codebook(7, 3), torch.randn(5, 4, 3)
    want = torch.cdist(z.flatten(0, 1), book.vectors).argmin(1).view(5, 4)
    assert torch.equal(book.nearest(z), want)
    exact = book(book.nearest(z))
    assert torch.equal(book.nearest(exact), book.nearest(z)), "quantising twice is not quantising once"


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x, given):
        return self.scale * x


def test_the_gradient_passes_the_codebook_straight_through():
    torch.manual_seed(0)
    model = VQVAE(Rows(), Rows(), Codebook(3, 2), CodePrior(4, 3, {}, 8), commitment=0.25)
    x = torch.randn(6, 4, 2)
    loss = model.loss(Batch(x))
    e = model.book(model.indices(Batch(x)))
    gradient = torch.autograd.grad(loss.parts["error"], model.nets["encoder"].scale, retain_graph=True)[0]
    torch.testing.assert_close(gradient, (2 * (e - x) * x).flatten(1).sum(1).mean())
    (to_book,) = torch.autograd.grad(loss.parts["codebook"], model.book.vectors, retain_graph=True)
    hit = nn.functional.one_hot(model.indices(Batch(x)), 3).float()
    want = 2 * torch.einsum("bnk,bnd->kd", hit, e - x) / 6
    torch.testing.assert_close(to_book, want)
    torch.testing.assert_close(loss.parts["commitment"], 0.25 * loss.parts["codebook"])
    with pytest.raises(RuntimeError, match="not have been used"):
        torch.autograd.grad(loss.parts["commitment"], model.book.vectors)


def test_the_prior_of_codes_is_normalised_and_drawn_as_it_says():
    torch.manual_seed(0)
    prior = CodePrior(3, 2, {"label": Field((), "class", 2)}, 8)
    nn.init.normal_(prior.out.weight, std=2.0)
    every = torch.tensor(list(itertools.product(range(2), repeat=3)))
    given = {"label": torch.ones(8, dtype=torch.long)}
    with torch.no_grad():
        each = prior(every, given).log_softmax(2).gather(2, every[..., None])[..., 0]
    share = each.sum(1).exp()
    assert float(share.sum()) == pytest.approx(1.0, abs=1e-5)
    n = 20_000
    drawn = prior.draw(torch.rand(n, 3), {"label": torch.ones(n, dtype=torch.long)})
    found = torch.bincount(drawn @ torch.tensor([4, 2, 1]), minlength=8) / n
    torch.testing.assert_close(found, share, atol=0.015, rtol=0)


def test_the_discrepancy_is_zero_on_average_at_the_prior_and_sees_weights():
    torch.manual_seed(0)
    measure = MMD(1.0)
    null = torch.stack([measure(Batch(torch.zeros(50, 1)), torch.randn(50, 3)) for _ in range(300)])
    assert abs(float(null.mean())) < 5 * float(null.std()) / math.sqrt(300)
    away = [float(measure(Batch(torch.zeros(400, 1)), torch.randn(400, 3) + shift)) for shift in (0.0, 0.5, 1.0, 2.0)]
    assert away == sorted(away)
    narrow = measure(Batch(torch.zeros(400, 1)), 0.3 * torch.randn(400, 3))
    assert float(narrow) > 5 * float(null.std())
    z = torch.cat([torch.randn(200, 3), torch.randn(200, 3) + 5])
    weight = torch.cat([torch.ones(200), torch.zeros(200)])
    assert (
        float(measure(Batch(torch.zeros(400, 1), weight=weight), z))
        < 0.1
        < float(measure(Batch(torch.zeros(400, 1)), z))
    )
    assert float(measure(Batch(torch.zeros(1, 1)), z[:1])) == 0


def test_a_critic_of_codes_that_cannot_tell_says_two_log_two():
    experiment = built("aae", PLANE, width=8, critic_width=8)
    game = experiment.learners["game"]
    for value in game.critic.parameters():
        nn.init.zeros_(value)
    batch = Batch(torch.randn(32, 2))
    assert float(game.critic_loss(batch).parts["critic"].detach()) == pytest.approx(2 * math.log(2), abs=1e-5)
    assert float(game.encoder_loss(batch).parts["encoder"].detach()) == pytest.approx(math.log(2), abs=1e-5)


@pytest.mark.parametrize("shape", [Flower(4), SwissRoll()], ids=["flower", "roll"])
def test_pieces_of_a_prior_are_apart_and_make_the_whole(shape):
    torch.manual_seed(0)
    still = torch.zeros(4000, 2)
    pieces = [shape((k + torch.rand(4000)) / 4, still) for k in range(4)]
    if isinstance(shape, Flower):
        assert torch.allclose(torch.cat(pieces).norm(dim=1), torch.tensor(2.0), atol=1e-5)
        directions = torch.stack([piece[0] / 2 for piece in pieces])
        assert torch.allclose(directions @ directions.T, torch.eye(4) - torch.eye(4).roll(2, 0), atol=1e-6)
    else:
        radius = [piece.norm(dim=1) for piece in pieces]
        assert all(float(a.max()) <= float(b.min()) + 1e-4 for a, b in itertools.pairwise(radius))
    whole, parts = shape(torch.rand(16_000), still.repeat(4, 1)), torch.cat(pieces)
    assert torch.allclose(whole.mean(0), parts.mean(0), atol=0.06)
    assert torch.allclose(whole.norm(dim=1).sort().values, parts.norm(dim=1).sort().values, atol=0.05)


def test_a_critic_of_pieces_is_told_the_class_or_that_nobody_knows():
    experiment = built("aae", PAIRS, width=4, prior="flower", told="prior", labelled=1)
    game, seen = experiment.learners["game"], []
    inner = game.critic.forward
    game.critic.forward = lambda z, given: seen.append((z, given["label"])) or inner(z, given)
    label = torch.arange(400) % 2
    batch = Batch(torch.rand(400, *experiment.codec.spec(PAIRS).x.shape), {"label": label})
    game.critic_loss(batch, known=True)
    game.critic_loss(batch, known=False)
    (_, told), (known, also), (_, hidden), (whole, _) = seen
    assert torch.equal(told, label)
    assert torch.equal(also, label)
    assert bool((hidden == 2).all())

    def agree(codes):  # two petals, to the right and to the left, each with 0.04 % of its codes beyond 0
        return float((torch.where(codes[:, 0] > 0, 0, 1) == label).float().mean())

    assert agree(known) > 0.99
    assert 0.3 < agree(whole) < 0.7
    assert agree(experiment.model.codes(experiment.model.noise(400), {"label": label})) > 0.99
    assert [p.stream for p in experiment.players] == ["data", "data", "data", "labelled", "labelled"]


def test_codes_are_drawn_where_they_are_said_to_be():
    batch = Batch(torch.randn(5, 2))
    for stochastic in (False, True):
        model = built("aae", PLANE, width=8, stochastic=stochastic).model
        first, second = (model.encode(batch).rsample() for _ in range(2))
        assert torch.equal(first, second) != stochastic


def test_similarity_is_zero_for_equal_features_and_grows_with_their_square():
    game = built("vae_gan", DOTS, width=4, latent=3).learners["game"]
    features = torch.randn(5, 7)
    assert torch.equal(game.similarity(features, features), torch.zeros(5))
    torch.testing.assert_close(game.similarity(features, features + 2.0), torch.full((5,), 2.0))


@pytest.mark.parametrize("name", ["ae", "dae", "wae", "aae", "vae_gan", "vq_vae"])
def test_what_is_trained_on_no_bound_claims_none(name):
    assert not isinstance(built(name, DOTS, width=4).model, Bound)


def test_wrong_arguments_say_what_to_do():
    for name, arguments, words in [
        ("vae", {"likelihood": "bernoulli"}, "bernoulli for pictures"),
        ("vae", {"likelihood": "poisson"}, "expected the likelihood gaussian"),
        ("vae", {"sigma": -1.0}, "expected --sigma above 0"),
        ("cvae", {}, "expected data with a condition"),
        ("vq_vae", {}, "expected the layout image"),
        ("dae", {"corruption": "blur"}, "expected a corruption among"),
        ("aae", {"prior": "rose"}, "expected a prior among normal, flower, swissroll"),
        ("aae", {"prior": "flower", "latent": 3}, "expected a latent of 2"),
        ("aae", {"prior": "flower", "told": "prior"}, "expected data with a class"),
        ("aae", {"told": "prior"}, "expected a prior with pieces"),
        ("aae", {"told": "critic"}, "expected told to be decoder or prior"),
        ("aae", {"labelled": 3}, "expected told prior"),
    ]:
        with pytest.raises(UserError, match=words):
            built(name, PLANE, **arguments)
