"""What runs in the decoder child: FFmpeg on untrusted bytes, confined, answering over a pipe."""
