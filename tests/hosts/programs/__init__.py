"""Programs that hosts run, in this folder, as applications do."""
