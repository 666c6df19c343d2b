"""Trees of boxes cover every cell once, for any calorimeter."""

import pytest
import torch

from simulacra.domains.calorimeter.geometry import DETECTORS, LAR3, WSI45, Geometry, Layer, polar
from simulacra.domains.calorimeter.tree import BoxTree

RAGGED = Geometry(
    "ragged",
    (
        Layer("a", "cartesian", (-30, -10, 10, 30), (-7, -5, -3, -1, 1, 3, 5, 7)),
        polar("b", (0, 1, 4, 9), 1),
        Layer("one", "cartesian", (-1, 1), (-1, 1)),
        Layer("shifted", "cartesian", (0, 1, 2, 3, 4, 5), (-9, -8, -2)),
        polar("c", (0, 2, 4, 8, 16), 10),
    ),
)


def leaves(tree, geometry):
    """The cells below each box, by walking down: [K] lists."""
    below = [[cell] for cell in range(tree.cells)] + [[] for _ in tree.layer]
    for first, last in tree.levels:
        for s in range(first, last):
            below[tree.cells + s] = below[int(tree.near[s])] + below[int(tree.far[s])]
    return below


@pytest.mark.parametrize(
    "geometry", [LAR3, WSI45, RAGGED, DETECTORS["ds1-pions"]], ids=["lar3", "wsi45", "ragged", "ds1-pions"]
)
def test_every_cell_is_covered_once(geometry):
    tree = BoxTree.of(geometry)
    below = leaves(tree, geometry)
    for layer, part in enumerate(geometry.slices()):
        assert sorted(below[int(tree.roots[layer])]) == list(range(part.start, part.stop))
    children = torch.cat([tree.near, tree.far])
    assert len(children.unique()) == len(children) == tree.cells + len(tree.layer) - len(geometry.layers)


@pytest.mark.parametrize("geometry", [LAR3, WSI45, RAGGED], ids=["lar3", "wsi45", "ragged"])
def test_steps_make_parents_before_children_and_layers_in_order(geometry):
    tree = BoxTree.of(geometry)
    made = {int(root) for root in tree.roots}
    assert [s.layer for s in tree.steps] == sorted(s.layer for s in tree.steps)
    for step in tree.steps:
        here = range(step.first, step.last)
        assert all(tree.cells + s in made for s in here)
        assert (tree.layer[step.first : step.last] == step.layer).all()
        made |= {int(child) for s in here for child in (tree.near[s], tree.far[s])}
    assert len(made) == tree.cells + len(tree.layer)


def test_an_unknown_coordinate_is_split_while_the_box_is_whole():
    tree = BoxTree.of(LAR3)
    first = [int(tree.axis[next(s for s in tree.steps if s.layer == layer).first]) for layer in range(3)]
    assert first == [0, 0, 0]
    below = leaves(tree, LAR3)
    centre, outer = below[int(tree.near[-3])], below[int(tree.far[-3])]
    sizes = sorted([len(below[int(r)]) for r in tree.roots])
    assert sizes == [72, 144, 288]
    assert (centre, len(outer)) == (list(range(96, 192)), 192) or len(centre) == 96


def test_near_is_nearer():
    tree, radius = BoxTree.of(LAR3), LAR3.radius
    below = leaves(tree, LAR3)
    for s in range(len(tree.layer)):
        near, far = (radius[torch.tensor(below[int(child[s])])].mean() for child in (tree.near, tree.far))
        assert near <= far + 1e-6


@pytest.mark.parametrize("geometry", [LAR3, WSI45, RAGGED], ids=["lar3", "wsi45", "ragged"])
def test_neighbours_are_other_boxes_of_the_layer(geometry):
    tree = BoxTree.of(geometry)
    below = leaves(tree, geometry)
    void = tree.cells + len(tree.layer)
    for s in range(len(tree.layer)):
        own = set(below[tree.cells + s])
        for box in tree.neighbours[s].tolist():
            if box != void:
                assert not own & set(below[box])
                assert geometry.layer_of[below[box][0]] == tree.layer[s]


def test_mirrored_boxes_look_alike():
    """The two halves of a layer have the same splits but for the sign of the side."""
    tree = BoxTree.of(LAR3)
    below = leaves(tree, LAR3)
    mirror = LAR3.mirror("x")
    boxes = {frozenset(cells): s for s, cells in enumerate(below[tree.cells :])}
    alike = 0
    for cells, s in boxes.items():
        other = boxes.get(frozenset(mirror[list(cells)].tolist()))
        if other is not None and other != s:
            assert {*below[int(tree.near[other])]} == {*mirror[below[int(tree.near[s])]].tolist()}
            assert torch.allclose(tree.static[s].abs(), tree.static[other].abs())
            alike += 1
    assert alike > 300


@pytest.mark.parametrize("geometry", [LAR3, WSI45], ids=["lar3", "wsi45"])
def test_the_layer_before_is_seen_whole(geometry):
    """The area of a layer that the next one covers is shared out completely."""
    target, source, share = BoxTree.of(geometry).previous
    last = geometry.slices()[-1].start
    given = torch.zeros(geometry.cells).index_add_(0, source, share)
    assert torch.allclose(given[:last], torch.ones(last), atol=1e-5)
    assert (geometry.layer_of[target] == geometry.layer_of[source] + 1).all()
