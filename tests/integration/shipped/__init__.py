"""What users are given besides the recorder: demo, examples, what other tools read."""
