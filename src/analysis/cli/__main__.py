"""``python -m analysis.cli``: the command line without its script."""

from analysis.cli import main

if __name__ == "__main__":
    main()
