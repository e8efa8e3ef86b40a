"""`python -m app`, the command of a checkout that is not installed."""

from .cli.commands import main

if __name__ == "__main__":
    main()
