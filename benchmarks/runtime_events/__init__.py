"""What watching a process costs: sources of runtime events, stack samples, an idle recorder."""
