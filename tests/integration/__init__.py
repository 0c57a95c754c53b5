"""Tests of a whole recorder: in real processes, with real receivers, servers and backends."""
