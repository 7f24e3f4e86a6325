"""What tests of several packages share: media, servers, stand-in analyzers."""
