"""Generative models of data and of simulators: trained, judged, put to work."""
