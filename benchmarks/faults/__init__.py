"""The fault campaign: workers are killed and AWS fails around them; every message must end exactly once."""
