"""`python -m stateroom`: how Stateroom starts processes of itself, in a checkout and in a wheel."""

from stateroom.command import main

if __name__ == "__main__":
    main()
