"""Every picture, one function each: arrays in, figure out."""

from simulacra.figures.histograms import bars, histogram
from simulacra.figures.images import image_grid
from simulacra.figures.losses import curve_panel, players
from simulacra.figures.profiles import correlation_difference, correlations, profile
from simulacra.figures.response import resolution, response
from simulacra.figures.scatter import scatter
from simulacra.figures.showcase import showcase
from simulacra.figures.showers import layers, mean_showers, side_by_side
from simulacra.figures.style import data_uri, png, svg

__all__ = [
    "bars",
    "correlation_difference",
    "correlations",
    "curve_panel",
    "data_uri",
    "histogram",
    "image_grid",
    "layers",
    "mean_showers",
    "players",
    "png",
    "profile",
    "resolution",
    "response",
    "scatter",
    "showcase",
    "side_by_side",
    "svg",
]
