"""From spans and stacks to the bytes of their records, in Python and in C."""
