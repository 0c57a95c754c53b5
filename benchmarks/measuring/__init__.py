"""What benchmarks share: the variants that they compare, processes, load, ratios, figures."""
