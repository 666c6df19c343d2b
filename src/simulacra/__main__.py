"""`python -m simulacra` is `simulacra`."""

from simulacra.cli import main

main()
