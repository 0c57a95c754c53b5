"""What everything else stands on: clocks, threads, guards, files, words. It knows of no span."""
