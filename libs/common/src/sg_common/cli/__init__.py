"""The command line door: `silver-guardian`, and `python -m` with a service's package."""
