"""`python -m manyhands` is the command line."""

from manyhands.cli.main import main

if __name__ == "__main__":
    main()
