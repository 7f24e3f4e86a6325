"""The services as users run them: real processes, real models, real media."""
