"""The cases of every recipe that is not a GAN."""

from case import Case

OTHERS = {
    "calorimeter_tree": Case(
        "calorimeter_tree",
        "showers.h5",
        {"hidden": 8, "depth": 1, "mixture": 2, "pairs": 256, "flow_hidden": 8, "flow_steps": 2, "batch_size": 16},
    ),
    "calorimeter_tree in depth": Case(
        "calorimeter_tree",
        "showers.h5",
        {"hidden": 8, "depth": 1, "mixture": 2, "pairs": 256, "flow_hidden": 8, "batch_size": 16, "flow_layers": 1},
    ),
    "made": Case("made", "digits.npz", {"hidden": (8,), "batch": 16}),
    "made shuffled": Case(
        "made", "digits.npz", {"hidden": (8, 8), "batch": 16, "shuffled": True, "binarise": "stochastic"}
    ),
    "nade": Case("nade", "digits.npz", {"hidden": 4, "batch": 16}),
    "pixelcnn": Case("pixelcnn", "digits.npz", {"levels": 4, "head": "logistic", "width": 2, "depth": 2, "batch": 16}),
    "pixelrnn": Case("pixelrnn", "digits.npz", {"levels": 4, "width": 2, "depth": 2, "batch": 16}),
    "char_rnn": Case("char_rnn", "words.txt", {"width": 4, "depth": 2, "batch": 16}),
    "transformer": Case("transformer", "words.txt", {"width": 4, "heads": 2, "depth": 2, "batch": 16}),
    "transformer of pairs": Case("transformer", "pairs.tsv", {"width": 4, "heads": 2, "depth": 2, "batch": 16}),
    "rbm": Case("rbm", "digits.npz", {"hidden": 4, "batch": 16, "burn": 3}),
    "rbm by CD-k": Case("rbm", "digits.npz", {"hidden": 4, "batch": 16, "burn": 3, "persistent": False, "steps": 2}),
    "boltzmann": Case("boltzmann", "digits.npz", {"batch": 16, "burn": 1}),
    "boltzmann with hidden": Case("boltzmann", "digits.npz", {"batch": 16, "burn": 1, "hidden": 2}),
    "gsn": Case("gsn", "toys:ring8", {"width": 8, "batch": 16, "burn": 3}),
    "gsn pictures": Case("gsn", "digits.npz", {"width": 8, "batch": 16, "burn": 3}),
    "realnvp": Case("realnvp", "toys:ring8", {"layers": 3, "hidden": (8,), "batch_size": 16}),
    "realnvp pictures": Case("realnvp", "digits.npz", {"width": 4, "batch_size": 16}),
    "nice": Case("nice", "toys:ring8", {"layers": 3, "hidden": (8,), "batch_size": 16}),
    "nice pictures": Case("nice", "digits.npz", {"layers": 2, "hidden": (8,), "batch_size": 16, "prior": "normal"}),
    "planar_flow": Case("planar_flow", "toys:ring8", {"layers": 3, "batch_size": 16}),
    "planar_flow radial": Case("planar_flow", "toys:ring8", {"layers": 3, "batch_size": 16, "radial": True}),
    "planar_flow of an energy": Case("planar_flow", "toys:ring8", {"layers": 3, "batch_size": 16, "energy": True}),
    "iaf": Case("iaf", "toys:ring8", {"layers": 2, "hidden": (8,), "batch_size": 16}),
    "iaf of an energy": Case("iaf", "toys:ring8", {"layers": 2, "hidden": (8,), "batch_size": 16, "energy": True}),
    "glow": Case("glow", "digits.npz", {"scales": 2, "steps": 2, "width": 4, "batch_size": 16}),
    "ffjord": Case("ffjord", "toys:ring8", {"hidden": (8,), "batch_size": 16}),
    "ffjord exact": Case("ffjord", "toys:ring8", {"hidden": (8,), "batch_size": 16, "exact": True}),
    "maf": Case("maf", "toys:ring8", {"layers": 2, "hidden": (8,), "batch_size": 16}),
    "nsf": Case("nsf", "toys:ring8", {"layers": 2, "hidden": (8,), "batch_size": 16}),
    "nsf autoregressive": Case(
        "nsf", "toys:ring8", {"layers": 2, "hidden": (8,), "batch_size": 16, "autoregressive": True}
    ),
    "mdn": Case("mdn", "toys:ring8", {"components": 3, "hidden": (8,), "batch_size": 16}),
    "mdn diagonal": Case(
        "mdn", "toys:ring8", {"components": 1, "full": False, "heteroscedastic": False, "batch_size": 16}
    ),
    "vae": Case("vae", "toys:ring8", {"width": 8, "batch": 16}),
    "vae pictures": Case("vae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "vae of bits": Case("vae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "likelihood": "bernoulli"}),
    "vae of a flow prior": Case("vae", "toys:ring8", {"width": 8, "batch": 16, "prior": "flow", "prior_parts": 2}),
    "vae of a flow prior, pictures": Case(
        "vae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "prior": "flow", "posterior": "mixture"}
    ),
    "vae of a planar posterior": Case("vae", "toys:ring8", {"width": 8, "batch": 16, "posterior": "planar"}),
    "vae of a mixture posterior": Case(
        "vae", "toys:ring8", {"width": 8, "batch": 16, "prior": "mixture", "posterior": "mixture", "posterior_parts": 3}
    ),
    "vae of planes seen from a VampPrior": Case(
        "vae",
        "digits.npz",
        {"width": 4, "latent": 3, "batch": 16, "prior": "vamp", "prior_parts": 4, "posterior": "planar"},
    ),
    "vae of a flow on either side": Case(
        "vae", "toys:ring8", {"width": 8, "batch": 16, "prior": "flow", "posterior": "iaf", "posterior_parts": 1}
    ),
    "cvae": Case("cvae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "beta_vae": Case("beta_vae", "toys:ring8", {"width": 8, "batch": 16}),
    "beta_vae of a capacity": Case("beta_vae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "capacity": 5.0}),
    "iwae": Case("iwae", "toys:ring8", {"width": 8, "batch": 16, "draws": 3}),
    "iwae pictures": Case("iwae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "draws": 2}),
    "iaf_vae": Case("iaf_vae", "toys:ring8", {"width": 8, "hidden": (8,), "context": 3, "batch": 16}),
    "iaf_vae pictures": Case(
        "iaf_vae", "digits.npz", {"width": 4, "latent": 3, "hidden": (8,), "context": 3, "batch": 16}
    ),
    "ae": Case("ae", "toys:ring8", {"width": 8, "batch": 16}),
    "ae pictures": Case("ae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "components": 2}),
    "conv_ae": Case("conv_ae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "conv_ae of a mixture": Case(
        "conv_ae", "digits16.npz", {"width": 4, "latent": 3, "batch": 16, "components": 2, "full": False}
    ),
    "shortcut_ae": Case("shortcut_ae", "digits.npz", {"width": 4, "latent": 3, "depth": 2, "batch": 16}),
    "shortcut_ae across": Case(
        "shortcut_ae",
        "digits.npz",
        {"width": 4, "latent": 3, "depth": 2, "batch": 16, "shortcuts": False, "across": True},
    ),
    "dae": Case("dae", "toys:ring8", {"width": 8, "batch": 16}),
    "dae pictures": Case("dae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "corruption": "masking"}),
    "gmvae": Case("gmvae", "toys:ring8", {"width": 8, "batch": 16, "components": 3}),
    "gmvae pictures": Case("gmvae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "beta_tcvae": Case("beta_tcvae", "toys:ring8", {"width": 8, "batch": 16}),
    "beta_tcvae pictures": Case("beta_tcvae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "vamp_vae": Case("vamp_vae", "toys:ring8", {"width": 8, "batch": 16, "components": 4}),
    "vamp_vae pictures": Case("vamp_vae", "digits.npz", {"width": 4, "latent": 3, "batch": 16, "components": 4}),
    "categorical_vae": Case("categorical_vae", "toys:ring8", {"width": 8, "batch": 16, "choices": 2, "classes": 3}),
    "categorical_vae pictures": Case(
        "categorical_vae", "digits.npz", {"width": 4, "batch": 16, "choices": 9, "likelihood": "bernoulli"}
    ),
    "wae": Case("wae", "toys:ring8", {"width": 8, "batch": 16}),
    "wae pictures": Case("wae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "ddpm": Case("ddpm", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3}),
    "ddpm of large variance": Case(
        "ddpm", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3, "variance": "large"}
    ),
    "ddpm pictures": Case("ddpm", "digits.npz", {"base": 4, "batch_size": 16, "steps": 3, "eta": 0.0, "guidance": 2.0}),
    "ddpm by a transformer": Case(
        "ddpm",
        "digits.npz",
        {"network": "transformer", "patch": 2, "base": 2, "batch_size": 16, "steps": 3, "lr": 1e-2, "decay": 0.0},
    ),
    "edm": Case("edm", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3}),
    "edm pictures": Case("edm", "digits.npz", {"base": 4, "batch_size": 16, "steps": 3}),
    "guided_diffusion": Case(
        "guided_diffusion", "digits.npz", {"base": 4, "batch_size": 16, "steps": 3, "weight": 2.0}
    ),
    "vae_gan": Case("vae_gan", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "aae": Case("aae", "toys:ring8", {"width": 8, "batch": 16}),
    "aae pictures": Case("aae", "digits.npz", {"width": 4, "latent": 3, "batch": 16}),
    "aae in pieces": Case(
        "aae",
        "digits.npz",
        {"width": 4, "batch": 16, "prior": "flower", "told": "prior", "labelled": 1, "stochastic": True},
    ),
    "vq_vae": Case("vq_vae", "digits.npz", {"width": 4, "codes": 8, "size": 3, "prior_width": 8, "batch": 16}),
    "flow_matching": Case("flow_matching", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3, "paired": True}),
    "flow_matching pictures": Case("flow_matching", "digits.npz", {"base": 4, "batch_size": 16, "steps": 3}),
    "latent_diffusion": Case("latent_diffusion", "toys:ring8", {"width": 8, "hidden": 8, "batch_size": 16, "steps": 3}),
    "latent_diffusion by a transformer": Case(
        "latent_diffusion",
        "digits.npz",
        {"width": 4, "latent": 2, "network": "transformer", "base": 2, "batch_size": 16, "steps": 3, "first": 0.1},
    ),
    "latent_diffusion pictures": Case(
        "latent_diffusion",
        "digits.npz",
        {"width": 4, "latent": 2, "base": 4, "batch_size": 16, "steps": 3, "first": 0.1},
    ),
    "distilled_diffusion": Case(
        "distilled_diffusion", "toys:ring8", {"teacher": "teacher", "finest": 8, "steps": 1, "batch_size": 16}
    ),
    "score_sde": Case("score_sde", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3}),
    "score_sde by Langevin": Case(
        "score_sde", "toys:ring8", {"hidden": 8, "batch_size": 16, "steps": 3, "sampler": "langevin"}
    ),
    "score_sde exploding": Case(
        "score_sde",
        "toys:ring8",
        {"hidden": 8, "batch_size": 16, "steps": 3, "sde": "exploding", "weighting": "likelihood", "solver": "rk4"},
    ),
    "marginals": Case("marginals", "toys:ring8", {"quantiles": 33, "bins": 3}),
    "marginals pictures": Case("marginals", "digits.npz", {"quantiles": 33, "bins": 3}),
    "marginals showers": Case("marginals", "showers.h5", {"quantiles": 33, "bins": 3}),
    "pca_gaussian": Case("pca_gaussian", "toys:ring8", {"components": 8}),
    "pca_gaussian pictures": Case("pca_gaussian", "digits.npz", {"components": 8}),
    "pca_gaussian showers": Case("pca_gaussian", "showers.h5", {"components": 8}),
    "resampler": Case("resampler", "toys:ring8"),
    "resampler pictures": Case("resampler", "digits.npz"),
    "resampler showers": Case("resampler", "showers.h5"),
    "gflash": Case("gflash", "showers.h5"),
    "pca": Case("pca", "toys:ring8", {"components": 1}),
    "pca pictures": Case("pca", "digits.npz", {"components": 8}),
    "gmm": Case("gmm", "toys:ring8", {"components": 3}),
    "gmm pictures": Case("gmm", "digits.npz", {"components": 2}),
    "kmeans": Case("kmeans", "toys:ring8", {"clusters": 3}),
    "kmeans pictures": Case("kmeans", "digits.npz", {"clusters": 2}),
    "qda": Case("qda", "toys:ring8"),
    "qda pictures": Case("qda", "digits.npz"),
    "lda": Case("lda", "toys:ring8"),
    "lda pictures": Case("lda", "digits.npz"),
    "naive_bayes": Case("naive_bayes", "toys:ring8"),
    "naive_bayes of bits": Case("naive_bayes", "digits.npz", {"likelihood": "bernoulli", "binarise": "stochastic"}),
    "kde": Case("kde", "toys:ring8"),
    "kde pictures": Case("kde", "digits.npz"),
    "logistic_regression": Case("logistic_regression", "digits.npz", {"components": 2, "candidates": 8}),
    "untrained": Case("untrained", "toys:ring8", {"width": 4, "latent": 4, "batch": 16}),
    "untrained pictures": Case("untrained", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "untrained showers": Case("untrained", "showers.h5", {"width": 4, "latent": 4, "batch": 16}),
}
