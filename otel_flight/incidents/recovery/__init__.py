"""Makes incidents of the rings that dead processes have left."""
