"""`python -m loansvc` is the command line."""

from loansvc.cli import main

if __name__ == "__main__":
    main()
