"""`python -m fairwatt.cli` is `fairwatt`."""

from fairwatt.cli.main import main

main()
