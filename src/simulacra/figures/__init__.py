"""Every picture, one function each: arrays in, figure out."""

from simulacra.figures.histograms import histogram, profile, response
from simulacra.figures.pictures import bars, image_grid, layers, scatter, training
from simulacra.figures.style import data_uri, png, svg

__all__ = [
    "bars",
    "data_uri",
    "histogram",
    "image_grid",
    "layers",
    "png",
    "profile",
    "response",
    "scatter",
    "svg",
    "training",
]
