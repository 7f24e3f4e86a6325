"""What the analyzers share."""
