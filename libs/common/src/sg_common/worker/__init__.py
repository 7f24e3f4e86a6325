"""The queue door: SQS messages in, results in S3 out. Delivery is at least once; a result is written exactly once."""
