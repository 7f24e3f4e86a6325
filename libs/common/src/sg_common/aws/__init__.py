"""What the doors ask of AWS, or of what speaks as it does: S3, SQS and Step Functions."""
