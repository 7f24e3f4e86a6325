"""Where media come from: each source makes untrusted input a local file within the size limit."""
