"""`python -m cedtag`."""

from cedtag.cli import main

if __name__ == "__main__":
    main()
