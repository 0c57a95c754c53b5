"""What the recorder costs, always as a ratio to the bare SDK in the same run.

`python -m benchmarks --help` lists the benchmarks; docs of each are in its own file. None of them
passes or fails by its figures: a shared machine is no stopwatch.
"""
