"""Models that are sampled by Markov chains: Boltzmann machines and generative stochastic networks."""
