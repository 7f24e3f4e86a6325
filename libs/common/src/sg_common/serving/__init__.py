"""What every door that stays up has: a life, probes, problem documents, a request id, and an end in order."""
