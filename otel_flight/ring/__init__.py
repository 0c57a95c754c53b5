"""The bounded window: one memory-mapped file of fixed segments, written without waiting."""
