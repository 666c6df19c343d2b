"""The cases of adversarial recipes."""

from case import Case

GANS = {
    "gan": Case("gan", "toys:ring8", {"hidden": 8, "batch": 16}),
    "gan pre-trained": Case("gan", "toys:ring8", {"hidden": 8, "batch": 16, "pretrain": 3}),
    "dcgan": Case("dcgan", "digits.npz", {"base": 4, "latent": 4, "batch": 16}),
    "dcgan without its rules": Case(
        "dcgan",
        "digits16.npz",
        {
            "base": 4,
            "latent": 4,
            "batch": 16,
            "strided": False,
            "norm": "layer",
            "dense": 8,
            "activation": "tanh",
            "slope": 0.0,
        },
    ),
    "cgan": Case("cgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "wgan": Case("wgan", "toys:ring8", {"width": 8, "batch": 16, "n_critic": 2, "warm": 2}),
    "wgan pictures": Case("wgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "n_critic": 1, "warm": 2}),
    "wgan_gp": Case("wgan_gp", "toys:ring8", {"width": 8, "batch": 16}),
    "acgan": Case("acgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "projection_gan": Case("projection_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "n_critic": 2}),
    "infogan": Case("infogan", "toys:ring8", {"width": 8, "batch": 16, "categories": 3, "continuous": 1}),
    "infogan pictures": Case("infogan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "sgan": Case("sgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "labelled": 2}),
    "wgan_gp pictures": Case("wgan_gp", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "n_critic": 2}),
    "minimax_gan": Case("minimax_gan", "toys:ring8", {"width": 8, "batch": 16, "steps": 2}),
    "minimax_gan pictures": Case("minimax_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "minimax_gan pre-trained": Case(
        "minimax_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "steps": 2, "pretrain": 2}
    ),
    "lsgan": Case("lsgan", "toys:ring8", {"width": 8, "batch": 16}),
    "lsgan pictures": Case("lsgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "relativistic_gan": Case("relativistic_gan", "toys:ring8", {"width": 8, "batch": 16}),
    "relativistic_gan by the mean": Case(
        "relativistic_gan", "toys:ring8", {"width": 8, "batch": 16, "objective": "hinge", "average": True}
    ),
    "relativistic_gan pictures": Case("relativistic_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "sngan": Case("sngan", "toys:ring8", {"width": 8, "batch": 16, "normalised_generator": True}),
    "sngan pictures": Case("sngan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "gan_gp": Case("gan_gp", "toys:ring8", {"width": 8, "batch": 16}),
    "gan_gp pictures": Case("gan_gp", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "dragan": Case("dragan", "toys:ring8", {"width": 8, "batch": 16}),
    "dragan pictures": Case("dragan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "r1_gan": Case("r1_gan", "toys:ring8", {"width": 8, "batch": 16, "interval": 3, "r2": True}),
    "r1_gan pictures": Case("r1_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "interval": 3}),
    "fgan": Case("fgan", "toys:ring8", {"width": 8, "batch": 16}),
    "fgan pictures": Case("fgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "divergence": "kl"}),
    "stylegan": Case("stylegan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "slope_every": 3}),
    "stylegan2": Case(
        "stylegan2",
        "digits.npz",
        {"width": 4, "latent": 4, "batch": 16, "slope_every": 3, "path": 2.0, "path_every": 2},
    ),
    "unrolled_gan": Case("unrolled_gan", "toys:ring8", {"width": 8, "batch": 16, "unroll": 2}),
    "unrolled_gan pictures": Case("unrolled_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "unroll": 2}),
    "minibatch_gan": Case("minibatch_gan", "toys:ring8", {"width": 8, "batch": 16}),
    "minibatch_gan pictures": Case("minibatch_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "feature_matching_gan": Case("feature_matching_gan", "toys:ring8", {"width": 8, "batch": 16}),
    "feature_matching_gan pictures": Case("feature_matching_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "noisy_gan": Case("noisy_gan", "toys:ring8", {"width": 8, "batch": 16}),
    "noisy_gan pictures": Case("noisy_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "ebgan": Case("ebgan", "toys:ring8", {"width": 8, "code": 4, "batch": 16}),
    "ebgan pictures": Case("ebgan", "digits.npz", {"width": 4, "code": 4, "latent": 4, "batch": 16}),
    "began": Case("began", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "vbn_gan": Case("vbn_gan", "digits.npz", {"base": 4, "latent": 4, "batch": 16, "reference": 8}),
    "vbn_gan in both": Case(
        "vbn_gan", "digits16.npz", {"base": 4, "latent": 4, "batch": 16, "reference": 24, "virtual_critic": True}
    ),
    "sagan": Case("sagan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "sagan shuffled": Case(
        "sagan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "upsampling": "shuffle", "attention": 0}
    ),
    "biggan": Case("biggan", "digits.npz", {"width": 4, "latent": 4, "batch": 16, "shared": 3}),
    "biggan truncated": Case(
        "biggan",
        "digits.npz",
        {"width": 4, "latent": 4, "batch": 16, "shared": 0, "truncation": 0.5, "upsampling": "transposed"},
    ),
    "historical_gan": Case("historical_gan", "toys:ring8", {"width": 8, "batch": 16}),
    "historical_gan pictures": Case("historical_gan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "minibatch_gan by distances": Case(
        "minibatch_gan", "toys:ring8", {"width": 8, "batch": 16, "compare": "distances"}
    ),
    "minibatch_gan by deviation": Case(
        "minibatch_gan", "toys:ring8", {"width": 8, "batch": 16, "compare": "deviation"}
    ),
    "ali": Case("ali", "toys:ring8", {"width": 8, "batch": 16}),
    "ali deterministic": Case("ali", "toys:ring8", {"width": 8, "batch": 16, "deterministic": True}),
    "ali pictures": Case("ali", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "cogan": Case("cogan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "cogan untied": Case(
        "cogan",
        "digits.npz",
        {"width": 4, "latent": 4, "batch": 16, "second": "edges", "tied_generator": 0, "tied_critic": 0},
    ),
    "lapgan": Case("lapgan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "progan": Case("progan", "digits.npz", {"width": 4, "latent": 4, "batch": 16}),
    "calorimeter_wgan": Case("calorimeter_wgan", "showers.h5", {"width": 16, "latent": 4, "batch": 16, "n_critic": 1}),
}
