"""`python -m rarecall`: the command line."""

from rarecall.search.cli import main

if __name__ == "__main__":
    main()
