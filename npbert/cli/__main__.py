"""``python -m npbert.cli``, for when the ``npbert`` script is not on the path."""

from npbert.cli import main

if __name__ == "__main__":
    main()
