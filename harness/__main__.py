"""`python -m harness`: the same as the console command."""

from harness.cli.main import main

if __name__ == "__main__":
    main()
